"""What one worker answered, another one shows with all that comes of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import orjson
import pytest

from homeserver.app import Homeserver, build
from homeserver.lifecycle import working
from homeserver.model import Draft, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.search.messages import SearchRequest
from homeserver.services.sync.request import SyncRequest
from homeserver.services.sync.tokens import SyncToken
from homeserver.settings.models import Settings
from tests.chat.world import group, person

pytestmark = pytest.mark.both


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True, "search_gather_s": 30}, "timeline": {"follow_interval_ms": 50}}


@pytest.fixture
async def workers(settings: Settings) -> AsyncIterator[list[Homeserver]]:
    """Two on one PostgreSQL; SQLite has one."""
    async with AsyncExitStack() as stack:
        count = 1 if "sqlite" in str(settings.database.url) else 2
        made = [build(settings) for _ in range(count)]
        for one in made:
            await stack.enter_async_context(working(one))
        yield made


async def mention(hs: Homeserver, room_id: RoomId, sender: Requester, other: Requester, text: str) -> None:
    content = {"msgtype": "m.text", "body": text, "m.mentions": {"user_ids": [other.user_id]}}
    await hs.core.timeline.send(room_id, [Draft("m.room.message", sender.user_id, content)])


async def test_a_message_of_one_worker_is_found_at_another(workers: list[Homeserver]) -> None:
    here, there = workers[0], workers[-1]
    alice, bob = await person(here, "Alice"), await person(here, "Bob")
    room_id = (await group(here, alice, bob)).room_id
    for number in range(1, 6):
        sender, reader = (here, there) if number % 2 else (there, here)
        await mention(sender, room_id, alice, bob, f"needle {number}")
        found = await reader.search.messages.search(bob, SearchRequest(term="needle"))
        assert found.count == number


async def test_a_message_of_one_worker_comes_from_another_with_its_counts(workers: list[Homeserver]) -> None:
    here, there = workers[0], workers[-1]
    alice, bob = await person(here, "Alice"), await person(here, "Bob")
    room_id = (await group(here, alice, bob)).room_id
    token = there.sync.syncs.now()
    for number in range(1, 6):
        await mention(here, room_id, alice, bob, f"look {number}")
        told = False
        while not told:
            answer = await there.sync.syncs.sync(bob, SyncRequest(since=token, timeout_s=30))
            token = SyncToken.parse(answer["next_batch"])
            room = answer.get("rooms", {}).get("join", {}).get(room_id)
            told = room is not None and f"look {number}" in str(orjson.loads(orjson.dumps(room)))
        assert room["unread_notifications"] == {"notification_count": number, "highlight_count": number}

"""An event comes with the counts that it makes: "MUST appear in the same /sync response"."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.slidekit import Slider, a_list
from tests.api.matrix.synckit import WAIT_MS, Follower, joined
from tests.api.matrix.test_highlights import mention

pytestmark = pytest.mark.both

RULES = "pushrules/global"
LOUD = {"set_tweak": "highlight"}
PACE: dict[str, object] = {"matrix": {"enabled": True, "notification_pace_s": 5}}


@pytest.fixture
def overrides() -> dict[str, object]:
    return PACE  # whoever waits for counts does not wait for the pace


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def told(his: Follower, room_id: str) -> tuple[list[str], int, int]:
    """The texts of the next answer about a room, its notifications and highlights."""

    def find(answer: Any) -> Any:
        return answer.get("rooms", {}).get("join", {}).get(room_id)

    room = await his.until(find)
    counts = room["unread_notifications"]
    texts = [one["content"].get("body", one["type"]) for one in room["timeline"]["events"]]
    return texts, counts["notification_count"], counts["highlight_count"]


async def test_who_waits_is_told_the_event_with_its_counts(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await bob.call("PUT", f"{RULES}/content/cake", body={"pattern": "cake", "actions": ["notify", LOUD]})
    topics = [{"kind": "event_match", "key": "type", "pattern": "m.room.topic"}]
    await bob.call(
        "PUT", f"{RULES}/override/topics", body={"conditions": topics, "actions": ["notify", LOUD]}
    )
    quiet = [{"kind": "event_match", "key": "content.body", "pattern": "psst"}]
    await bob.call("PUT", f"{RULES}/override/quiet", body={"conditions": quiet, "actions": []})
    his = Follower(bob)
    await his.sync()
    for text, expected in (
        ("look", (1, 1)),
        ("there is cake", (2, 2)),
        ("psst", (2, 2)),
        ("plain", (3, 2)),
    ):
        answer = asyncio.create_task(told(his, room_id))
        await (mention(alice, room_id, text, bob) if text == "look" else say(alice, room_id, text))
        assert await answer == ([text], *expected)
    answer = asyncio.create_task(told(his, room_id))
    await alice.call("PUT", path(room_id, "state/m.room.topic/"), body={"topic": "tea"})
    assert await answer == (["m.room.topic"], 4, 3)
    await bob.call("PUT", f"{RULES}/room/{quote(room_id, safe='')}", body={"actions": []})
    await say(alice, room_id, "muted")
    assert (await told(his, room_id))[1:] == (4, 3)
    await mention(alice, room_id, "you", bob)
    assert (await told(his, room_id)) == (["you"], 5, 4)


async def test_the_counts_are_known_to_every_reader_at_once(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    slider = Slider(bob, {"lists": {"all": a_list()}})
    await slider.sync()
    for number in range(1, 4):
        await mention(alice, room_id, f"look {number}", bob)
        fresh = joined(await Follower(bob).sync(), room_id)["unread_notifications"]
        assert fresh == {"notification_count": number, "highlight_count": number}
        room = (await slider.sync(WAIT_MS))["rooms"][room_id]
        assert (room["notification_count"], room["highlight_count"]) == (number, number)
        listed = (await bob.call("GET", "notifications", params={"only": "highlight"}))["notifications"]
        assert len(listed) == number

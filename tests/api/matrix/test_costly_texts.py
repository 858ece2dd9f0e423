"""Texts, patterns and filters that are made to keep the server busy."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.synckit import judged

RULES = "pushrules/global"
NEARLY = "a" * 400
ALTERNATING = "a" + "\u0315\u0301" * 14_000


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Everything that this process does in the block takes no more time than that."""
    started = time.process_time()
    yield
    spent = time.process_time() - started
    assert spent < seconds, f"{spent} s"


async def send(client: Client, room_id: str, text: str, status: int = 200) -> Any:
    body = {"msgtype": "m.text", "body": text}
    at = path(room_id, f"send/m.room.message/{len(text)}")
    return await client.call("PUT", at, status, body=body)


async def test_a_message_of_marks_alone(alice: Client) -> None:
    room_id = await create(alice, name=f"x{ALTERNATING[:200]}")
    with at_most(2):
        await send(alice, room_id, ALTERNATING)
        await alice.call("PUT", path(room_id, "state/m.room.topic/"), body={"topic": ALTERNATING})
        term = {"search_categories": {"room_events": {"search_term": ALTERNATING[:2000]}}}
        await alice.call("POST", "search", body=term)
        await alice.call("POST", "user_directory/search", body={"search_term": ALTERNATING[:200]})
        await alice.call("POST", "publicRooms", body={"filter": {"generic_search_term": ALTERNATING[:200]}})


async def test_a_text_that_no_event_can_have(alice: Client) -> None:
    room_id = await create(alice)
    with at_most(0.2):
        refused = await send(alice, room_id, "\ufdfa" * 150_000, 413)
    assert refused["errcode"] == "M_TOO_LARGE"


async def test_rules_that_nearly_match(alice: Client, server: Running) -> None:
    bob = await alice.register("bob")
    room_id = await create(alice, bob)
    for number in range(60):
        pattern = f"a*{NEARLY}{number}*b" if number % 2 else f"{NEARLY} {number}"
        body = {"pattern": pattern, "actions": ["notify", {"set_tweak": "highlight"}]}
        await bob.call("PUT", f"{RULES}/content/{number}", body=body)
    with at_most(1.5):
        await send(alice, room_id, "a" * 60_000)
        await judged(server)


async def test_a_filter_of_long_patterns(alice: Client) -> None:
    room_id = await create(alice)
    kind = "a" * 250
    for number in range(5):
        at = path(room_id, f"send/{kind}{number}/{number}")
        await alice.call("PUT", at, body={})
    user = f"user/{quote(alice.user_id)}/filter"
    with at_most(1.5):
        large = {"room": {"timeline": {"types": ["*".join("ab" * 60) + str(at) for at in range(200)]}}}
        assert await alice.errcode("POST", user, 400, body=large) == "M_BAD_JSON"
        padded = {"x": ["y" * 250] * 2400, "room": {"timeline": {"types": ["*x"] * 200}}}
        assert await alice.errcode("POST", user, 413, body=padded) == "M_TOO_LARGE"
        patterns = [f"{'a' * 200}*{'a' * 40}b{at}" for at in range(200)]
        wanted = {"room": {"timeline": {"types": patterns}}}
        filter_id = (await alice.call("POST", user, body=wanted))["filter_id"]
        for _ in range(10):
            answer = await alice.call("GET", "sync", params={"filter": filter_id})
        assert answer["rooms"]["join"][room_id]["timeline"]["events"] == []
    assert await say(alice, room_id, "still there")


@pytest.mark.parametrize("pattern", ["*" * 512, "?" * 90, "*?" * 40, ""])
async def test_odd_patterns(alice: Client, pattern: str) -> None:
    body = {"pattern": pattern, "actions": []}
    await alice.call("PUT", f"{RULES}/content/odd", body=body)
    assert (await alice.call("GET", f"{RULES}/content/odd"))["pattern"] == pattern
    await say(alice, await create(alice), "hello")

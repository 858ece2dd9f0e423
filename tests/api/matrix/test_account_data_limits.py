"""What one person may keep with the server is bounded: each piece, their number, and all of it together."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path
from tests.api.matrix.synckit import Follower

MIB = 2**20
PIECE = {"text": "x" * 60_000}
SETTINGS = {"matrix": {"enabled": True, "max_account_data": 150, "max_account_data_total_bytes": MIB}}
pytestmark = pytest.mark.parametrize("overrides", [SETTINGS])


def own(client: Client, rest: str) -> str:
    return f"user/{quote(client.user_id, safe='')}/{rest}"


async def put(client: Client, kind: str, content: Any, room_id: str = "") -> int:
    """The status of setting account data; nothing but 413 M_TOO_LARGE is said of what is too much."""
    where = f"rooms/{quote(room_id, safe='')}/" if room_id else ""
    path = f"/_matrix/client/v3/{own(client, f'{where}account_data/{kind}')}"
    headers = {"Authorization": f"Bearer {client.token}"}
    async with client.session.put(path, headers=headers, json=content) as answer:
        found = await answer.json()
        assert (answer.status, found.get("errcode")) in ((200, None), (413, "M_TOO_LARGE")), found
        return answer.status


async def kept(client: Client) -> dict[tuple[str, str], Any]:
    """All account data but the push rules, as an initial sync has it: {(room, type): content}."""
    answer = await Follower(client).sync()
    found = {("", one["type"]): one["content"] for one in answer["account_data"]["events"]}
    for room_id, room in answer.get("rooms", {}).get("join", {}).items():
        found |= {(room_id, one["type"]): one["content"] for one in room["account_data"]["events"]}
    found.pop(("", "m.push_rules"))
    return found


@pytest.mark.both
async def test_all_of_it_together_is_bounded(alice: Client) -> None:
    room_id = await create(alice)
    answers = [await put(alice, f"org.kind{n}", PIECE, room_id if n % 2 else "") for n in range(20)]
    assert answers == [200] * 17 + [413] * 3, "seventeen of 60 kB go into a MiB"
    assert len(await kept(alice)) == 17

    assert await put(alice, "org.kind3", {"text": "y" * 60_000}, room_id) == 200, "what is no larger is taken"
    assert await put(alice, "org.kind0", {}) == 200
    assert await put(alice, "org.another", PIECE) == 200, "there is place again"
    assert await put(alice, "org.kind0", PIECE) == 413
    tags = own(alice, f"rooms/{quote(room_id, safe='')}/tags")
    large = {"order": 0.5, "text": "x" * 50_000}
    assert await alice.errcode("PUT", f"{tags}/u.work", 413, body=large) == "M_TOO_LARGE"
    await alice.call("PUT", f"{tags}/u.home", body={"order": 0.5})
    assert ("", "org.kind0") not in await kept(alice)
    assert (await kept(alice))[room_id, "m.tag"] == {"tags": {"u.home": {"order": 0.5}}}


@pytest.mark.both
async def test_it_is_bounded_whatever_comes_at_once(alice: Client, bob: Client) -> None:
    answers = await asyncio.gather(*(put(alice, f"org.kind{n}", PIECE) for n in range(30)))
    assert sorted(answers) == [200] * 17 + [413] * 13
    assert len(await kept(alice)) == 17
    answers = await asyncio.gather(*(put(bob, f"org.kind{n}", {"n": n}) for n in range(160)))
    assert sorted(answers) == [200] * 150 + [413] * 10
    assert len(await kept(bob)) == 150


async def test_tags_together_are_one_piece(bob: Client) -> None:
    """Tags set at once are merged; the piece that they make is no larger than any other."""
    room_id = await create(bob)
    tags = "/_matrix/client/v3/" + own(bob, f"rooms/{quote(room_id, safe='')}/tags")
    headers = {"Authorization": f"Bearer {bob.token}"}

    async def tag(n: int) -> int:
        content = {"text": "x" * 10_000}
        async with bob.session.put(f"{tags}/u.{n}", headers=headers, json=content) as answer:
            return answer.status

    answers = await asyncio.gather(*(tag(n) for n in range(12)))
    assert sorted(answers) == [200] * 6 + [413] * 6
    assert len((await kept(bob))[room_id, "m.tag"]["tags"]) == 6


async def test_an_upgrade_carries_over_what_has_place(alice: Client, bob: Client) -> None:
    old = await create(alice, bob, room_version="11")
    for one in (alice, bob):
        await one.call("PUT", own(one, f"rooms/{quote(old, safe='')}/tags/u.work"), body={})
    answers = [await put(bob, f"org.kind{n}", PIECE) for n in range(17)]
    rest = (
        MIB
        - sum(len(f"org.kind{n}") + 60_011 for n in range(17))
        - len(old)
        - len('m.tag{"tags":{"u.work":{}}}')
    )
    answers.append(await put(bob, "org.rest", {"text": "x" * (rest - len('org.rest{"text":""}'))}))
    assert answers == [200] * 18
    assert await put(bob, "a", {"b": 1}) == 413, "not a byte is left"
    new = (await alice.call("POST", path(old, "upgrade"), body={"new_version": "12"}))["replacement_room"]
    assert (await kept(alice))[new, "m.tag"] == {"tags": {"u.work": {}}}
    assert await bob.call("GET", own(bob, f"rooms/{quote(new, safe='')}/tags")) == {"tags": {}}
    assert await bob.call("GET", own(bob, f"rooms/{quote(old, safe='')}/tags")) == {"tags": {"u.work": {}}}

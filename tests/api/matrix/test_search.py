"""Searching messages: what is found, by whom, and what is not."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.model import LOG_START, LogPosition
from homeserver.storage import log
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts

pytestmark = pytest.mark.both


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True, "search_gather_s": 0}}


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


async def indexed(server: Running) -> None:
    """Wait until everything that was written can be found."""
    end = server.hs.core.live.position
    async with asyncio.timeout(30):
        while True:
            async with server.hs.core.db.read() as conn:
                at = await log.cursor(conn, "search") or LOG_START
            if at >= end or not await _is_news(server, at, end):
                return
            await asyncio.sleep(0.01)


async def _is_news(server: Running, after: LogPosition, until: LogPosition) -> bool:
    """Whether the index has anything to read in a stretch: of what changes nothing it does not note its place."""
    async with server.hs.core.db.read() as conn:
        entries = await log.entries_after(conn, after, until - after)
    kinds = ("m.room.message", "m.room.name", "m.room.topic", "m.room.redaction")
    return any(one.event is not None and one.event.event.type in kinds for one in entries)


async def search(client: Client, term: str, next_batch: str | None = None, **more: Any) -> Any:
    body = {"search_categories": {"room_events": {"search_term": term, **more}}}
    params = {} if next_batch is None else {"next_batch": next_batch}
    found = await client.call("POST", "search", body=body, params=params)
    return found["search_categories"]["room_events"]


def bodies(found: Any) -> list[str]:
    return texts([one["result"] for one in found["results"]])


async def test_messages_are_found_by_their_words(server: Running, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, name="Ёжики и яблоки", topic="Martian gardening")
    await say(alice, room_id, "Привет, Марс! Men on mars.")
    await say(bob, room_id, "Nothing of the kind")
    await say(bob, room_id, "men of war")
    await indexed(server)
    assert bodies(await search(bob, "MARS")) == ["Привет, Марс! Men on mars."]
    assert bodies(await search(bob, "привет men")) == ["Привет, Марс! Men on mars."]
    assert bodies(await search(bob, "привет kind")) == []
    both = await search(bob, "men", order_by="recent")
    assert (bodies(both), both["count"]) == (["men of war", "Привет, Марс! Men on mars."], 2)
    assert both["highlights"] == ["men"]
    named = await search(bob, "ежики")
    assert [one["result"]["type"] for one in named["results"]] == ["m.room.name"]
    assert (await search(bob, "martian", keys=["content.topic"]))["count"] == 1
    assert (await search(bob, "martian", keys=["content.body"]))["count"] == 0
    by_alice = {"senders": [alice.user_id], "types": ["m.room.message"]}
    assert bodies(await search(bob, "men", filter=by_alice)) == ["Привет, Марс! Men on mars."]
    assert bodies(await search(bob, "men", filter={"not_senders": [alice.user_id]})) == ["men of war"]
    assert bodies(await search(bob, "men", filter={"not_rooms": [room_id]})) == []
    assert bodies(await search(bob, "men", filter={"contains_url": True})) == []
    assert (await search(bob, "\"! ' & | *"))["count"] == 0


async def test_the_best_match_comes_first_if_wished(server: Running, alice: Client) -> None:
    room_id = await create(alice)
    await say(alice, room_id, "fish fish fish")
    await say(alice, room_id, "there is one fish in a long sentence about other things")
    await indexed(server)
    found = await search(alice, "fish")
    assert bodies(found)[0] == "fish fish fish"
    assert found["results"][0]["rank"] > found["results"][1]["rank"]


async def test_pages_context_state_and_groups(server: Running, alice: Client, bob: Client) -> None:
    room_id, other = await create(alice, bob), await create(bob, alice)
    for number in range(5):
        await say(alice, room_id, f"needle {number}")
        await say(bob, room_id, f"hay {number}")
    await say(bob, other, "needle elsewhere")
    await indexed(server)
    request: dict[str, Any] = {
        "order_by": "recent",
        "filter": {"limit": 2},
        "event_context": {"before_limit": 1, "after_limit": 1, "include_profile": True},
        "include_state": True,
        "groupings": {"group_by": [{"key": "room_id"}, {"key": "sender"}]},
    }
    first = await search(alice, "needle", **request)
    assert bodies(first) == ["needle elsewhere", "needle 4"]
    context = first["results"][1]["context"]
    assert (texts(context["events_before"]), texts(context["events_after"])) == (["hay 3"], ["hay 4"])
    assert context["profile_info"][bob.user_id]["displayname"]
    assert set(first["state"]) == {room_id, other}
    groups = first["groups"]["sender"]
    assert groups[alice.user_id]["results"] == [first["results"][1]["result"]["event_id"]]
    assert "next_batch" not in groups[bob.user_id]
    rest = await search(alice, "needle", groups[alice.user_id]["next_batch"], **request)
    assert bodies(rest) == ["needle 3", "needle 2"]
    await say(alice, room_id, "needle 5")
    await indexed(server)
    second = await search(alice, "needle", first["next_batch"], **request)
    third = await search(alice, "needle", second["next_batch"], **request)
    assert bodies(second) + bodies(third) == [f"needle {number}" for number in (3, 2, 1, 0)]
    assert "next_batch" not in third
    page = await alice.call("GET", path(room_id, "messages"), params={"dir": "b", "from": context["start"]})
    assert texts(page["chunk"])[0] == "needle 3"


async def test_an_edit_is_found_by_its_new_words(server: Running, alice: Client) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "old words")
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": event_id}}
    new = {"m.new_content": {"msgtype": "m.text", "body": "fresh words"}}
    edit = await say(alice, room_id, "* fresh words", **new, **relation)
    await indexed(server)
    assert (await search(alice, "old"))["count"] == 0
    found = await search(alice, "fresh")
    assert [one["result"]["event_id"] for one in found["results"]] == [event_id]
    assert found["results"][0]["result"]["unsigned"]["m.relations"]["m.replace"]["event_id"] == edit
    await alice.call("PUT", path(room_id, f"redact/{quote(edit)}/1"), body={})
    await indexed(server)
    assert bodies(await search(alice, "old")) == ["old words"]
    assert (await search(alice, "fresh"))["count"] == 0
    await alice.call("PUT", path(room_id, f"redact/{quote(event_id)}/2"), body={})
    await indexed(server)
    assert (await search(alice, "words"))["count"] == 0


@pytest.mark.parametrize(
    ("visibility", "seen"),
    [
        ("joined", {"inside"}),
        ("invited", {"invited", "inside"}),
        ("shared", {"before", "invited", "inside"}),
        ("world_readable", {"before", "invited", "inside", "gone"}),
    ],
)
async def test_nobody_finds_what_they_may_not_see(
    server: Running, alice: Client, bob: Client, visibility: str, seen: set[str]
) -> None:
    content = {"history_visibility": visibility}
    state = [{"type": "m.room.history_visibility", "content": content}]
    room_id = await create(alice, initial_state=state)
    await say(alice, room_id, "secret before")
    await indexed(server)
    assert (await search(bob, "secret"))["results"] == []
    await alice.call("POST", path(room_id, "invite"), body={"user_id": bob.user_id})
    await say(alice, room_id, "secret invited")
    await bob.call("POST", path(room_id, "join"), body={})
    await say(alice, room_id, "secret inside")
    await bob.call("POST", path(room_id, "leave"), body={})
    await say(alice, room_id, "secret gone")
    await indexed(server)
    context = {"before_limit": 10, "after_limit": 10}
    found = await search(bob, "secret", event_context=context, include_state=True)
    assert {text.removeprefix("secret ") for text in bodies(found)} == seen
    assert found["count"] == len(seen)
    assert found["state"] == {}
    for one in found["results"]:
        around = [*one["context"]["events_before"], *one["context"]["events_after"]]
        assert {text.removeprefix("secret ") for text in texts(around)} <= seen


async def test_an_upgraded_room_is_searched_with_what_was_before(
    server: Running, alice: Client, bob: Client
) -> None:
    old = await create(alice, bob)
    await say(alice, old, "where it began")
    last = await say(alice, old, "last word")
    new = await create(alice, bob, creation_content={"predecessor": {"room_id": old, "event_id": last}})
    await say(alice, new, "began again")
    await indexed(server)
    found = await search(bob, "began", order_by="recent", filter={"rooms": [new]})
    assert bodies(found) == ["began again", "where it began"]
    stranger = await create(alice, creation_content={"predecessor": {"room_id": old, "event_id": last}})
    assert (await search(bob, "began", filter={"rooms": [stranger]}))["count"] == 0


async def test_what_was_written_before_the_index_is_found_too(server: Running, alice: Client) -> None:
    room_id = await create(alice)
    await say(alice, room_id, "as old as the hills")
    await indexed(server)
    async with server.hs.core.db.read() as conn:
        first = await log.entries_after(conn, LOG_START, 1)
    assert first[0].position == 1
    assert bodies(await search(alice, "hills")) == ["as old as the hills"]


async def test_a_forgotten_room_is_not_searched(server: Running, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await say(alice, room_id, "forget me not")
    await indexed(server)
    await bob.call("POST", path(room_id, "leave"), body={})
    assert bodies(await search(bob, "forget")) == ["forget me not"]
    await bob.call("POST", path(room_id, "forget"), body={})
    assert (await search(bob, "forget"))["count"] == 0


async def test_ignored_people_are_not_found(server: Running, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    await say(bob, room_id, "buy cheap things")
    await say(alice, room_id, "cheap talk")
    await say(bob, room_id, "buy noise")
    await indexed(server)
    data = f"user/{quote(alice.user_id)}/account_data/m.ignored_user_list"
    await alice.call("PUT", data, body={"ignored_users": {bob.user_id: {}}})
    found = await search(alice, "cheap", event_context={"before_limit": 5, "after_limit": 5})
    assert bodies(found) == ["cheap talk"]
    assert "buy" not in str(found)


async def test_bad_searches_are_refused(nobody: Client, alice: Client) -> None:
    async def refused(events: Any, code: str, **params: Any) -> None:
        body = {"search_categories": {"room_events": events}}
        assert await alice.errcode("POST", "search", 400, body=body, params=params) == code

    await refused({}, "M_MISSING_PARAM")
    await refused({"search_term": 5}, "M_BAD_JSON")
    await refused({"search_term": "a", "order_by": "luck"}, "M_BAD_JSON")
    await refused({"search_term": "a", "filter": {"limit": -1}}, "M_BAD_JSON")
    await refused({"search_term": "a"}, "M_INVALID_PARAM", next_batch="nonsense")
    assert await alice.errcode("POST", "search", 400, body={}) == "M_MISSING_PARAM"
    assert await alice.call("POST", "search", body={"search_categories": {}}) == {"search_categories": {}}
    assert await nobody.errcode("POST", "search", 401, body={}) == "M_MISSING_TOKEN"


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True, "search_gather_s": 30}}])
async def test_what_was_answered_is_found_at_once(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    sent = [await say(alice, room_id, f"needle {number}") for number in range(45)]
    assert (await search(bob, "needle"))["count"] == 45
    new = {"m.new_content": {"msgtype": "m.text", "body": "thread"}}
    await say(
        alice, room_id, "* thread", **new, **{"m.relates_to": {"rel_type": "m.replace", "event_id": sent[0]}}
    )
    await alice.call("PUT", path(room_id, f"redact/{quote(sent[1])}/1"), body={})
    assert (await search(bob, "needle"))["count"] == 43
    assert [one["result"]["event_id"] for one in (await search(bob, "thread"))["results"]] == [sent[0]]
    many = await asyncio.gather(*(say(alice, room_id, f"bee {number}") for number in range(9)))
    found = await asyncio.gather(*(search(bob, "bee") for _ in range(5)))
    assert [one["count"] for one in found] == [len(many)] * 5


SCRIPTS = [
    "हिन्दी भाषा सुन्दर है",
    "قال مَرْحَبًا بكم",
    "שָׁלוֹם לכולם",
    "東京都庁へ行く",
    "京都の東京タワー",
    "iPhone手機殼，很好看",
    "ภาษาไทยไม่ยาก",
    "한국어에서 왔어요",
    "well done 👍🏽👨‍👩‍👧 🇩🇪❤️",
    "средневеко́вый за́мок",
    "naïve CAFÉ",
]
FOUND = [
    ("हिन्दी", "हिन्दी भाषा सुन्दर है"),
    ("भाषा हिन्दी", "हिन्दी भाषा सुन्दर है"),
    ("مرحبا", "قال مَرْحَبًا بكم"),
    ("مَرْحَبًا", "قال مَرْحَبًا بكم"),
    ("שלום", "שָׁלוֹם לכולם"),
    ("都庁", "東京都庁へ行く"),
    ("東京都", "東京都庁へ行く"),
    ("行", "東京都庁へ行く"),
    ("行く", "東京都庁へ行く"),
    ("く", "東京都庁へ行く"),
    ("タワー", "京都の東京タワー"),
    ("ﾀﾜｰ", "京都の東京タワー"),
    ("手機", "iPhone手機殼，很好看"),
    ("iphone 好看", "iPhone手機殼，很好看"),
    ("ไทย", "ภาษาไทยไม่ยาก"),
    ("한국", "한국어에서 왔어요"),
    ("👍", "well done 👍🏽👨‍👩‍👧 🇩🇪❤️"),
    ("👍🏿 done", "well done 👍🏽👨‍👩‍👧 🇩🇪❤️"),
    ("👧", "well done 👍🏽👨‍👩‍👧 🇩🇪❤️"),
    ("🇩🇪", "well done 👍🏽👨‍👩‍👧 🇩🇪❤️"),
    ("❤", "well done 👍🏽👨‍👩‍👧 🇩🇪❤️"),
    ("замок", "средневеко́вый за́мок"),
    ("cafe\u0301", "naïve CAFÉ"),
]
NOT_FOUND = ["हद", "हिन्द", "京東", "京都庁東", "都へ", "殼很", "🇩", "🇪🇩", "👎", "vé", "나라", "مر"]


async def test_texts_of_all_scripts_are_found(alice: Client) -> None:
    room_id = await create(alice)
    for number, text in enumerate(SCRIPTS):
        body = {"msgtype": "m.text", "body": text}
        await alice.call("PUT", path(room_id, f"send/m.room.message/{number}"), body=body)
    for term, text in FOUND:
        assert bodies(await search(alice, term)) == [text], term
    for term in NOT_FOUND:
        assert bodies(await search(alice, term)) == [], term
    assert sorted(bodies(await search(alice, "東京"))) == sorted(SCRIPTS[3:5])
    assert (await search(alice, "東京 タワー"))["highlights"] == ["東京", "タワー"]

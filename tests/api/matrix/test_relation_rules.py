"""What the specification says of each type of relation: what is refused, and what is taken and ignored."""

import asyncio
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state
from tests.api.matrix.slidekit import Slider, a_list


def relates(rel_type: str, event_id: str, **more: Any) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": rel_type, "event_id": event_id, **more}}


async def send(client: Client, room_id: str, kind: str, content: Any, status: int = 200) -> Any:
    return await client.call("POST", path(room_id, f"send/{kind}"), status, body=content)


async def react(
    client: Client, room_id: str, event_id: str, key: Any, status: int = 200, kind: str = "m.reaction"
) -> Any:
    return await send(client, room_id, kind, relates("m.annotation", event_id, key=key), status)


async def edit(client: Client, room_id: str, event_id: str, text: str) -> str:
    new = {"m.new_content": {"msgtype": "m.text", "body": text}}
    return await say(client, room_id, f"* {text}", **new, **relates("m.replace", event_id))


async def redact(client: Client, room_id: str, event_id: str) -> None:
    await client.call("POST", path(room_id, f"redact/{quote(event_id)}"), body={})


async def bundled(client: Client, room_id: str, event_id: str) -> Any:
    found = await client.call("GET", path(room_id, f"event/{quote(event_id)}"))
    return found["unsigned"].get("m.relations", {})


async def edit_of(client: Client, room_id: str, event_id: str) -> str | None:
    found = (await bundled(client, room_id, event_id)).get("m.replace")
    return None if found is None else str(found["event_id"])


DUPLICATE = "M_DUPLICATE_ANNOTATION"


@pytest.mark.both
async def test_nobody_reacts_twice_alike(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    one, other = await say(alice, room_id, "one"), await say(alice, room_id, "other")
    first = await react(bob, room_id, one, "👍")
    assert (await react(bob, room_id, one, "👍", 400))["errcode"] == DUPLICATE
    for key in ("👍🏽", "👎", "", "x" * 2000, "x" * 2001):
        await react(bob, room_id, one, key)
        assert (await react(bob, room_id, one, key, 400))["errcode"] == DUPLICATE
    await react(alice, room_id, one, "👍")
    await react(bob, room_id, other, "👍")
    await react(bob, room_id, one, "👍", kind="org.example.vote")
    assert (await react(bob, room_id, one, "👍", 400, kind="org.example.vote"))["errcode"] == DUPLICATE
    await redact(bob, room_id, first["event_id"])
    await react(bob, room_id, one, "👍")
    assert (await react(bob, room_id, one, "👍", 400))["errcode"] == DUPLICATE


async def test_a_reaction_that_is_sent_again_is_the_same(alice: Client) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "one")
    at, body = path(room_id, "send/m.reaction/t"), relates("m.annotation", event_id, key="👍")
    first = await alice.call("PUT", at, body=body)
    again = await asyncio.gather(*(alice.call("PUT", at, body=body) for _ in range(3)))
    assert again == [first] * 3
    assert (await alice.call("PUT", path(room_id, "send/m.reaction/u"), 400, body=body))[
        "errcode"
    ] == DUPLICATE


@pytest.mark.both
async def test_of_reactions_at_once_one_is_taken(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    event_id = await say(alice, room_id, "one")
    at, body = path(room_id, "send/m.reaction"), relates("m.annotation", event_id, key="👍")

    async def attempt(client: Client) -> int:
        headers = {"Authorization": f"Bearer {client.token}"}
        async with client.session.post(at, json=body, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == 200 or found["errcode"] == DUPLICATE, found
            return answer.status

    said = [say(alice, room_id, f"meanwhile {number}") for number in range(4)]
    (*statuses,) = await asyncio.gather(*(attempt(one) for one in (alice, bob) for _ in range(6)), *said)
    assert Counter(statuses[:6]) == Counter(statuses[6:12]) == {200: 1, 400: 5}
    found = await alice.call("GET", path(room_id, f"relations/{quote(event_id)}/m.annotation", "v1"))
    assert sorted(one["sender"] for one in found["chunk"]) == sorted([alice.user_id, bob.user_id])
    await react(alice, room_id, event_id, "👎")


async def test_a_reaction_without_a_text_as_key_is_any_event(alice: Client) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "one")
    for key in (None, 1, ["x"], {"x": 1}):
        for _ in range(2):
            await react(alice, room_id, event_id, key)
    for _ in range(2):
        await set_state(alice, room_id, "org.example", relates("m.annotation", event_id, key="x"))
        await react(alice, room_id, "$unknown", None)


async def test_no_thread_begins_with_what_relates_to_another(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    targets = {
        "an answer in a thread": await say(bob, room_id, "answer", **relates("m.thread", root)),
        "an edit": await edit(alice, room_id, root, "edited"),
        "a reaction": (await react(bob, room_id, root, "👍"))["event_id"],
        "a reference": await say(bob, room_id, "see there", **relates("m.reference", root)),
        "another relation": await say(bob, room_id, "other", **relates("org.example", root)),
    }
    for name, target in targets.items():
        refused = await send(
            bob, room_id, "m.room.message", {"body": "x", **relates("m.thread", target)}, 400
        )
        assert refused["errcode"] == "M_UNKNOWN", name
    threads = await alice.call("GET", path(room_id, "threads", "v1"))
    assert [one["event_id"] for one in threads["chunk"]] == [root]
    reply = await say(bob, room_id, "reply", **{"m.relates_to": {"m.in_reply_to": {"event_id": root}}})
    for target in (root, reply):
        await say(alice, room_id, f"in the thread of {target}", **relates("m.thread", target))
    threads = await alice.call("GET", path(room_id, "threads", "v1"))
    assert [one["event_id"] for one in threads["chunk"]] == [reply, root]


@pytest.mark.both
async def test_edits_that_edit_nothing(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    event_id = await say(alice, room_id, "first")
    first = await edit(alice, room_id, event_id, "second")
    of_edit = await edit(alice, room_id, first, "third")
    assert await edit_of(alice, room_id, event_id) == first
    assert await edit_of(alice, room_id, first) is None
    await edit(bob, room_id, event_id, "by somebody else")
    plain = relates("m.replace", event_id)
    for content in ({}, {"m.new_content": None}, {"m.new_content": ["x"]}):
        await send(alice, room_id, "m.room.message", {"msgtype": "m.text", "body": "* x", **content, **plain})
    new = {"m.new_content": {"msgtype": "m.text", "body": "x"}}
    await send(alice, room_id, "m.sticker", {"body": "x", **new, **plain})
    await set_state(alice, room_id, "m.room.message", {"body": "x", **new, **plain})
    assert await edit_of(alice, room_id, event_id) == first
    second = await edit(alice, room_id, event_id, "fourth")
    assert await edit_of(alice, room_id, event_id) == second
    await redact(alice, room_id, second)
    assert await edit_of(alice, room_id, event_id) == first, "and none of those that edit nothing"
    await redact(alice, room_id, first)
    assert await edit_of(alice, room_id, event_id) is None
    assert await edit_of(alice, room_id, of_edit) is None


async def test_state_is_not_edited(alice: Client) -> None:
    room_id = await create(alice)
    topic = await set_state(alice, room_id, "m.room.topic", {"topic": "first"})
    new = {"topic": "x", "m.new_content": {"topic": "second"}, **relates("m.replace", topic)}
    await send(alice, room_id, "m.room.topic", new)
    await set_state(alice, room_id, "m.room.topic", new)
    assert await edit_of(alice, room_id, topic) is None


async def test_what_is_encrypted_is_edited_unseen(alice: Client) -> None:
    room_id = await create(alice)
    body = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}
    event_id = (await send(alice, room_id, "m.room.encrypted", body))["event_id"]
    edited = await send(alice, room_id, "m.room.encrypted", {**body, **relates("m.replace", event_id)})
    assert await edit_of(alice, room_id, event_id) == edited["event_id"]


async def searched(client: Client, term: str) -> list[Any]:
    """The events that a search finds, once there are any: the index follows the timeline."""
    body = {"search_categories": {"room_events": {"search_term": term}}}
    async with asyncio.timeout(30):
        while True:
            found = await client.call("POST", "search", body=body)
            if results := found["search_categories"]["room_events"]["results"]:
                return [one["result"] for one in results]
            await asyncio.sleep(0.01)


async def everywhere(client: Client, room_id: str, event_id: str) -> dict[str, Any]:
    """An event as each of the reading calls shows it."""
    own = quote(event_id)
    syncs = await client.call("GET", "sync?timeout=0")
    slid = await Slider(client, {"lists": {"all": a_list([0, 9], limit=50)}}).sync()
    events = {
        "event": [await client.call("GET", path(room_id, f"event/{own}"))],
        "context": [(await client.call("GET", path(room_id, f"context/{own}")))["event"]],
        "messages": (await client.call("GET", path(room_id, "messages?dir=b&limit=50")))["chunk"],
        "threads": (await client.call("GET", path(room_id, "threads", "v1")))["chunk"],
        "sync": syncs["rooms"]["join"][room_id]["timeline"]["events"],
        "sliding sync": slid["rooms"][room_id]["timeline"],
        "search": await searched(client, "root"),
    }
    return {name: next(one for one in those if one["event_id"] == event_id) for name, those in events.items()}


async def test_the_latest_of_a_thread_comes_with_its_edit(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    answer = await say(bob, room_id, "old words", **relates("m.thread", root))
    edited = await edit(bob, room_id, answer, "new words")
    noted = await say(alice, room_id, "see above", **relates("m.reference", answer))
    for name, event in (await everywhere(alice, room_id, root)).items():
        latest = event["unsigned"]["m.relations"]["m.thread"]["latest_event"]
        assert latest["event_id"] == answer, name
        more = latest["unsigned"]["m.relations"]
        assert more["m.replace"]["event_id"] == edited, name
        assert more["m.replace"]["content"]["m.new_content"]["body"] == "new words", name
        assert more["m.reference"] == {"chunk": [{"event_id": noted}]}, name
    await redact(bob, room_id, edited)
    for name, event in (await everywhere(alice, room_id, root)).items():
        more = event["unsigned"]["m.relations"]["m.thread"]["latest_event"]["unsigned"]["m.relations"]
        assert set(more) == {"m.reference"}, name


async def test_a_thread_outlives_the_words_of_its_root(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    await edit(alice, room_id, root, "edited")
    answer = await say(bob, room_id, "answer", **relates("m.thread", root))
    await redact(alice, room_id, root)
    for one in (await alice.call("GET", path(room_id, "threads", "v1")))["chunk"]:
        assert one["content"] == {}
        assert set(one["unsigned"]["m.relations"]) == {"m.thread"}
        assert one["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"] == answer
    await redact(bob, room_id, answer)
    assert (await alice.call("GET", path(room_id, "threads", "v1")))["chunk"] == []
    assert await bundled(alice, room_id, root) == {}


async def test_a_thread_that_somebody_ignored_began(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob, carol)
    his, empty = await say(bob, room_id, "noise"), await say(carol, room_id, "alone")
    answer = await say(carol, room_id, "answer", **relates("m.thread", his))
    await say(bob, room_id, "more noise", **relates("m.thread", his))
    await say(bob, room_id, "noise below", **relates("m.thread", empty))
    at = f"user/{quote(alice.user_id)}/account_data/m.ignored_user_list"
    await alice.call("PUT", at, body={"ignored_users": {bob.user_id: {}}})
    found = await alice.call("GET", path(room_id, "threads", "v1"))
    assert [(one["event_id"], one["content"]) for one in found["chunk"]] == [(his, {})]
    thread = found["chunk"][0]["unsigned"]["m.relations"]["m.thread"]
    assert (thread["count"], thread["latest_event"]["event_id"]) == (1, answer)
    assert "noise" not in str(found)

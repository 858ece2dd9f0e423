"""What relates to an event: page by page, through others, and what people ignore of it."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, texts
from tests.api.matrix.slidekit import Slider, a_list
from tests.api.matrix.synckit import Follower


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def relates(rel_type: str, event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": rel_type, "event_id": event_id}}


async def related(client: Client, room_id: str, event_id: str, kind: str = "", **query: Any) -> Any:
    at = path(room_id, f"relations/{quote(event_id)}{kind}", "v1")
    return await client.call("GET", at, params=query)


async def react(client: Client, room_id: str, event_id: str, key: str) -> str:
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}}
    at = path(room_id, f"send/m.reaction/{quote(key)}{quote(event_id)}")
    return str((await client.call("PUT", at, body=content))["event_id"])


async def ignore(client: Client, *others: Client) -> None:
    at = f"user/{quote(client.user_id)}/account_data/m.ignored_user_list"
    await client.call("PUT", at, body={"ignored_users": {one.user_id: {} for one in others}})


async def is_found_nowhere(client: Client, room_id: str, event_id: str) -> None:
    own = quote(event_id)
    at = (path(room_id, f"event/{own}"), path(room_id, f"context/{own}"), f"events/{own}")
    for one in (*at, path(room_id, f"relations/{own}", "v1")):
        assert await client.errcode("GET", one, 404) == "M_NOT_FOUND", one


async def test_relations_of_relations(alice: Client) -> None:
    room_id = await create(alice)
    root = await say(alice, room_id, "root")
    answer = await say(alice, room_id, "answer", **relates("m.thread", root))
    liked = await react(alice, room_id, answer, "+1")
    deep = await say(alice, room_id, "deep", **relates("m.reference", liked))
    beyond = await say(alice, room_id, "beyond", **relates("m.reference", deep))
    plain = await related(alice, room_id, root)
    assert [one["event_id"] for one in plain["chunk"]] == [answer]
    assert "recursion_depth" not in plain
    found = await related(alice, room_id, root, recurse="true", dir="f")
    assert [one["event_id"] for one in found["chunk"]] == [answer, liked, deep]
    assert beyond not in [one["event_id"] for one in found["chunk"]]
    assert found["recursion_depth"] == 3
    liked_only = await related(alice, room_id, root, "/m.annotation", recurse="true")
    assert [one["event_id"] for one in liked_only["chunk"]] == [liked]
    at = path(room_id, f"redact/{quote(liked)}/1")
    await alice.call("PUT", at, body={})
    assert (await related(alice, room_id, answer))["chunk"] == []


async def test_a_page_ends_where_it_is_told_to(alice: Client) -> None:
    room_id = await create(alice)
    root = await say(alice, room_id, "root")
    follower, ids = Follower(alice), []
    for number in range(4):
        ids.append(await react(alice, room_id, root, str(number)))
        if number == 1:
            await follower.sync()
    newer = await related(alice, room_id, root, to=follower.token)
    assert [one["event_id"] for one in newer["chunk"]] == [ids[3], ids[2]]
    older = await related(alice, room_id, root, **{"from": follower.token})
    assert [one["event_id"] for one in older["chunk"]] == [ids[1], ids[0]]
    ahead = await related(alice, room_id, root, dir="f", limit=1, **{"from": follower.token})
    assert [one["event_id"] for one in ahead["chunk"]] == [ids[2]]
    rest = await related(alice, room_id, root, dir="f", **{"from": ahead["next_batch"]})
    assert [one["event_id"] for one in rest["chunk"]] == [ids[3]]


async def test_history_by_relations(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    other = await say(alice, room_id, "other")
    await say(bob, room_id, "answer", **relates("m.thread", root))
    await react(alice, room_id, other, "+1")

    async def history(wanted: str) -> list[str]:
        params = {"dir": "f", "limit": 100, "filter": wanted}
        return texts((await alice.call("GET", path(room_id, "messages"), params=params))["chunk"])

    assert await history('{"rel_types": ["m.thread"]}') == ["answer"]
    assert await history('{"org.matrix.msc3874.rel_types": ["m.thread"]}') == ["answer"]
    plain = '{"org.matrix.msc3874.not_rel_types": ["m.thread"], "types": ["m.room.message"]}'
    assert await history(plain) == ["root", "other"]
    assert await history('{"related_by_rel_types": ["m.thread"]}') == ["root"]
    assert await history(f'{{"related_by_senders": ["{alice.user_id}"]}}') == ["other"]
    both = f'{{"related_by_senders": ["{alice.user_id}"], "related_by_rel_types": ["m.thread"]}}'
    assert await history(both) == []


@pytest.mark.both
async def test_who_is_ignored_is_not_heard(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    root = await say(alice, room_id, "root")
    mine = await say(alice, room_id, "mine", **relates("m.thread", root))
    noise = await say(bob, room_id, "noise")
    await say(bob, room_id, "noisy answer", **relates("m.thread", root))
    await say(bob, room_id, "noisy reference", **relates("m.reference", root))
    his_root = await say(bob, room_id, "noisy root")
    await say(alice, room_id, "in his thread", **relates("m.thread", his_root))
    await create(bob, invite=[alice.user_id], name="noisy invite")
    await bob.call("PUT", f"profile/{quote(bob.user_id)}/displayname", body={"displayname": "Bobby"})
    await ignore(alice, bob)
    answers = [
        await alice.call("GET", path(room_id, "messages"), params={"dir": way, "limit": 100}) for way in "bf"
    ]
    threads, around = path(room_id, "threads", "v1"), path(room_id, f"context/{quote(root)}?limit=50")
    single = ("sync?timeout=0", f"events/{quote(root)}")
    answers += [await alice.call("GET", at) for at in (threads, around, *single)]
    answers.append(await related(alice, room_id, root))
    answers.append(await Slider(alice, {"lists": {"all": a_list([0, 9], limit=50)}}).sync())
    for answer in answers:
        assert "nois" not in str(answer)
    await is_found_nowhere(alice, room_id, his_root)
    last = await alice.call(
        "GET", path(room_id, "timestamp_to_event", "v1"), params={"ts": 2**50, "dir": "b"}
    )
    assert last["event_id"] not in (his_root, noise)
    event = await alice.call("GET", path(room_id, f"event/{quote(root)}"))
    bundle = event["unsigned"]["m.relations"]
    assert set(bundle) == {"m.thread"}
    assert (bundle["m.thread"]["count"], bundle["m.thread"]["latest_event"]["event_id"]) == (1, mine)
    members = [one for one in answers[0]["chunk"] if one["sender"] == bob.user_id]
    assert {one["type"] for one in members} == {"m.room.member"}
    came = await alice.call("GET", path(room_id, f"event/{quote(members[0]['event_id'])}"))
    assert came["sender"] == bob.user_id
    await ignore(alice)
    assert (await alice.call("GET", path(room_id, f"event/{quote(his_root)}")))["event_id"] == his_root
    heard = await alice.call("GET", path(room_id, "messages"), params={"dir": "b", "limit": 100})
    assert "noise" in texts(heard["chunk"])


async def test_a_redacted_edit_leaves_the_one_before(alice: Client) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "first")
    edits = []
    for text in ("second", "third"):
        new = {"m.new_content": {"msgtype": "m.text", "body": text}}
        edits.append(await say(alice, room_id, f"* {text}", **new, **relates("m.replace", event_id)))
    at = path(room_id, f"event/{quote(event_id)}")

    async def edit() -> str | None:
        unsigned = (await alice.call("GET", at))["unsigned"]
        found = unsigned.get("m.relations", {}).get("m.replace")
        return None if found is None else str(found["event_id"])

    assert await edit() == edits[1]
    await alice.call("PUT", path(room_id, f"redact/{quote(edits[1])}/1"), body={})
    assert await edit() == edits[0]
    await alice.call("PUT", path(room_id, f"redact/{quote(edits[0])}/1"), body={})
    assert await edit() is None


async def test_the_same_transaction_names_one_event_by_path(nobody: Client, alice: Client) -> None:
    room_id = await create(alice)
    ids = [await say(alice, room_id, text) for text in ("one", "two")]

    async def redact(client: Client, event_id: str) -> str:
        at = path(room_id, f"redact/{quote(event_id)}/t")
        return str((await client.call("PUT", at, body={}))["event_id"])

    first, second = [await redact(alice, event_id) for event_id in ids]
    assert first != second
    assert await redact(alice, ids[0]) == first
    shown = await alice.call("GET", path(room_id, f"event/{quote(first)}"))
    assert shown["unsigned"]["transaction_id"] == "t"
    body = {"msgtype": "m.text", "body": "x"}
    sends = [path(room_id, f"send/{kind}/t") for kind in ("m.room.message", "a.b")]
    sent = [(await alice.call("PUT", at, body=body))["event_id"] for at in sends]
    assert len({*sent, first, second}) == 4
    assert (await alice.call("PUT", sends[0], body={}))["event_id"] == sent[0]
    other = await nobody.login("alice")
    assert (await other.call("PUT", sends[0], body=body))["event_id"] != sent[0]


NO_EVENTS: list[tuple[str, int, str]] = [
    ('{"body": 1.5}', 400, "M_BAD_JSON"),
    ('{"body": 1.0}', 400, "M_BAD_JSON"),
    ('{"body": 9007199254740992}', 400, "M_BAD_JSON"),
    ('{"body": -9007199254740992}', 400, "M_BAD_JSON"),
    ('{"body": 99999999999999999999999}', 400, "M_BAD_JSON"),
    ('{"body": NaN}', 400, "M_NOT_JSON"),
    ('{"body": Infinity}', 400, "M_NOT_JSON"),
    ('{"body": "\udcff"}', 400, "M_NOT_JSON"),
    ("[]", 400, "M_NOT_JSON"),
    ('{"body": "' + 65_536 * "x" + '"}', 413, "M_TOO_LARGE"),
]


async def test_what_is_no_event_is_refused(alice: Client) -> None:
    room_id = await create(alice)
    for raw, status, code in NO_EVENTS:
        for at in ("send/m.room.message/1", "state/a.b/key"):
            data = raw.encode(errors="surrogateescape")
            assert await alice.errcode("PUT", path(room_id, at), status, data=data) == code, raw[:100]
    page = await alice.call("GET", path(room_id, "messages"), params={"dir": "b", "limit": 1})
    assert page["chunk"][0]["type"] != "m.room.message"

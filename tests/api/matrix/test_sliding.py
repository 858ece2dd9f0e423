"""Following by sliding sync: windows, what was told of each room, and nothing twice."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, texts
from tests.api.matrix.slidekit import ALL_STATE, PATH, Slider, a_list, ids
from tests.api.matrix.synckit import judged, spent

pytestmark = pytest.mark.both


@pytest.fixture
async def bob(nobody: Client) -> Client:
    return await nobody.register("bob")


def forget(server: Running) -> None:
    """What connections were told is read from the database next, as another worker does."""
    server.hs.sliding.connections._read.clear()


async def test_a_conversation(alice: Client, bob: Client) -> None:
    room_id = await create(alice, name="Lunch", invite=[bob.user_id])
    his = Slider(bob, {"lists": {"all": a_list([0, 20], state=[["m.room.name", ""]])}})
    first = await his.sync()
    assert first["lists"] == {"all": {"count": 1}}
    invite = first["rooms"][room_id]
    assert (invite["membership"], invite["initial"], invite["lists"]) == ("invite", True, ["all"])
    assert {"m.room.create", "m.room.name", "m.room.member"} <= {
        one["type"] for one in invite["invite_state"]
    }
    assert "timeline" not in invite

    await bob.call("POST", path(room_id, "join"), body={})
    room = (await his.sync())["rooms"][room_id]
    assert room["initial"]
    assert room["name"] == "Lunch"
    assert (room["joined_count"], room["invited_count"]) == (2, 0)
    assert room["timeline"][-1]["content"]["membership"] == "join"
    assert [one["type"] for one in room["required_state"]] == ["m.room.name"]
    waiting = asyncio.create_task(his.until(lambda answer: answer["rooms"]))
    sent = await say(alice, room_id, "hello")
    heard = (await waiting)[room_id]
    assert ids(heard["timeline"]) == [sent]
    assert "initial" not in heard
    assert "name" not in heard
    assert (heard["num_live"], heard["limited"], heard["notification_count"]) == (1, False, 1)
    assert heard["bump_stamp"] > room["bump_stamp"]

    before = his.pos
    silent = await his.sync(50)
    assert (silent["pos"], silent["rooms"]) == (before, {})
    await alice.call("PUT", path(room_id, "state/m.room.name"), body={"name": "Dinner"})
    changed = (await his.sync())["rooms"][room_id]
    assert changed["name"] == "Dinner"
    assert changed["bump_stamp"] == heard["bump_stamp"]
    versions = await alice.call("GET", "/_matrix/client/versions")
    assert versions["unstable_features"]["org.matrix.simplified_msc3575"] is True


async def test_a_lost_answer_is_given_again(server: Running, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    his = Slider(bob, {"lists": {"all": a_list([0, 20])}})
    await his.sync()
    before, sent = his.pos, await say(alice, room_id, "one")
    other = await create(alice, bob)
    for _ in range(2):
        his.pos = before
        forget(server)
        rooms = (await his.sync())["rooms"]
        assert ids(rooms[room_id]["timeline"]) == [sent]
        assert rooms[other]["initial"]
    assert (await his.sync())["rooms"] == {}
    third = await create(alice, bob)
    assert set((await his.sync())["rooms"]) == {third}
    forget(server)
    for strange in (before, "p1_2_nothing", "nonsense"):
        his.pos = strange
        error = await his.sync(status=400)
        assert error["errcode"] == "M_UNKNOWN_POS"
    anew = Slider(bob, {**his.body, "conn_id": "other"})
    assert set((await anew.sync())["rooms"]) == {room_id, other, third}


async def test_a_window_is_moved(alice: Client, bob: Client) -> None:
    rooms = [await create(alice, bob, name=str(number)) for number in range(4)]
    his = Slider(bob, {"lists": {"all": a_list([0, 1], limit=1)}})
    first = await his.sync()
    assert (list(first["rooms"]), first["lists"]["all"]["count"]) == ([rooms[3], rooms[2]], 4)
    wider = await his.sync(lists={"all": a_list([0, 1], [3, 3], limit=1)})
    assert list(wider["rooms"]) == [rooms[0]]
    texts_sent = [await say(alice, rooms[0], str(number)) for number in range(3)]
    assert await his.sync(lists={"all": a_list([1, 2], limit=1)})
    his.body = {"lists": {"all": a_list([0, 3], limit=5)}}
    back = (await his.sync())["rooms"]
    assert set(back) == set(rooms)
    assert ids(back[rooms[0]]["timeline"])[-3:] == texts_sent
    assert back[rooms[0]]["num_live"] == 3
    assert (await his.sync())["rooms"] == {}


async def test_a_room_out_of_sight_comes_back_without_a_gap(alice: Client, bob: Client) -> None:
    here, there = await create(alice, bob, name="a"), await create(alice, bob, name="b")
    only = [{"lists": {"one": a_list(room_name_like=name)}} for name in ("a", "b")]
    his = Slider(bob, only[0])
    await his.sync()
    first = (await his.sync(lists=only[1]["lists"]))["rooms"]
    assert set(first) == {there}
    sent = [await say(alice, here, text) for text in ("one", "two")]
    await say(alice, there, "three")
    assert set((await his.sync(lists=only[1]["lists"]))["rooms"]) == {there}
    sent.append(await say(alice, here, "four"))
    back = (await his.sync())["rooms"]
    assert ids(back[here]["timeline"]) == sent
    assert "initial" not in back[here]


async def test_more_of_a_room_is_asked_for(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob, name="Hall", topic="news")
    sent = [await say(alice, room_id, str(number)) for number in range(8)]
    his = Slider(bob, {"lists": {"all": a_list([0, 9], limit=1, state=[["m.room.name", ""]])}})
    first = (await his.sync())["rooms"][room_id]
    assert (ids(first["timeline"]), first["limited"]) == (sent[-1:], True)
    his.body["room_subscriptions"] = {
        room_id: {"timeline_limit": 5, "required_state": [["m.room.topic", ""], ["m.room.member", "$ME"]]}
    }
    more = (await his.sync())["rooms"][room_id]
    assert more["unstable_expanded_timeline"]
    assert "initial" not in more
    assert (ids(more["timeline"]), more["num_live"]) == (sent[-5:], 0)
    assert {(one["type"], one["state_key"]) for one in more["required_state"]} == {
        ("m.room.topic", ""),
        ("m.room.member", bob.user_id),
    }
    assert (await his.sync())["rooms"] == {}
    sent.append(await say(alice, room_id, "8"))
    assert ids((await his.sync())["rooms"][room_id]["timeline"]) == sent[-1:]
    back = {"dir": "b", "from": more["prev_batch"], "limit": "2"}
    earlier = await bob.call("GET", path(room_id, "messages"), params=back)
    assert texts(earlier["chunk"]) == ["2", "1"]
    assert await bob.call("GET", path(room_id, "messages"), params={"dir": "b", "from": his.pos})


async def test_going_and_being_put_out(alice: Client, bob: Client) -> None:
    kicked, left, refused = [await create(alice, bob), await create(alice, bob), ""]
    refused = await create(alice, invite=[bob.user_id])
    his = Slider(bob, {"lists": {"all": a_list([0, 9])}})
    assert set((await his.sync())["rooms"]) == {kicked, left, refused}
    last = await say(alice, kicked, "last")
    await alice.call("POST", path(kicked, "kick"), body={"user_id": bob.user_id})
    await say(alice, kicked, "secret")
    await alice.call("PUT", path(kicked, "state/m.room.topic"), body={"topic": "secret"})
    for room_id in (left, refused):
        await bob.call("POST", path(room_id, "leave"), body={})
    answer = await his.sync()
    rooms = answer["rooms"]
    assert {room["membership"] for room in rooms.values()} == {"leave"}
    assert ids(rooms[kicked]["timeline"])[0] == last
    for room in rooms.values():
        (own,) = [one for one in room["required_state"] if one["type"] == "m.room.member"]
        assert own["content"]["membership"] == "leave"
    after = await his.sync()
    assert (after["rooms"], after["lists"]["all"]["count"]) == ({}, 1)
    anew = await Slider(bob, his.body).sync()
    assert set(anew["rooms"]) == {kicked}
    assert "secret" not in str(anew)
    await alice.call("POST", path(left, "invite"), body={"user_id": bob.user_id})
    await bob.call("POST", path(left, "join"), body={})
    assert (await his.sync())["rooms"][left]["initial"]
    await alice.call("POST", path(refused, "ban"), body={"user_id": bob.user_id})
    assert refused not in (await his.sync())["rooms"]


async def test_a_forgotten_room_is_in_no_list(alice: Client, bob: Client) -> None:
    kicked, left = await create(alice, bob), await create(alice, bob)
    await say(alice, kicked, "history")
    request = {"lists": {"all": a_list([0, 9])}, "room_subscriptions": {kicked: a_list()}}
    his, other = Slider(bob, request), Slider(await bob.login("bob"), request)
    for one in (his, other):
        assert set((await one.sync())["rooms"]) == {kicked, left}
    await alice.call("POST", path(kicked, "kick"), body={"user_id": bob.user_id})
    for one in (his, other):
        assert (await one.sync())["rooms"][kicked]["membership"] == "leave"
        assert (await one.sync())["lists"]["all"]["count"] == 2
    waiting = asyncio.create_task(other.sync(30_000))
    await bob.call("POST", path(kicked, "forget"), body={})
    async with asyncio.timeout(20):
        assert (await waiting)["lists"]["all"]["count"] == 1
    await say(alice, left, "not told yet")
    for step in ("leave", "forget"):
        await bob.call("POST", path(left, step), body={})
    for one in (his, other, Slider(bob, request)):
        answer, follows = await one.sync(), bool(one.rooms)
        told = {room_id: room["membership"] for room_id, room in answer["rooms"].items()}
        assert told == ({left: "leave"} if follows else {}), "who follows hears that he left"
        assert "not told yet" not in str(answer)
        again = await one.sync()
        assert (again["rooms"], again["lists"]["all"]["count"]) == ({}, 0)
    await alice.call("POST", path(kicked, "invite"), body={"user_id": bob.user_id})
    await bob.call("POST", path(kicked, "join"), body={})
    for one in (his, other):
        room = (await one.sync())["rooms"][kicked]
        assert (room["initial"], room["membership"]) == (True, "join")
        assert "history" in texts(room["timeline"])


async def test_members_and_names(nobody: Client, alice: Client, bob: Client) -> None:
    carol = await nobody.register("carol")
    room_id = await create(alice, bob, carol)
    await say(bob, room_id, "one")
    lazy = [["*", "*"], ["m.room.member", "$LAZY"]]
    hers = Slider(alice, {"lists": {"all": a_list([0, 9], limit=1, state=lazy)}})
    room = (await hers.sync())["rooms"][room_id]
    assert [one["user_id"] for one in room["heroes"]] == [bob.user_id, carol.user_id]
    assert room["heroes"][0]["displayname"] == bob.name
    assert {"m.room.create", "m.room.power_levels"} <= {one["type"] for one in room["required_state"]}
    known = {key for kind, key in hers.state[room_id] if kind == "m.room.member"}
    assert alice.user_id not in known
    assert bob.user_id in known
    await say(carol, room_id, "two")
    assert (await hers.sync())["rooms"][room_id]["required_state"] == []  # she is known as a hero
    assert ("m.room.member", carol.user_id) in hers.state[room_id]
    await bob.call("POST", path(room_id, "leave"), body={})
    room = (await hers.sync())["rooms"][room_id]
    assert (room["joined_count"], [one["user_id"] for one in room["heroes"]]) == (2, [carol.user_id])
    picture = {"url": "mxc://example.org/picture"}
    for content, told in ((picture, picture["url"]), ({}, None)):
        await alice.call("PUT", path(room_id, "state/m.room.avatar"), body=content)
        assert (await hers.sync())["rooms"][room_id]["avatar"] == told


async def test_a_known_member_is_not_told_again(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob, carol, name="Hall")
    for text in ("zero", "one"):
        await say(bob, room_id, text)
    lazy = [["m.room.member", "$LAZY"]]
    hers = Slider(alice, {"lists": {"all": a_list([0, 9], limit=2, state=lazy)}})

    async def people() -> set[str]:
        room = (await hers.sync())["rooms"][room_id]
        return {one["state_key"] for one in room["required_state"]}

    await hers.sync()
    await say(carol, room_id, "two")
    lost = hers.pos
    assert await people() == {carol.user_id}
    hers.pos = lost
    assert await people() == {carol.user_id}
    await say(carol, room_id, "three")
    assert await people() == set()
    # What changed within a gap is not told by itself, so all who speak after it are.
    member = {"membership": "join", "displayname": "C."}
    await set_state(carol, room_id, "m.room.member", member, carol.user_id)
    for text in ("four", "five", "six"):
        await say(carol, room_id, text)
    assert await people() == {carol.user_id}
    assert hers.state[room_id]["m.room.member", carol.user_id]["content"]["displayname"] == "C."
    # So are they after a time without lazy loading, and to a client that begins anew.
    await say(carol, room_id, "seven")
    assert await people() == set()
    for state in ((), lazy):
        hers.body["lists"]["all"] = a_list([0, 9], limit=2, state=state)
        await say(carol, room_id, f"with {state}")
        found = await people()
    assert found == {carol.user_id}
    hers.pos = ""
    assert await people() == {carol.user_id}


async def test_filters(alice: Client, bob: Client) -> None:
    space = await create(alice, bob, creation_content={"type": "m.space"}, name="Space")
    sealed = await create(
        alice,
        bob,
        initial_state=[{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}],
        name="Sealed",
    )
    direct, plain = await create(alice, bob, name="Direct"), await create(alice, bob, name="Plain")
    asked = await create(alice, invite=[bob.user_id])
    await alice.call("PUT", path(space, f"state/m.space.child/{quote(plain)}"), body={"via": ["x"]})
    mine = f"user/{quote(bob.user_id)}"
    await bob.call("PUT", f"{mine}/account_data/m.direct", body={alice.user_id: [direct]})
    await bob.call("PUT", f"{mine}/rooms/{quote(plain)}/tags/m.favourite", body={})
    his = Slider(bob)
    for filters, found in (
        ({"is_dm": True}, {direct}),
        ({"is_encrypted": True}, {sealed}),
        ({"is_encrypted": False, "not_room_types": ["m.space"], "is_invite": False}, {direct, plain}),
        ({"room_types": ["m.space"]}, {space}),
        ({"room_types": [None], "is_invite": True}, {asked}),
        ({"spaces": [space]}, {plain}),
        ({"spaces": ["!elsewhere:x"]}, set()),
        ({"tags": ["m.favourite"]}, {plain}),
        ({"not_tags": ["m.favourite"], "is_dm": False, "room_name_like": "SP"}, {space}),
    ):
        answer = await his.sync(lists={"some": a_list([0, 9], **filters)}, conn_id=str(filters))
        assert set(answer["rooms"]) == found, filters
        his.pos = ""
    assert answer["rooms"][space].get("is_dm") is None
    his.body = {"lists": {"all": a_list(limit=1)}}
    assert (await his.sync())["rooms"][direct]["is_dm"]
    await alice.call(
        "PUT", path(plain, "state/m.room.encryption"), body={"algorithm": "m.megolm.v1.aes-sha2"}
    )
    await bob.call("PUT", f"{mine}/account_data/m.direct", body={alice.user_id: [plain]})
    rooms = (await his.sync())["rooms"]
    assert (rooms[plain]["is_dm"], rooms[direct]["is_dm"]) == (True, False)
    answer = await Slider(bob).sync(lists={"some": a_list(is_encrypted=True)})
    assert set(answer["rooms"]) == {sealed, plain}


async def test_bad_wishes_and_strangers(alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    his = Slider(bob, {"room_subscriptions": {room_id: {"timeline_limit": 9, "required_state": ALL_STATE}}})
    assert (await his.sync())["rooms"] == {}
    bad: tuple[dict[str, Any], ...] = (
        {"lists": {"a": {"ranges": [[-1, 2]]}}},
        {"lists": {"a": {"timeline_limit": -1}}},
        {"lists": {str(number): {} for number in range(101)}},
        {"room_subscriptions": {room_id: {"required_state": [["m.room.name", 1]]}}},
        {"extensions": {"to_device": {"since": "x"}}},
    )
    for body in bad:
        assert await bob.errcode("POST", PATH, 400, body=body) == "M_BAD_JSON"


def cost(server: Running) -> int:
    return spent(server, PATH, "POST")


@pytest.mark.own_server
async def test_many_rooms_cost_as_many_statements_as_one(server: Running, alice: Client, bob: Client) -> None:
    lazy = [["m.room.name", ""], ["m.room.member", "$LAZY"]]
    rooms: list[str] = []
    counts = []
    extensions = {name: {"enabled": True} for name in ("account_data", "receipts", "typing", "e2ee")}
    his = Slider(bob, {"lists": {"all": a_list([0, 20], state=lazy)}, "extensions": extensions})
    await his.sync()
    for more in (1, 5):
        rooms += [await create(alice, bob) for _ in range(more)]
        for room_id in rooms:
            await say(alice, room_id, f"hello {more}")
        anew = Slider(bob, his.body)
        await judged(server)
        first = cost(server)
        assert len((await anew.sync())["rooms"]) == len(rooms)
        second = cost(server)
        for room_id in rooms:
            await say(alice, room_id, f"again {more}")
        await judged(server)
        third = cost(server)
        assert len((await anew.sync())["rooms"]) == len(rooms)
        counts.append((second - first, cost(server) - third))
    assert counts[0] == counts[1]

"""Coming and going: forgotten rooms, knocks, invites, restricted rooms, and the rooms of the product APIs."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, state, texts
from tests.api.matrix.synckit import Follower
from tests.names import fresh

LEFT = '{"room":{"include_leave":true}}'


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "m.room.join_rules", "content": {"join_rule": name, **more}}


def knock(room_id: str) -> str:
    return f"knock/{quote(room_id, safe='')}"


async def act(client: Client, room_id: str, step: str, target: Client | None = None, **more: Any) -> Any:
    body = {"user_id": target.user_id, **more} if target is not None else more
    return await client.call("POST", path(room_id, step), body=body)


async def refused(client: Client, room_id: str, step: str, status: int = 403, **body: Any) -> str:
    return await client.errcode("POST", path(room_id, step), status, body=body)


async def test_a_forgotten_room(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob)
    await say(alice, room_id, "before")
    follower = Follower(bob)
    await follower.sync()
    assert await refused(bob, room_id, "forget", 400) == "M_UNKNOWN"
    await say(alice, room_id, "not told yet")
    await act(bob, room_id, "leave")
    await bob.call("GET", path(room_id, "messages"), params={"dir": "b"})
    assert room_id in (await Follower(bob).sync(filter=LEFT))["rooms"]["leave"]
    await act(bob, room_id, "forget")
    await act(bob, room_id, "forget")
    for rest in ("messages?dir=b", "state", "members", "state/m.room.name"):
        assert await bob.errcode("GET", path(room_id, rest), 403) == "M_FORBIDDEN"
    assert "rooms" not in await Follower(bob).sync(filter=LEFT)
    told = await follower.sync()
    assert list(told["rooms"]["leave"]) == [room_id], "his other device hears that he left"
    assert "not told yet" not in str(told)
    assert await refused(carol, room_id, "forget", 404) == "M_NOT_FOUND"
    await act(alice, room_id, "invite", bob)
    assert room_id in (await follower.sync())["rooms"]["invite"]
    await act(bob, room_id, "join")
    await say(alice, room_id, "again")
    page = await bob.call("GET", path(room_id, "messages"), params={"dir": "b"})
    assert texts(page["chunk"]) == ["again", "not told yet", "before"]
    assert room_id in (await Follower(bob).sync())["rooms"]["join"]
    await act(alice, room_id, "leave")
    await act(bob, room_id, "invite", alice)
    await act(alice, room_id, "join")  # who made it comes back like anybody


async def test_one_may_forget_what_one_was_put_out_of_or_never_in(alice: Client, bob: Client) -> None:
    kicked, banned, asked = [await create(alice, bob) for _ in range(2)] + [await create(alice)]
    await act(alice, kicked, "kick", bob)
    await act(alice, banned, "ban", bob)
    await act(alice, asked, "invite", bob)
    assert await refused(bob, asked, "forget", 400) == "M_UNKNOWN"
    await act(bob, asked, "leave")
    for room_id in (kicked, banned, asked):
        await act(bob, room_id, "forget")
    assert "rooms" not in await Follower(bob).sync(filter=LEFT)


async def test_knocks(alice: Client, bob: Client) -> None:
    room_id = await create(alice, initial_state=[rule("knock")], name="Club")
    hers, his = Follower(alice), Follower(bob)
    await hers.sync()
    await his.sync()
    assert await refused(bob, room_id, "join") == "M_FORBIDDEN"
    assert await bob.call("POST", knock(room_id), body={}) == {"room_id": room_id}
    await bob.call("POST", knock(room_id), body={"reason": "please"})
    told = (await hers.sync())["rooms"]["join"][room_id]["timeline"]["events"][-1]
    assert (told["content"]["membership"], told["content"]["reason"]) == ("knock", "please")
    knocked = (await his.sync())["rooms"]["knock"][room_id]["knock_state"]["events"]
    assert {"m.room.name", "m.room.create", "m.room.join_rules", "m.room.member"} == {
        one["type"] for one in knocked
    }
    await act(bob, room_id, "leave")
    assert (await state(alice, room_id, "m.room.member", bob.user_id))["membership"] == "leave"
    await bob.call("POST", knock(room_id), body={})
    await act(alice, room_id, "kick", bob, reason="no")  # refused
    await bob.call("POST", knock(room_id), body={})
    await act(alice, room_id, "invite", bob)
    assert await bob.errcode("POST", knock(room_id), 403, body={}) == "M_FORBIDDEN"
    await act(bob, room_id, "join")
    assert await bob.errcode("POST", knock(room_id), 403, body={}) == "M_FORBIDDEN"
    await act(alice, room_id, "ban", bob)
    assert await bob.errcode("POST", knock(room_id), 403, body={}) == "M_FORBIDDEN"
    for name, version in (("public", "11"), ("invite", "11"), ("knock", "6")):
        other = await create(alice, initial_state=[rule(name)], room_version=version)
        assert await bob.errcode("POST", knock(other), 403, body={}) == "M_FORBIDDEN"


@pytest.mark.parametrize("name", ["restricted", "knock_restricted"])
async def test_restricted_rooms(alice: Client, bob: Client, carol: Client, name: str) -> None:
    club = await create(alice, visibility="public")
    allow = [{"type": "m.room_membership", "room_id": club}]
    room_id = await create(alice, initial_state=[rule(name, allow=allow)], room_version="10")
    assert await refused(bob, room_id, "join") == "M_FORBIDDEN"
    await act(bob, club, "join")
    await act(bob, room_id, "join")
    joined = await state(alice, room_id, "m.room.member", bob.user_id)
    assert joined["join_authorised_via_users_server"] == alice.user_id
    await act(bob, room_id, "leave")
    await act(bob, club, "leave")
    assert await refused(bob, room_id, "join") == "M_FORBIDDEN"
    await act(alice, room_id, "invite", bob)
    await act(bob, room_id, "join")
    await act(carol, club, "join")
    for malformed in ("nonsense", ["x", 1, {"type": "m.room_membership"}], [{"room_id": club}]):
        await set_state(alice, room_id, "m.room.join_rules", {"join_rule": name, "allow": malformed})
        assert await refused(carol, room_id, "join") == "M_FORBIDDEN"
    knocked = await carol.call("POST", knock(room_id), 200 if name == "knock_restricted" else 403, body={})
    assert ("room_id" in knocked) == (name == "knock_restricted")


@pytest.mark.parametrize("version", ["11", "12"])
async def test_anybody_with_the_power_to_invite_lets_people_in(
    alice: Client, bob: Client, carol: Client, version: str
) -> None:
    club = await create(bob, visibility="public")
    allow = [{"type": "m.room_membership", "room_id": club}]
    room_id = await create(alice, bob, room_version=version, initial_state=[rule("restricted", allow=allow)])
    levels = await state(alice, room_id, "m.room.power_levels")
    levels.update(invite=40, users={**levels["users"], bob.user_id: 40})
    await set_state(alice, room_id, "m.room.power_levels", levels)
    await act(alice, room_id, "leave")
    await act(carol, club, "join")
    await act(carol, room_id, "join")
    joined = await state(bob, room_id, "m.room.member", carol.user_id)
    assert joined["join_authorised_via_users_server"] == bob.user_id


@pytest.mark.parametrize("version", ["11", "12"])
@pytest.mark.both
async def test_what_is_told_with_an_invite(alice: Client, bob: Client, version: str) -> None:
    more = [{"type": "m.room.avatar", "content": {"url": "mxc://test.example/a"}}, rule("knock")]
    more.append({"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}})
    request = {
        "name": "N",
        "topic": "T",
        "room_alias_name": fresh("r"),
        "initial_state": more,
        "is_direct": True,
    }
    follower = Follower(bob)
    await follower.sync()
    body = {"invite": [bob.user_id], "room_version": version, **request}
    room_id = (await alice.call("POST", "createRoom", body=body))["room_id"]
    told = (await follower.sync())["rooms"]["invite"][room_id]["invite_state"]["events"]
    found = {(one["type"], one["state_key"]): one for one in told}
    kinds = ("name", "avatar", "topic", "join_rules", "canonical_alias", "encryption", "create")
    people = (alice.user_id, bob.user_id)
    assert set(found) == {
        *((f"m.room.{kind}", "") for kind in kinds),
        *(("m.room.member", one) for one in people),
    }
    own = found["m.room.member", bob.user_id]["content"]
    assert (own["membership"], own["is_direct"]) == ("invite", True)
    assert set(found["m.room.name", ""]) == {"type", "state_key", "content", "sender"}
    create_event = found["m.room.create", ""]
    assert {"origin_server_ts", "hashes", "signatures", "auth_events", "prev_events", "depth"} <= set(
        create_event
    )
    assert ("room_id" in create_event) == (version != "12")
    await act(bob, room_id, "join")
    (joined,) = [
        one
        for one in (await follower.sync())["rooms"]["join"][room_id]["timeline"]["events"]
        if one.get("state_key") == bob.user_id and one["content"]["membership"] == "join"
    ]
    assert joined["unsigned"]["prev_content"]["is_direct"] is True


async def test_invites_that_cannot_be(alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    third = {"id_server": "id.example", "id_access_token": "x", "medium": "email", "address": "a@b.example"}
    assert await refused(alice, room_id, "invite", 400, **third) == "M_THREEPID_DENIED"
    assert (await alice.call("POST", path(room_id, "invite"), 400, body={}))["errcode"] == "M_BAD_JSON"
    assert await refused(alice, room_id, "invite", user_id=alice.user_id) == "M_FORBIDDEN"
    await act(alice, room_id, "invite", bob)
    await act(alice, room_id, "leave")
    await act(bob, room_id, "leave")  # an invite into an empty room is refused all the same
    assert await refused(bob, room_id, "join") == "M_FORBIDDEN"
    assert await refused(alice, room_id, "join") == "M_FORBIDDEN"


@pytest.mark.own_server
async def test_rooms_of_applications_are_not_published(alice: Client, bob: Client) -> None:
    number = (await bob.call("GET", "/api/v1/users/me"))["id"]
    body = {"title": "Group", "user_ids": [number]}
    await alice.call("POST", "/api/v1/chats/group", body=body)
    room_id = (await alice.call("GET", "joined_rooms"))["joined_rooms"][0]
    listed = f"directory/list/room/{quote(room_id, safe='')}"
    assert await alice.errcode("PUT", listed, 403, body={}) == "M_FORBIDDEN"
    await alice.call("PUT", listed, body={"visibility": "private"})
    assert (await alice.call("GET", "publicRooms"))["chunk"] == []


async def test_a_private_chat_that_was_left_begins_anew(alice: Client, bob: Client) -> None:
    numbers = [(await one.call("GET", "/api/v1/users/me"))["id"] for one in (alice, bob)]
    direct = {"user_id": numbers[1]}
    first = await alice.call("POST", "/api/v1/chats/direct", body=direct)
    room_id = (await bob.call("GET", "joined_rooms"))["joined_rooms"][0]
    await act(bob, room_id, "leave")
    await act(bob, room_id, "forget")
    second = await bob.call("POST", "/api/v1/chats/direct", body={"user_id": numbers[0]})
    assert second["id"] != first["id"]
    await act(alice, (await bob.call("GET", "joined_rooms"))["joined_rooms"][0], "leave")

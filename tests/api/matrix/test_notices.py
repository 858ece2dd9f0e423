"""Notices of the server: admins say them, people get them in a room that they cannot refuse and cannot write in."""

import asyncio
from typing import Any

import pytest

from homeserver.app import build
from homeserver.errors import Conflict
from homeserver.lifecycle import Running, working
from homeserver.protocol.ids import UserId
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, texts
from tests.api.matrix.synckit import Follower, joined, judged

SEND = "/_synapse/admin/v1/send_server_notice"
SPEAKER = "@notices:test.example"


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"notices": {"enabled": True, "room_name": "From the operators"}}


@pytest.fixture
async def admin(server: Running, nobody: Client) -> Client:
    made = await nobody.register("admin")
    await server.hs.accounts.accounts.set_admin(UserId(made.user_id), admin=True)
    return made


def notice(to: Client, text: str, **more: Any) -> dict[str, Any]:
    return {"user_id": to.user_id, "content": {"msgtype": "m.text", "body": text}, **more}


@pytest.mark.both
async def test_people_are_told_things(admin: Client, alice: Client) -> None:
    said = await admin.call("PUT", f"{SEND}/1", body=notice(alice, "The server sleeps at night"))
    assert await admin.call("PUT", f"{SEND}/1", body=notice(alice, "The server sleeps at night")) == said
    hers = Follower(alice)
    invites = (await hers.sync())["rooms"]["invite"]
    ((room_id, invite),) = invites.items()
    assert {"From the operators", SPEAKER} <= {
        one["content"].get("name", one["sender"]) for one in invite["invite_state"]["events"]
    }
    tags = f"user/{alice.user_id}/rooms/{room_id}/tags"
    assert await alice.call("GET", tags) == {"tags": {"m.server_notice": {}}}

    code = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
    own = path(room_id, f"state/m.room.member/{alice.user_id}")
    assert await alice.errcode("POST", path(room_id, "leave"), 403, body={}) == code
    assert await alice.errcode("PUT", own, 403, body={"membership": "leave"}) == code
    await alice.call("POST", path(room_id, "join"), body={})
    room = joined(await hers.sync(), room_id)
    assert texts(room["timeline"]["events"]) == ["The server sleeps at night"]
    body = {"msgtype": "m.text", "body": "Why?"}
    assert await alice.errcode("PUT", path(room_id, "send/m.room.message/1"), 403, body=body) == "M_FORBIDDEN"
    invite_body = {"user_id": admin.user_id}
    assert await alice.errcode("POST", path(room_id, "invite"), 403, body=invite_body) == "M_FORBIDDEN"

    await alice.call("POST", path(room_id, "leave"), body={})
    again = notice(alice, "Good morning", type="org.example.morning")
    said = await admin.call("PUT", f"{SEND}/2", body=again)
    assert list((await hers.sync())["rooms"]["invite"]) == [room_id]
    assert await admin.call("PUT", f"{SEND}/2", body=again) == said
    await alice.call("POST", path(room_id, "join"), body={})
    assert (await alice.call("GET", path(room_id, f"event/{said['event_id']}")))["type"] == again["type"]


async def test_notices_cannot_be_ignored(server: Running, admin: Client, alice: Client, bob: Client) -> None:
    ignored: dict[str, Any] = {"ignored_users": {SPEAKER: {}, bob.user_id: {}}}
    await alice.call("PUT", f"user/{alice.user_id}/account_data/m.ignored_user_list", body=ignored)
    await create(bob, invite=[alice.user_id])
    await admin.call("POST", SEND, body=notice(alice, "one"))
    hers = Follower(alice)
    (room_id,) = (await hers.sync())["rooms"]["invite"]
    await alice.call("POST", path(room_id, "join"), body={})
    assert texts(joined(await hers.sync(), room_id)["timeline"]["events"]) == ["one"]
    await admin.call("POST", SEND, body=notice(alice, "two"))
    assert texts(joined(await hers.sync(), room_id)["timeline"]["events"]) == ["two"]
    await judged(server)
    notified = (await alice.call("GET", "notifications"))["notifications"]
    assert "two" in [one["event"]["content"].get("body") for one in notified]


@pytest.mark.both
async def test_many_first_notices_make_one_room(admin: Client, alice: Client) -> None:
    await asyncio.gather(*(admin.call("POST", SEND, body=notice(alice, str(n))) for n in range(4)))
    invites = (await Follower(alice).sync())["rooms"]["invite"]
    assert len(invites) == 1
    (room_id,) = invites
    await alice.call("POST", path(room_id, "join"), body={})
    told = texts(joined(await Follower(alice).sync(), room_id)["timeline"]["events"])
    assert sorted(told) == ["0", "1", "2", "3"]


async def test_who_may_not(admin: Client, alice: Client, nobody: Client) -> None:
    request = notice(admin, "Do this")
    assert await alice.errcode("POST", SEND, 403, body=request) == "M_FORBIDDEN"
    assert await nobody.errcode("POST", SEND, 401, body=request) == "M_MISSING_TOKEN"
    assert (await Follower(admin).sync()).get("rooms", {}).get("invite", {}) == {}
    for user_id, status, code in (
        ("@nobody:test.example", 404, "M_NOT_FOUND"),
        ("@alice:elsewhere.example", 400, "M_INVALID_PARAM"),
        (SPEAKER, 400, "M_INVALID_PARAM"),
    ):
        assert await admin.errcode("POST", SEND, status, body={**request, "user_id": user_id}) == code
    name = {"username": "notices", "password": "correct horse battery"}
    assert await nobody.errcode("POST", "register", 400, body=name) == "M_USER_IN_USE"
    mine = await create(alice, invite=[admin.user_id], creation_content={"type": "notices"})
    await admin.call("POST", path(mine, "leave"), body={})


@pytest.mark.both
@pytest.mark.own_server
async def test_the_account_follows_the_settings(server: Running, admin: Client, alice: Client) -> None:
    await admin.call("POST", SEND, body=notice(alice, "one"))
    changed = server.hs.settings.notices.model_copy(update={"display_name": "The operators"})
    second = build(server.hs.settings.model_copy(update={"notices": changed}), clock=server.hs.core.clock)
    async with working(second):
        people = await second.accounts.profiles.people([UserId(SPEAKER)])
        assert people[UserId(SPEAKER)].display_name == "The operators"
    taken = changed.model_copy(update={"localpart": alice.name})
    third = build(server.hs.settings.model_copy(update={"notices": taken}), clock=server.hs.core.clock)
    with pytest.raises(Conflict, match="is a user's account"):
        async with working(third):
            pass


@pytest.mark.parametrize("overrides", [{}])
async def test_by_default_there_are_none(admin: Client, alice: Client) -> None:
    assert await admin.errcode("POST", SEND, 404, body=notice(alice, "no")) == "M_NOT_FOUND"

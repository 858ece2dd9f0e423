"""What guests try to see and do that they must not."""

from urllib.parse import quote

import pytest

from homeserver.faces import make_faces
from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state, texts
from tests.api.matrix.test_guest_table import bare
from tests.api.matrix.test_guests import GUEST_REFUSED, GUESTS
from tests.api.matrix.test_intruders import told
from tests.api.matrix.test_table import FURTHER, TOLD, answer, world

WORLD = {"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}


@pytest.fixture
def overrides() -> dict[str, object]:
    return {
        "matrix": {"enabled": True},
        "guest_accounts": {"enabled": True},
        "user_directory": {"all_users": True},
    }


@pytest.fixture
async def guest(nobody: Client) -> Client:
    return await nobody.guest()


@pytest.mark.both
async def test_a_room_open_to_the_world_is_read_and_no_other(alice: Client, guest: Client) -> None:
    shown = await create(alice, initial_state=[WORLD], name="Hall")
    hidden = await create(alice, initial_state=GUESTS, name="Cellar")
    events = {room_id: await say(alice, room_id, "words") for room_id in (shown, hidden)}

    def looks(room_id: str) -> list[str]:
        event_id = quote(events[room_id])
        return [
            path(room_id, rest)
            for rest in (
                *("state", "state/m.room.name", "members", "messages?dir=b", "initialSync"),
                *(f"event/{event_id}", f"context/{event_id}"),
            )
        ]

    for context in looks(shown):
        await guest.call("GET", context)
    assert texts((await guest.call("GET", path(shown, "messages?dir=b")))["chunk"]) == ["words"]
    start = (await guest.call("GET", "events", params={"room_id": shown}))["end"]
    await say(alice, shown, "more")
    came = await guest.call("GET", "events", params={"room_id": shown, "from": start, "timeout": "15000"})
    assert texts(came["chunk"]) == ["more"]
    assert "rooms" not in await guest.call("GET", "sync")
    await set_state(alice, shown, "m.room.history_visibility", {"history_visibility": "shared"})
    for room_id in (shown, hidden):
        for context in looks(room_id)[:5]:
            assert await guest.errcode("GET", context, 403) == "M_FORBIDDEN"
        assert await guest.errcode("GET", "events", 403, params={"room_id": room_id}) == "M_FORBIDDEN"
        send = path(room_id, "send/m.room.message/1")
        assert await guest.errcode("PUT", send, 403, body={"body": "mine"}) == "M_FORBIDDEN"
    for context in looks(hidden)[5:]:
        assert await guest.errcode("GET", context, 404) == "M_NOT_FOUND"


async def test_only_the_calls_for_guests_answer(server: Running, alice: Client, guest: Client) -> None:
    """Every other call with a token, in a room that the guest is in, is refused as such."""
    values = await world(alice)
    await set_state(alice, values["roomId"], "m.room.guest_access", {"guest_access": "can_join"})
    await alice.call("POST", path(values["roomId"], "invite"), body={"user_id": guest.user_id})
    await guest.call("POST", path(values["roomId"], "join"), body={})
    values["userId"], values["deviceId"] = guest.user_id, guest.device_id
    faces = [face for face in make_faces(server.hs, server.hub) if face.document == "matrix"]
    closed = {
        f"{route.method} {bare(route.plain_path)}"
        for face in faces
        for route in face.routes
        if not route.public and not route.guests
    }
    refused = 0
    for row in (*TOLD, *(row._replace(state="done") for row in FURTHER)):
        if f"{row.method} {bare(row.path.removeprefix('/_matrix'))}" not in closed:
            continue
        status, errcode = await answer(guest, row, values)
        assert (status, errcode) == (403, GUEST_REFUSED), f"{row.method} {row.path}: {status} {errcode}"
        refused += 1
    assert refused > 80


async def test_guests_bring_nobody_in_and_send_nobody_out(alice: Client, bob: Client, guest: Client) -> None:
    room_id = await create(alice, guest, initial_state=GUESTS)
    levels = {"users": {alice.user_id: 100, guest.user_id: 99}}
    await set_state(alice, room_id, "m.room.power_levels", levels)
    for target, membership in (
        *((bob, word) for word in ("invite", "join", "leave", "ban")),
        *((alice, word) for word in ("leave", "ban")),
        *((guest, word) for word in ("knock", "ban", "invite")),
    ):
        at = path(room_id, f"state/m.room.member/{quote(target.user_id)}")
        assert await guest.errcode("PUT", at, 403, body={"membership": membership}) == GUEST_REFUSED
    at = path(room_id, "send/m.room.message/1?org.matrix.msc4140.delay=1000")
    assert await guest.errcode("PUT", at, 403, body={"body": "later"}) == GUEST_REFUSED
    members = await alice.call("GET", path(room_id, "joined_members"))
    assert set(members["joined"]) == {alice.user_id, guest.user_id}
    own = path(room_id, f"state/m.room.member/{quote(guest.user_id)}")
    await guest.call("PUT", own, body={"membership": "join", "displayname": "Gus"})
    await guest.call("PUT", own, body={"membership": "leave"})


async def test_nobody_finds_guests_and_products_know_none(
    server: Running, alice: Client, bob: Client, guest: Client
) -> None:
    await guest.call("PUT", f"profile/{quote(guest.user_id)}/displayname", body={"displayname": "Gus"})
    await create(alice, guest, initial_state=GUESTS)
    for term in ("Gus", guest.user_id, "guest"):
        found = await alice.call("POST", "user_directory/search", body={"search_term": term})
        assert found["results"] == []
    picture = f"profile/{quote(guest.user_id)}/avatar_url"
    assert await guest.errcode("PUT", picture, 403, body={"avatar_url": "mxc://a/b"}) == GUEST_REFUSED
    number = (await server.hs.auth.sessions.access_tokens.recognise(guest.token)).number
    other = (await bob.call("GET", "/api/v1/users/me"))["id"]
    for place in ("users/me", "chats"):
        assert (await told(guest, "GET", f"/api/v1/{place}"))[0] == 403
    people, groups = [number, other], "/api/v1/chats/group"
    assert (await told(alice, "POST", groups, {"title": "Group", "user_ids": people}))[0] == 403
    before = set((await alice.call("GET", "joined_rooms"))["joined_rooms"])
    await alice.call("POST", groups, body={"title": "Group", "user_ids": [other]})
    (group,) = set((await alice.call("GET", "joined_rooms"))["joined_rooms"]) - before
    invite = {"user_id": guest.user_id}
    assert await alice.errcode("POST", path(group, "invite"), 403, body=invite) == GUEST_REFUSED
    assert await guest.errcode("POST", path(group, "join"), 403, body={}) == GUEST_REFUSED
    members = await alice.call("GET", path(group, "joined_members"))
    assert guest.user_id not in members["joined"]

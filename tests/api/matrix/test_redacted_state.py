"""What is redacted of a room's state is shown nowhere any more."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.app import build
from homeserver.lifecycle import Running, working
from homeserver.model import Page
from homeserver.protocol.ids import RoomId
from homeserver.settings.models import Settings
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, set_state, state
from tests.api.matrix.slidekit import ALL_STATE, Slider, a_list
from tests.api.matrix.synckit import joined

SECRETS = {
    "m.room.name": {"name": "secret name"},
    "m.room.topic": {"topic": "secret topic"},
    "m.room.avatar": {"url": "mxc://test.example/secret"},
    "m.room.canonical_alias": {"alias": "#secret:test.example"},
}


async def redact(client: Client, room_id: str, event_id: str) -> None:
    at = path(room_id, f"redact/{quote(event_id)}/{quote(event_id)}")
    await client.call("PUT", at, body={"reason": "a reason"})


def reasons(events: Any) -> set[str]:
    """Why state was redacted, by what is told beside it."""
    cut = [one["unsigned"].get("redacted_because") for one in events if one["type"] in SECRETS]
    return {one["content"]["reason"] for one in cut if one}


async def looks(room_id: str, member: Client, newcomer: Client, invited: Client) -> dict[str, Any]:
    """All that may show a room's state, by what shows it."""
    own, outside = quote(room_id, safe=""), await newcomer.call("GET", "publicRooms")
    found = {
        "state": await member.call("GET", path(room_id, "state")),
        "publicRooms": outside,
        "search": await newcomer.call(
            "POST", "publicRooms", body={"filter": {"generic_search_term": "secret"}}
        ),
        "summary": await newcomer.call("GET", f"/_matrix/client/v1/room_summary/{own}"),
        "hierarchy": await newcomer.call("GET", path(room_id, "hierarchy", "v1")),
    }
    await member.call("POST", path(room_id, "invite"), body={"user_id": invited.user_id})
    found["invite"] = await invited.call("GET", "sync")
    found["sliding invite"] = await Slider(invited, {"lists": {"all": a_list([0, 9])}}).sync()
    await newcomer.call("POST", path(room_id, "join"), body={})
    found["sync"] = await newcomer.call("GET", "sync")
    found["sliding"] = await Slider(newcomer, {"lists": {"all": a_list([0, 9], state=ALL_STATE)}}).sync()
    return found


@pytest.mark.both
@pytest.mark.own_server
async def test_no_look_shows_it(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, visibility="public", room_alias_name="secret", preset="public_chat")
    sent = [await set_state(alice, room_id, kind, content) for kind, content in SECRETS.items()]
    before = await looks(room_id, alice, bob, carol)
    assert {name for name, found in before.items() if "secret" not in json.dumps(found)} == set()
    for one in (bob, carol):
        await one.call("POST", path(room_id, "leave"), body={})
    for event_id in sent:
        await redact(alice, room_id, event_id)
    for kind in SECRETS:
        assert await state(alice, room_id, kind) == {}
    alice, bob, carol = (replace(one, beyond=True) for one in (alice, bob, carol))
    names = [one for one in await bob.call("GET", path(room_id, "state")) if one["type"] in SECRETS]
    assert (len(names), reasons(names)) == (len(SECRETS), set()), "he left before"
    after = await looks(room_id, alice, bob, carol)
    assert {name for name, found in after.items() if "secret" in json.dumps(found)} == set()
    short = {"filter": json.dumps({"room": {"timeline": {"limit": 1}}})}
    synced = joined(await bob.call("GET", "sync", params=short), room_id)["state"]["events"]
    name = await alice.call("GET", path(room_id, "state/m.room.name?format=event"))
    for events in (after["state"], synced, after["sliding"]["rooms"][room_id]["required_state"], [name]):
        assert reasons(events) == {"a reason"}


@pytest.mark.both
async def test_the_products_and_the_other_worker_show_it_neither(
    server: Running, settings: Settings, alice: Client
) -> None:
    room_id = RoomId(await create(alice))
    sent = [await set_state(alice, room_id, kind, SECRETS[kind]) for kind in ("m.room.name", "m.room.topic")]
    other = build(settings)
    async with working(other):
        requester = await server.hs.auth.sessions.authenticate(alice.token)
        for hs in (server.hs, other):
            (listed,) = await hs.rooms.rooms.listing(requester, page=Page(limit=9))
            assert listed.name == "secret name"
            head = await hs.core.timeline.head(room_id)
            assert head.state.events["m.room.name", ""].content == SECRETS["m.room.name"]
        for event_id in sent:
            await redact(alice, room_id, event_id)
        await other.core.live.follow()
        for hs in (server.hs, other):
            (listed,) = await hs.rooms.rooms.listing(requester, page=Page(limit=9))
            assert "secret" not in listed.name + listed.topic
            head = await hs.core.timeline.head(room_id)
            assert head.state.events["m.room.name", ""].content == {}

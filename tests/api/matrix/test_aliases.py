"""Names of rooms: given, looked up, taken away, and what a room calls itself."""

import asyncio
from urllib.parse import quote

import pytest

from homeserver.errors import Conflict
from homeserver.lifecycle import Running
from homeserver.model import Draft
from homeserver.protocol.ids import UserId
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, named, path, set_state, state
from tests.names import fresh, room_alias

pytestmark = pytest.mark.both

CANONICAL = "m.room.canonical_alias"


async def test_a_room_gets_a_name(nobody: Client, alice: Client, bob: Client) -> None:
    room_id = await create(alice)
    name = room_alias("Комната_🦀")
    assert await nobody.errcode("GET", named(name), 404) == "M_NOT_FOUND"
    assert await bob.errcode("PUT", named(name), 403, body={"room_id": room_id}) == "M_FORBIDDEN"
    await alice.call("PUT", named(name), body={"room_id": room_id})
    found = await nobody.call("GET", named(name))
    assert found == {"room_id": room_id, "servers": ["test.example"]}
    assert await alice.errcode("PUT", named(name), 409, body={"room_id": room_id}) == "M_UNKNOWN"
    assert await alice.call("GET", path(room_id, "aliases")) == {"aliases": [name]}
    assert await bob.errcode("GET", path(room_id, "aliases"), 403) == "M_FORBIDDEN"
    await set_state(alice, room_id, "m.room.history_visibility", {"history_visibility": "world_readable"})
    assert await bob.call("GET", path(room_id, "aliases")) == {"aliases": [name]}
    unknown = {"room_id": "!nothing:test.example"}
    assert await alice.errcode("PUT", named(room_alias("other")), 404, body=unknown) == "M_NOT_FOUND"


async def test_names_that_cannot_be_given(alice: Client) -> None:
    room_id = await create(alice)
    for alias in (
        *("no-sigil:test.example", "#:test.example", "#no-server", "#a b:test.example"),
        *("#a:elsewhere.example", f"#{'x' * 250}:test.example"),
    ):
        code = await alice.errcode("PUT", named(alias), 400, body={"room_id": room_id})
        assert code == "M_INVALID_PARAM", alias
    assert await alice.call("GET", path(room_id, "aliases")) == {"aliases": []}


async def test_names_of_other_servers_and_no_names(nobody: Client) -> None:
    assert await nobody.errcode("GET", named("#a:elsewhere.example"), 404) == "M_NOT_FOUND"
    assert await nobody.errcode("GET", named("nonsense"), 400) == "M_INVALID_PARAM"


async def test_who_takes_a_name_away(alice: Client, bob: Client, carol: Client) -> None:
    room_id = await create(alice, bob, carol)
    for client, name in ((alice, "one"), (bob, "two"), (bob, "three")):
        await client.call("PUT", named(room_alias(name)), body={"room_id": room_id})
    content = {"alias": room_alias("two"), "alt_aliases": [room_alias("one"), room_alias("three")]}
    await set_state(alice, room_id, CANONICAL, content)
    assert await carol.errcode("DELETE", named(room_alias("two")), 403) == "M_FORBIDDEN"
    await bob.call("DELETE", named(room_alias("two")))  # his own, though he may not change the state
    assert await bob.errcode("GET", named(room_alias("two")), 404) == "M_NOT_FOUND"
    assert await bob.errcode("DELETE", named(room_alias("two")), 404) == "M_NOT_FOUND"
    assert await state(alice, room_id, CANONICAL) == content
    await alice.call("DELETE", named(room_alias("three")))  # by her power; the state follows
    assert await state(alice, room_id, CANONICAL) == {
        "alias": room_alias("two"),
        "alt_aliases": [room_alias("one")],
    }
    await alice.call("DELETE", named(room_alias("one")))
    assert await state(alice, room_id, CANONICAL) == {"alias": room_alias("two")}
    assert await alice.call("GET", path(room_id, "aliases")) == {"aliases": []}


async def test_what_a_room_may_call_itself(alice: Client) -> None:
    room_id, other = await create(alice), await create(alice)
    await alice.call("PUT", named(room_alias("here")), body={"room_id": room_id})
    await alice.call("PUT", named(room_alias("there")), body={"room_id": other})
    at = path(room_id, f"state/{CANONICAL}")
    for content, errcode in (
        ({"alias": "nonsense"}, "M_INVALID_PARAM"),
        ({"alias": 1}, "M_INVALID_PARAM"),
        ({"alt_aliases": room_alias("here")}, "M_INVALID_PARAM"),
        ({"alt_aliases": ["%nonsense"]}, "M_INVALID_PARAM"),
        ({"alias": room_alias("missing")}, "M_BAD_ALIAS"),
        ({"alias": room_alias("there")}, "M_BAD_ALIAS"),
        ({"alias": room_alias("here"), "alt_aliases": [room_alias("there")]}, "M_BAD_ALIAS"),
    ):
        assert await alice.errcode("PUT", at, 400, body=content) == errcode, content
    for empty in ({}, {"alias": None}, {"alias": ""}):
        await alice.call("PUT", at, body=empty)
    await alice.call("PUT", at, body={"alias": room_alias("here")})
    await set_state(alice, room_id, CANONICAL, {"alias": room_alias("here"), "more": 1})
    await alice.call("PUT", named(room_alias("again")), body={"room_id": room_id})
    await set_state(alice, room_id, CANONICAL, {"alt_aliases": [room_alias("again")]})
    gone = {"alt_aliases": [room_alias("again"), room_alias("here")]}
    await alice.call("DELETE", named(room_alias("here")))
    assert await alice.errcode("PUT", at, 400, body=gone) == "M_BAD_ALIAS"
    await set_state(alice, room_id, CANONICAL, {"alias": room_alias("again")})
    await alice.call("DELETE", named(room_alias("again")))
    assert await state(alice, room_id, CANONICAL) == {}


async def test_a_name_that_was_there_stays(alice: Client, bob: Client) -> None:
    """Who may not change the state deletes its name; the room may go on saying it, and nothing new."""
    room_id = await create(alice, bob)
    await bob.call("PUT", named(room_alias("his")), body={"room_id": room_id})
    await set_state(alice, room_id, CANONICAL, {"alias": room_alias("his")})
    await bob.call("DELETE", named(room_alias("his")))
    await set_state(alice, room_id, CANONICAL, {"alias": room_alias("his"), "alt_aliases": []})


async def test_a_room_is_made_with_a_name(alice: Client, bob: Client, server: Running) -> None:
    room_id = await create(alice, room_alias_name=fresh("pub"), visibility="public")
    assert await state(alice, room_id, CANONICAL) == {"alias": room_alias("pub")}
    assert (await bob.call("GET", named(room_alias("pub"))))["room_id"] == room_id
    before = await alice.call("GET", "joined_rooms")
    taken = {"room_alias_name": fresh("pub"), "name": "Another"}
    assert await alice.errcode("POST", "createRoom", 400, body=taken) == "M_ROOM_IN_USE"
    for bad in ("a:b", "a b"):
        named_badly = {"room_alias_name": bad}
        assert await alice.errcode("POST", "createRoom", 400, body=named_badly) == "M_INVALID_PARAM"
    foreign = [{"type": CANONICAL, "content": {"alias": room_alias("pub")}}]
    request = {"initial_state": foreign}
    assert await bob.errcode("POST", "createRoom", 400, body=request) == "M_INVALID_ROOM_STATE"
    assert await alice.call("GET", "joined_rooms") == before
    at = quote(room_alias("pub"), safe="")
    via = {"via": "elsewhere.example", "server_name": "test.example"}
    assert await bob.call("POST", f"join/{at}", body={}, params=via) == {"room_id": room_id}
    assert await bob.errcode("POST", f"join/{quote('#no:test.example')}", 404, body={}) == "M_NOT_FOUND"
    knock = f"knock/{at}"
    assert await bob.errcode("POST", knock, 403, body={}) == "M_FORBIDDEN"


async def test_of_rooms_that_want_one_name_one_gets_it(alice: Client, server: Running) -> None:
    """Also where both have looked before either was written."""
    own = UserId(alice.user_id)
    requester = await server.hs.auth.sessions.authenticate(alice.token)
    claims = [await server.hs.rooms.aliases.claim(requester, fresh("race")) for _ in range(3)]
    drafts = [
        Draft("m.room.create", own, {"room_version": "11"}, state_key=""),
        Draft("m.room.member", own, {"membership": "join"}, state_key=own),
    ]
    made = await asyncio.gather(
        *(
            server.hs.core.timeline.create_room(drafts, version="11", kind="group", also=[claim])
            for claim in claims
        ),
        return_exceptions=True,
    )
    assert [one.code for one in made if isinstance(one, Conflict)] == ["room_in_use"] * 2
    room_id = (await alice.call("GET", named(room_alias("race"))))["room_id"]
    assert await alice.call("GET", "joined_rooms") == {"joined_rooms": [room_id]}


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True, "max_room_aliases": 2}}])
async def test_a_room_has_not_too_many_names(alice: Client) -> None:
    room_id = await create(alice)
    for at in range(2):
        await alice.call("PUT", named(room_alias(f"n{at}")), body={"room_id": room_id})
    more = {"room_id": room_id}
    assert await alice.errcode("PUT", named(room_alias("n2")), 413, body=more) == "M_TOO_LARGE"

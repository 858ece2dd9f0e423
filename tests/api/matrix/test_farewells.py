"""Who closes their account leaves their rooms."""

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from homeserver.app import build
from homeserver.lifecycle import Running, working
from homeserver.model import LOG_START
from homeserver.protocol.ids import UserId
from homeserver.storage import log
from homeserver.storage.migrate import alembic_config
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path
from tests.api.matrix.synckit import Follower, joined

pytestmark = [pytest.mark.both, pytest.mark.own_server]


def membership(answer: object, room_id: str, user_id: str) -> object:
    """What an answer tells of a person's membership in a room, if it does."""
    rooms = answer.get("rooms", {}).get("join", {}) if isinstance(answer, dict) else {}
    events = rooms.get(room_id, {}).get("timeline", {}).get("events", ())
    told = [one for one in events if one["type"] == "m.room.member" and one["state_key"] == user_id]
    return told[-1]["content"]["membership"] if told else None


async def close_unnoticed(server: Running, client: Client) -> None:
    """Close an account while nobody looks."""
    task = next(one for one, name in server.hs.core.tasks._running.items() if name == "farewells")
    task.cancel()
    await server.hs.accounts.accounts.deactivate(UserId(client.user_id))


def begin_early(connection: Connection) -> None:
    """What the upgrade of the tables does."""
    upgrade = ScriptDirectory.from_config(alembic_config()).get_revision("0014")
    with Operations.context(MigrationContext.configure(connection)):
        upgrade.module.upgrade()


async def test_closed_accounts_leave_and_take_their_knocks_along(alice: Client, nobody: Client) -> None:
    bob = await nobody.register("bob")
    shared = await create(alice, bob)
    asked = await create(alice, invite=[bob.user_id])
    follower = Follower(alice)
    assert joined(await follower.sync(), asked)

    await bob.prove("POST", "account/deactivate", {})

    left: set[str] = set()

    def both(answer: object) -> bool:
        left.update(one for one in (shared, asked) if membership(answer, one, bob.user_id) == "leave")
        return left == {shared, asked}

    await follower.until(both)
    members = await alice.call("GET", path(shared, "joined_members"))
    assert list(members["joined"]) == [alice.user_id]


async def test_what_a_stop_cuts_off_goes_on(server: Running, alice: Client, nobody: Client) -> None:
    """The account is closed while nobody takes it out; the next server does."""
    bob = await nobody.register("bob")
    shared = await create(alice, bob)
    follower = Follower(alice)
    await follower.sync()
    await close_unnoticed(server, bob)
    second = build(server.hs.settings, clock=server.hs.core.clock)
    async with working(second):
        await follower.until(lambda answer: membership(answer, shared, bob.user_id) == "leave")


async def test_who_closed_their_account_before_it_was_looked_for_leaves(
    server: Running, alice: Client, nobody: Client
) -> None:
    bob = await nobody.register("bob")
    shared = await create(alice, bob)
    follower = Follower(alice)
    await follower.sync()
    await close_unnoticed(server, bob)
    end = server.hs.core.live.position
    async with server.hs.core.db.write() as conn:  # as if it were looked for from here on
        assert await log.move_cursor(conn, "farewells", await log.cursor(conn, "farewells") or LOG_START, end)
        await conn.run_sync(begin_early)
        assert (await log.cursor(conn, "farewells") or LOG_START) < end
    async with working(build(server.hs.settings, clock=server.hs.core.clock)):
        await follower.until(lambda answer: membership(answer, shared, bob.user_id) == "leave")
    async with server.hs.core.db.write() as conn:  # who is out is not looked for again
        before = await log.cursor(conn, "farewells")
        await conn.run_sync(begin_early)
        assert await log.cursor(conn, "farewells") == before

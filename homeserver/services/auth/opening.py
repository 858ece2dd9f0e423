"""Inserting sessions, in a transaction of their own or in one that ends the session of the same device."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Conflict
from homeserver.model import Person
from homeserver.services.accounts.status import check_account
from homeserver.services.auth import token_format
from homeserver.storage import accounts as stored_accounts
from homeserver.storage import sessions as stored
from homeserver.storage.sessions import Session
from homeserver.timeline.submission import Placed


class Opening(NamedTuple):
    """A session to be inserted. `even_suspended`: whether suspended users may have it."""

    session: Session
    even_suspended: bool


class Taken(Conflict):
    """Somebody else logs in on the device at the same time."""

    code = "device_taken"


async def open_one(conn: AsyncConnection, opening: Opening) -> tuple[Person, Session | None]:
    """Insert a session; of a device that has a running one, that is returned and nothing is inserted."""
    session = opening.session
    user_id, device_id = session.user_id, session.device_id
    # The lock orders this before or after a suspension, never concurrent with it.
    await stored_accounts.lock_users(conn, [user_id])
    account = (await stored_accounts.accounts_of(conn, [user_id])).get(user_id)
    if account is None:
        raise token_format.unknown_token()
    check_account(account, even_suspended=opening.even_suspended)
    earlier = (await stored.sessions_on(conn, user_id, [device_id])).get(device_id)
    if earlier is not None and earlier.ended_ms is None:
        return account.person, earlier
    await stored.drop_ended(conn, user_id, device_id)
    await stored.add_sessions(conn, [session])
    return account.person, None


async def open_sessions(conn: AsyncConnection, items: Sequence[Placed[Opening]]) -> None:
    """Insert sessions of devices whose last one was ended in the same transaction."""
    for item in items:  # log-ins are rare, and each is judged by itself
        _, earlier = await open_one(conn, item.row)
        if earlier is not None:
            raise Taken("somebody else logs in on this device")

"""Account status changes in the database, and what is deleted with a deactivated account.

For the transactions of `services/accounts/accounts.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Person
from homeserver.protocol.ids import UserId
from homeserver.services.e2ee import cleanup
from homeserver.storage import accountdata, delayed, logintokens, pushrules
from homeserver.storage import accounts as stored
from homeserver.storage import profilefields as fields
from homeserver.storage.accounts import ProfileRow, Word
from homeserver.storage.erased import set_erased
from homeserver.timeline.submission import Placed


class AccountStatusChange(NamedTuple):
    """A change of account status flags. `ends_sessions`: the user's present tokens are revoked."""

    user_id: UserId
    words: Mapping[Word, bool]
    ends_sessions: bool
    now_ms: int


async def change_standings(conn: AsyncConnection, items: Sequence[Placed[AccountStatusChange]]) -> None:
    """Apply the changes in order, each to the status as it then stands."""
    rows = [item.row for item in items]
    user_ids = {row.user_id for row in rows}
    await stored.lock_users(conn, user_ids)
    found = await stored.accounts_of(conn, user_ids)
    now = {user_id: account.status for user_id, account in found.items()}
    for row in rows:
        now[row.user_id] = now[row.user_id].changed(row.words)
    await stored.set_standings(conn, now)
    now_ms, position = max(row.now_ms for row in rows), max(item.position for item in items)
    closed = {user_id for user_id, status in now.items() if status.deactivated}
    out = {row.user_id for row in rows if row.ends_sessions} | closed
    if out:
        await cleanup.end_sessions_of_users(conn, out, now_ms=now_ms, position=position)
    if closed:
        await cleanup.forget_people(conn, closed, position=position)
        await _drop_belongings(conn, closed)


async def _drop_belongings(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete the private data of deactivated accounts. Name and avatar stay with their messages, unless erased."""
    await logintokens.drop_login_tokens(conn, user_ids)
    await stored.drop_emails(conn, user_ids)
    await fields.drop_fields(conn, user_ids)
    await accountdata.drop_all_of(conn, user_ids)
    await pushrules.drop_rules(conn, user_ids)
    await delayed.drop_of_users(conn, user_ids)


async def erase_people(conn: AsyncConnection, items: Sequence[Placed[UserId]]) -> None:
    """Remove names and avatars of deactivated accounts, and mark their messages to be redacted for later members."""
    user_ids = {item.row for item in items}
    await stored.lock_users(conn, user_ids)
    await set_erased(conn, user_ids)
    await stored.drop_host_profiles(conn, user_ids)
    people = await stored.people_of(conn, user_ids)
    bare = [
        Person(one.user_id, one.number, display_name="", created_ms=one.created_ms, tag=one.tag)
        for one in people.values()
    ]
    if bare:
        await stored.set_profiles(conn, [ProfileRow(one, "") for one in bare])

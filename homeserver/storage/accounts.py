"""People: their accounts and their numbers.

Two columns are unique beside the keys: e-mail and tag. They are only changed by `add_accounts` and the two
`claim_*` functions, so that every other write here can never fail because of somebody else's row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, NamedTuple, cast

from sqlalchemy import Row, Select, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import GUEST_NAMESPACE, HostProfile, Person
from homeserver.protocol.ids import UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.people import host_profiles, number_heads, successors, users

FIRST_GUEST_NUMBER = GUEST_NAMESPACE << 32
"""Guests are numbered from here on; no list of people and no search shows them."""

_HOST_FIELDS = tuple(field.name for field in fields(HostProfile))

PERSON_COLUMNS = (
    users.c.user_id,
    users.c.number,
    users.c.display_name,
    users.c.created_ms,
    users.c.tag,
    users.c.email,
    users.c.avatar_url,
    host_profiles.c.user_id.label("host_profile"),
    *(host_profiles.c[name] for name in _HOST_FIELDS),
)
PEOPLE = users.outerjoin(host_profiles, host_profiles.c.user_id == users.c.user_id)
"""What PERSON_COLUMNS are selected from."""


Word = Literal["suspended", "deactivated", "locked", "admin"]


class AccountStatus(NamedTuple):
    """What the server lets a person do: who is suspended only reads, who is locked does nothing, admins moderate."""

    suspended: bool = False
    deactivated: bool = False
    locked: bool = False
    admin: bool = False

    def changed(self, words: Mapping[Word, bool]) -> "AccountStatus":
        """With these words otherwise."""
        return self._replace(**{str(word): value for word, value in words.items()})


NOTHING_SPECIAL: Final = AccountStatus()


@dataclass(frozen=True, slots=True)
class Account:
    """A person with what only the server may know. `password_hash` None: cannot log in here."""

    person: Person
    password_hash: str | None = None
    status: AccountStatus = NOTHING_SPECIAL

    @property
    def suspended(self) -> bool:
        return self.status.suspended

    @property
    def deactivated(self) -> bool:
        return self.status.deactivated

    @property
    def locked(self) -> bool:
        return self.status.locked


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A person as they shall be stored (all but e-mail and tag), with the text they are found by."""

    person: Person
    search_text: str


_PEOPLE: Select[Any] = select(*PERSON_COLUMNS).select_from(PEOPLE)
_asked = users.alias("asked")
_PEOPLE_BY_ID: Select[Any] = (
    select(_asked.c.user_id.label("asked_id"), *PERSON_COLUMNS)
    .select_from(_asked)
    .outerjoin(successors, successors.c.user_id == _asked.c.user_id)
    .join(users, users.c.user_id == func.coalesce(successors.c.successor, _asked.c.user_id))
    .outerjoin(host_profiles, host_profiles.c.user_id == users.c.user_id)
    .where(_asked.c.user_id.in_(bindparam("user_ids", expanding=True)))
)
_PEOPLE_BY_NUMBER = _PEOPLE.where(users.c.number.in_(bindparam("numbers", expanding=True)))
_ACCOUNTS: Select[Any] = select(
    *PERSON_COLUMNS,
    users.c.password_hash,
    users.c.suspended,
    users.c.deactivated,
    users.c.locked,
    users.c.admin,
).select_from(PEOPLE)
_ACCOUNTS_BY_ID = _ACCOUNTS.where(users.c.user_id.in_(bindparam("user_ids", expanding=True)))
_ACCOUNTS_BY_EMAIL = _ACCOUNTS.where(users.c.email.in_(bindparam("emails", expanding=True)))
_LISTING = (
    _ACCOUNTS.where(users.c.number < FIRST_GUEST_NUMBER)
    .order_by(users.c.number)
    .limit(bindparam("count"))
    .offset(bindparam("skip"))
)
_TAGS = select(users.c.tag).where(users.c.tag.in_(bindparam("tags", expanding=True)))
_USER_IDS = select(users.c.user_id).where(users.c.user_id.in_(bindparam("user_ids", expanding=True)))
_START_NUMBERS = Upsert(number_heads, ["namespace"])
_TAKE_NUMBERS = (
    update(number_heads)
    .where(number_heads.c.namespace == bindparam("of"))
    .values(last=number_heads.c.last + bindparam("count"))
    .returning(number_heads.c.last)
)
_ADD = insert(users)
_SET_PROFILE = (
    update(users)
    .where(users.c.user_id == bindparam("of"))
    .values(
        display_name=bindparam("display_name"),
        avatar_url=bindparam("avatar_url"),
        search_text=bindparam("search_text"),
    )
)
_SET_HOST_PROFILE = Upsert(host_profiles, ["user_id"], _HOST_FIELDS)
_DROP_HOST_PROFILES = delete(host_profiles).where(
    host_profiles.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_others = users.alias("others")
_CLAIM_TAG = (
    update(users)
    .where(
        users.c.user_id == bindparam("of"),
        ~exists().where(_others.c.tag == bindparam("wanted"), _others.c.user_id != bindparam("of")),
    )
    .values(tag=bindparam("wanted"))
)
_CLAIM_EMAIL = (
    update(users)
    .where(
        users.c.user_id == bindparam("of"),
        ~exists().where(_others.c.email == bindparam("wanted"), _others.c.user_id != bindparam("of")),
    )
    .values(email=bindparam("wanted"))
)
_DROP_EMAILS = (
    update(users).where(users.c.user_id.in_(bindparam("user_ids", expanding=True))).values(email=None)
)
_SET_PASSWORD = (
    update(users).where(users.c.user_id == bindparam("of")).values(password_hash=bindparam("hash"))
)
_REPLACE_PASSWORD = _SET_PASSWORD.where(users.c.password_hash == bindparam("old"))
_SET_STATE = (
    update(users)
    .where(users.c.user_id == bindparam("of"))
    .values(
        suspended=bindparam("is_suspended"),
        deactivated=bindparam("is_deactivated"),
        locked=bindparam("is_locked"),
        admin=bindparam("is_admin"),
    )
)
_LOCK = (
    select(users.c.user_id)
    .where(users.c.user_id.in_(bindparam("user_ids", expanding=True)))
    .order_by(users.c.user_id)
    .with_for_update(key_share=True)
)


async def people_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, Person]:
    """Those of the people who are here, by the ids asked for: for a guest that became an account, the account."""
    rows = await conn.execute(_PEOPLE_BY_ID, {"user_ids": list(user_ids)})
    return {row.asked_id: person_of(row) for row in rows}


async def people_by_number(conn: AsyncConnection, numbers: Collection[int]) -> dict[int, Person]:
    """Those of the people who are here, by number."""
    rows = await conn.execute(_PEOPLE_BY_NUMBER, {"numbers": list(numbers)})
    return {row.number: person_of(row) for row in rows}


async def accounts_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, Account]:
    """Those of the accounts that are here, suspended and deactivated ones too."""
    rows = await conn.execute(_ACCOUNTS_BY_ID, {"user_ids": list(user_ids)})
    return {row.user_id: _account(row) for row in rows}


async def accounts_by_email(conn: AsyncConnection, emails: Collection[str]) -> dict[str, Account]:
    """Those of the accounts that are here, by e-mail (normalised, lower case)."""
    rows = await conn.execute(_ACCOUNTS_BY_EMAIL, {"emails": list(emails)})
    return {row.email: _account(row) for row in rows}


async def list_accounts(conn: AsyncConnection, *, limit: int, offset: int) -> list[Account]:
    """All accounts in the order of their numbers, guests left out."""
    rows = await conn.execute(_LISTING, {"count": limit, "skip": offset})
    return [_account(row) for row in rows]


async def taken_tags(conn: AsyncConnection, tags: Collection[str]) -> set[str]:
    """Which of the tags somebody has."""
    return set((await conn.execute(_TAGS, {"tags": list(tags)})).scalars())


async def taken_user_ids(conn: AsyncConnection, user_ids: Collection[UserId]) -> set[UserId]:
    """Which of the ids somebody has."""
    return set((await conn.execute(_USER_IDS, {"user_ids": list(user_ids)})).scalars())


async def take_numbers(conn: AsyncConnection, namespace: int, *, count: int = 1, first: int = 1) -> int:
    """Take the next `count` numbers of a namespace, which begins at `first`; answers the lowest of them."""
    await conn.execute(_START_NUMBERS.on(conn), {"namespace": namespace, "last": first - 1})
    last = cast("int", (await conn.execute(_TAKE_NUMBERS, {"of": namespace, "count": count})).scalar_one())
    return last - count + 1


async def add_accounts(conn: AsyncConnection, accounts: Sequence[tuple[Account, str]]) -> None:
    """Write new accounts, each with its search text. Raises IntegrityError when anything unique is taken."""
    await conn.execute(_ADD, [_row(account, search_text) for account, search_text in accounts])
    await _set_host_profiles(conn, [account.person for account, _ in accounts])


async def set_profiles(conn: AsyncConnection, rows: Sequence[ProfileRow]) -> None:
    """Store people as they are now, but for e-mail and tag. Of who has no host profile here, a stored one stays."""
    await conn.execute(_SET_PROFILE, [_profile_values(row) for row in rows])
    await _set_host_profiles(conn, [row.person for row in rows])


async def drop_host_profiles(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete what host applications said of these people."""
    await conn.execute(_DROP_HOST_PROFILES, {"user_ids": list(user_ids)})


async def _set_host_profiles(conn: AsyncConnection, people: Sequence[Person]) -> None:
    rows = [{"user_id": one.user_id, **asdict(one.host)} for one in people if one.host is not None]
    if rows:
        await conn.execute(_SET_HOST_PROFILE.on(conn), rows)


async def claim_tag(conn: AsyncConnection, user_id: UserId, tag: str | None) -> bool:
    """Give a person a tag, unless somebody else has it (False). A lost race raises IntegrityError."""
    result = await conn.execute(_CLAIM_TAG, {"of": user_id, "wanted": tag})
    return result.rowcount == 1


async def claim_email(conn: AsyncConnection, user_id: UserId, email: str | None) -> bool:
    """Give a person an e-mail, unless somebody else has it (False). A lost race raises IntegrityError."""
    result = await conn.execute(_CLAIM_EMAIL, {"of": user_id, "wanted": email})
    return result.rowcount == 1


async def drop_emails(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Take these people's e-mails away."""
    await conn.execute(_DROP_EMAILS, {"user_ids": list(user_ids)})


async def set_passwords(conn: AsyncConnection, hashes: Mapping[UserId, str]) -> None:
    """Store password hashes."""
    await conn.execute(_SET_PASSWORD, [{"of": user_id, "hash": made} for user_id, made in hashes.items()])


async def replace_password(conn: AsyncConnection, user_id: UserId, old: str, new: str) -> bool:
    """Store a hash in the place of another; False if it was not that one any more."""
    result = await conn.execute(_REPLACE_PASSWORD, {"of": user_id, "old": old, "hash": new})
    return result.rowcount == 1


async def set_standings(conn: AsyncConnection, standings: Mapping[UserId, AccountStatus]) -> None:
    """Store how people stand."""
    rows = [
        {
            "of": user_id,
            "is_suspended": one.suspended,
            "is_deactivated": one.deactivated,
            "is_locked": one.locked,
            "is_admin": one.admin,
        }
        for user_id, one in standings.items()
    ]
    await conn.execute(_SET_STATE, rows)


async def lock_users(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Hold these people's rows until the end of the transaction (SQLite has one writer anyway)."""
    await conn.execute(_LOCK, {"user_ids": list(user_ids)})


def person_of(row: Row[Any]) -> Person:
    """The person of a row that has PERSON_COLUMNS."""
    return Person(
        user_id=row.user_id,
        number=row.number,
        display_name=row.display_name,
        created_ms=row.created_ms,
        tag=row.tag or "",
        email=row.email or "",
        avatar_url=row.avatar_url,
        host=None if row.host_profile is None else _host_profile(row),
    )


def _host_profile(row: Row[Any]) -> HostProfile:
    values = row._asdict()
    return HostProfile(**{name: values[name] for name in _HOST_FIELDS})


def _account(row: Row[Any]) -> Account:
    status = AccountStatus(row.suspended, row.deactivated, row.locked, row.admin)
    return Account(person_of(row), row.password_hash, status)


def _row(account: Account, search_text: str) -> dict[str, object]:
    person = account.person
    values = _profile_values(ProfileRow(person, search_text))
    del values["of"]
    return {
        **values,
        "user_id": person.user_id,
        "number": person.number,
        "email": person.email or None,
        "tag": person.tag or None,
        "password_hash": account.password_hash,
        "created_ms": person.created_ms,
        **account.status._asdict(),
    }


def _profile_values(row: ProfileRow) -> dict[str, object]:
    person = row.person
    return {
        "of": person.user_id,
        "display_name": person.display_name,
        "avatar_url": person.avatar_url,
        "search_text": row.search_text,
    }

"""Accounts of users, and their integer ids.

Two columns are unique beside the keys: e-mail and tag. They are only changed by `add_accounts` and the two
`claim_*` functions, so that no other write here can fail because of another user's row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, NamedTuple, cast

from sqlalchemy import Row, Select, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import GUEST_NAMESPACE, HostProfile, Person
from homeserver.protocol.ids import UserId
from homeserver.publicids import UserNumber, namespace_of, user_number, wanted
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.people import host_profiles, number_heads, successors, users

FIRST_GUEST_NUMBER = GUEST_NAMESPACE << 32
"""Guests are numbered from here on; no list of people and no search shows them."""

_HOST_FIELDS = tuple(field.name for field in fields(HostProfile))

PERSON_COLUMNS = (
    users.c.user_id,
    users.c.number,
    users.c.host_id,
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
    """Account status: suspended users may only read, locked ones do nothing, admins moderate."""

    suspended: bool = False
    deactivated: bool = False
    locked: bool = False
    admin: bool = False

    def changed(self, words: Mapping[Word, bool]) -> "AccountStatus":
        """A copy with these flags changed."""
        return self._replace(**{str(word): value for word, value in words.items()})


NOTHING_SPECIAL: Final = AccountStatus()


@dataclass(frozen=True, slots=True)
class Account:
    """A user with the private fields of their account. `password_hash` None: no password login."""

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
    """A user's profile to be stored (all but e-mail and tag), with its search text."""

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
_PEOPLE_BY_NUMBER = _PEOPLE.where(
    or_(
        users.c.number.in_(bindparam("numbers", expanding=True)),
        users.c.host_id.in_(bindparam("host_ids", expanding=True)),
    )
)
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
    """Users by the ids asked for, unknown ones left out; for a guest that became an account, the account."""
    rows = await conn.execute(_PEOPLE_BY_ID, {"user_ids": list(user_ids)})
    return {row.asked_id: person_of(row) for row in rows}


async def people_by_number(conn: AsyncConnection, numbers: Collection[int]) -> dict[int, Person]:
    """Users by number, unknown ones left out. Numbers below -1 are looked up as `publicids.wanted` has them."""
    large = {one: wanted(one) for one in numbers if one < -1}
    values = {
        "numbers": [*(one for one in numbers if one >= 0), *(one.number for one in large.values())],
        "host_ids": [one.host_id for one in large.values()],
    }
    people = [person_of(row) for row in await conn.execute(_PEOPLE_BY_NUMBER, values)]
    found = {one.number: one for one in people}
    own = {
        (namespace_of(one.number), one.number.host_id): one
        for one in people
        if isinstance(one.number, UserNumber)
    }
    for asked, one in large.items():
        person = own.get((one.namespace, one.host_id)) or found.get(one.number)
        if person is not None:
            found[asked] = person
    return {number: found[number] for number in numbers if number in found}


async def accounts_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, Account]:
    """Accounts by user id, suspended and deactivated ones included; unknown ones left out."""
    rows = await conn.execute(_ACCOUNTS_BY_ID, {"user_ids": list(user_ids)})
    return {row.user_id: _account(row) for row in rows}


async def accounts_by_email(conn: AsyncConnection, emails: Collection[str]) -> dict[str, Account]:
    """Accounts by e-mail (normalised, lower case); unknown ones left out."""
    rows = await conn.execute(_ACCOUNTS_BY_EMAIL, {"emails": list(emails)})
    return {row.email: _account(row) for row in rows}


async def list_accounts(conn: AsyncConnection, *, limit: int, offset: int) -> list[Account]:
    """All accounts in the order of their numbers, without guests."""
    rows = await conn.execute(_LISTING, {"count": limit, "skip": offset})
    return [_account(row) for row in rows]


async def taken_tags(conn: AsyncConnection, tags: Collection[str]) -> set[str]:
    """Those of the tags that are taken."""
    return set((await conn.execute(_TAGS, {"tags": list(tags)})).scalars())


async def taken_user_ids(conn: AsyncConnection, user_ids: Collection[UserId]) -> set[UserId]:
    """Those of the user ids that are taken."""
    return set((await conn.execute(_USER_IDS, {"user_ids": list(user_ids)})).scalars())


async def take_numbers(conn: AsyncConnection, namespace: int, *, count: int = 1, first: int = 1) -> int:
    """Allocate the next `count` numbers of a namespace, which begins at `first`; returns the lowest of them."""
    await conn.execute(_START_NUMBERS.on(conn), {"namespace": namespace, "last": first - 1})
    last = cast("int", (await conn.execute(_TAKE_NUMBERS, {"of": namespace, "count": count})).scalar_one())
    return last - count + 1


async def add_accounts(conn: AsyncConnection, accounts: Sequence[tuple[Account, str]]) -> None:
    """Insert accounts, each with its search text. Raises IntegrityError if a unique value is taken."""
    await conn.execute(_ADD, [_row(account, search_text) for account, search_text in accounts])
    await _set_host_profiles(conn, [account.person for account, _ in accounts])


async def set_profiles(conn: AsyncConnection, rows: Sequence[ProfileRow]) -> None:
    """Store profiles, without e-mail and tag. A stored host profile is kept if the row has none."""
    await conn.execute(_SET_PROFILE, [_profile_values(row) for row in rows])
    await _set_host_profiles(conn, [row.person for row in rows])


async def drop_host_profiles(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete the host profiles of these users."""
    await conn.execute(_DROP_HOST_PROFILES, {"user_ids": list(user_ids)})


async def _set_host_profiles(conn: AsyncConnection, people: Sequence[Person]) -> None:
    rows = [{"user_id": one.user_id, **asdict(one.host)} for one in people if one.host is not None]
    if rows:
        await conn.execute(_SET_HOST_PROFILE.on(conn), rows)


async def claim_tag(conn: AsyncConnection, user_id: UserId, tag: str | None) -> bool:
    """Set a user's tag; False if it is taken. A lost race raises IntegrityError."""
    result = await conn.execute(_CLAIM_TAG, {"of": user_id, "wanted": tag})
    return result.rowcount == 1


async def claim_email(conn: AsyncConnection, user_id: UserId, email: str | None) -> bool:
    """Set a user's e-mail; False if it is taken. A lost race raises IntegrityError."""
    result = await conn.execute(_CLAIM_EMAIL, {"of": user_id, "wanted": email})
    return result.rowcount == 1


async def drop_emails(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Remove these users' e-mails."""
    await conn.execute(_DROP_EMAILS, {"user_ids": list(user_ids)})


async def set_passwords(conn: AsyncConnection, hashes: Mapping[UserId, str]) -> None:
    """Store password hashes."""
    await conn.execute(_SET_PASSWORD, [{"of": user_id, "hash": made} for user_id, made in hashes.items()])


async def replace_password(conn: AsyncConnection, user_id: UserId, old: str, new: str) -> bool:
    """Replace the password hash `old`; False if that is not the stored one any more."""
    result = await conn.execute(_REPLACE_PASSWORD, {"of": user_id, "old": old, "hash": new})
    return result.rowcount == 1


async def set_standings(conn: AsyncConnection, standings: Mapping[UserId, AccountStatus]) -> None:
    """Store account statuses."""
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
    """Lock these users' rows until the end of the transaction (SQLite has one writer anyway)."""
    await conn.execute(_LOCK, {"user_ids": list(user_ids)})


def person_of(row: Row[Any]) -> Person:
    """The Person of a row that has PERSON_COLUMNS."""
    return Person(
        user_id=row.user_id,
        number=user_number(row.number, row.host_id),
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
        "number": int(person.number),
        "host_id": person.number.host_id if isinstance(person.number, UserNumber) else None,
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

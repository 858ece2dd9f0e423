"""Local accounts: registration, passwords, suspension, locking, deactivation."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from homeserver.kit.names import search_text
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.text import checked_name
from homeserver.model import Page, Person, Requester, SessionId
from homeserver.protocol.ids import UserId, make_user_id
from homeserver.services.accounts import identifiers
from homeserver.services.accounts.deactivation import AccountStatusChange, change_standings, erase_people
from homeserver.services.accounts.guesses import Guess, GuessLimits
from homeserver.services.accounts.passwords import Passwords
from homeserver.services.accounts.status import check_account
from homeserver.services.e2ee import cleanup
from homeserver.settings.models import AccountSettings
from homeserver.storage import accounts as stored
from homeserver.storage.accounts import Account, Word
from homeserver.storage.db import Database
from homeserver.storage.retry import write_with_retry
from homeserver.timeline.entries import Appends, profile_changed, session_ended
from homeserver.timeline.submission import Placed, SideWrite

MAX_PASSWORD_CHARS = 1024
MAX_NAME_CHARS = 100
_NAMESPACE = 0  # namespace of the numbers of local accounts


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A validated request for an account. Without `tag`, one is made from the e-mail or the name; without `user_id`,
    one is made from the tag."""

    email: str
    display_name: str
    tag: str | None
    password_hash: str | None
    user_id: UserId | None = None


class _NewPassword(NamedTuple):
    user_id: UserId
    password_hash: str
    ended: tuple[SessionId, ...] | None  # None: all of the user's sessions
    now_ms: int


class Accounts:
    """Creates accounts, checks passwords, and suspends, locks or deactivates users."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        clock: Clock,
        settings: AccountSettings,
        passwords: Passwords,
        limits: RateLimits,
        server_name: str,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._settings = settings
        self._passwords = passwords
        self._limits = limits
        self._guesses = GuessLimits(db=db, limits=limits, clock=clock)
        self._server_name = server_name

    async def register(
        self, *, email: str, password: str, display_name: str, tag: str | None = None, address: str = ""
    ) -> Person:
        """Register an account with an e-mail address, if the settings allow registration.

        Raises Forbidden("registration_closed"), Conflict("email_in_use" or "tag_in_use"), Invalid, RateLimited.
        """
        self.check_open()
        self._limits.check_address("registration", address)
        return await self.create(email=email, password=password, display_name=display_name, tag=tag)

    async def register_named(self, *, localpart: str | None, password: str, address: str = "") -> Person:
        """Register an account with a Matrix localpart instead of an e-mail; None has one generated.

        Raises as `register` does, and Invalid("bad_username"), Conflict("user_id_in_use").
        """
        self.check_open()
        self._limits.check_address("registration", address)
        name = localpart if localpart is not None else f"u{secrets.token_hex(8)}"
        return await self.create(display_name=name, password=password, localpart=name)

    def check_open(self) -> None:
        """Raise Forbidden("registration_closed") unless the settings allow registration."""
        if not self._settings.registration:
            raise Forbidden("registration is closed", code="registration_closed")

    async def check_name(self, localpart: str) -> UserId:
        """The Matrix id that an account with this localpart would get.

        Raises Invalid("bad_username"), Conflict("user_id_in_use").
        """
        user_id = identifiers.checked_localpart(localpart, self._server_name)
        async with self._db.read() as conn:
            taken = await stored.taken_user_ids(conn, [user_id])
        if taken:
            raise _user_id_in_use()
        return user_id

    async def create(
        self,
        *,
        display_name: str,
        email: str | None = None,
        password: str | None = None,
        tag: str | None = None,
        localpart: str | None = None,
    ) -> Person:
        """Create an account even while registration is closed (for the command line and demos)."""
        new = NewAccount(
            email=identifiers.normal_email(email) if email else "",
            display_name=checked_name(display_name, most=MAX_NAME_CHARS, what="the display name"),
            tag=identifiers.checked_tag(tag) if tag else None,
            password_hash=None,
            user_id=None
            if localpart is None
            else identifiers.checked_localpart(localpart, self._server_name),
        )
        if password is not None:
            self._check_new_password(password)
            # Before the costly hash; the transaction checks again.
            async with self._db.read() as conn:
                await _check_free(conn, new)
            new = replace(new, password_hash=await self._passwords.hash(password))
        return await write_with_retry(self._db, lambda conn: self._add(conn, new))

    async def check_password(
        self,
        *,
        email: str,
        password: str,
        address: str = "",
        even_suspended: bool = False,
        caller: Requester | None = None,
    ) -> Person:
        """The user with this e-mail and password. Takes as long for an unknown e-mail, so that timing tells nothing.

        `caller`: the user whose access token came with the request. Raises Unauthenticated("bad_credentials"),
        RateLimited; for the right password also Forbidden("suspended").
        """
        try:
            wanted = identifiers.normal_email(email)
        except Invalid:
            wanted = ""
        key = f"account:{wanted}" if wanted else ""
        async with self._db.read() as conn:
            account = (await stored.accounts_by_email(conn, [wanted])).get(wanted)
        found = await self._check(account, password, key, address, caller)
        check_account(found, even_suspended=even_suspended)
        return found.person

    async def check_password_of(
        self,
        user_id: UserId,
        *,
        password: str,
        address: str = "",
        even_suspended: bool = False,
        caller: Requester | None = None,
    ) -> Person:
        """The user with this Matrix id and password. Raises as `check_password` does."""
        key = f"account:{user_id}"
        async with self._db.read() as conn:
            account = (await stored.accounts_of(conn, [user_id])).get(user_id)
        found = await self._check(account, password, key, address, caller)
        check_account(found, even_suspended=even_suspended)
        return found.person

    async def set_password(
        self, user_id: UserId, password: str, *, ended: Sequence[SessionId] | None = None
    ) -> None:
        """Set a user's password and end the sessions in `ended`; None ends all of them.

        Raises NotFound, Invalid.
        """
        self._check_new_password(password)
        await self.find(user_id)
        made = _NewPassword(
            user_id,
            await self._passwords.hash(password),
            None if ended is None else tuple(ended),
            self._clock.now_ms(),
        )
        sessions: Sequence[SessionId | None] = [None] if ended is None else ended
        news = [session_ended(user_id, session_id, "password_changed") for session_id in sessions]
        await self._timeline.append(
            news or [profile_changed(user_id)], also=[SideWrite(_set_passwords, made)]
        )

    async def hash_new(self, password: str) -> str:
        """The hash of a new password. Raises Invalid."""
        self._check_new_password(password)
        return await self._passwords.hash(password)

    async def suspend(self, user_id: UserId, *, ends_sessions: bool = True) -> None:
        """Suspend a user until `unsuspend`: they may only read, on most APIs not even that.

        Their sessions end unless `ends_sessions` is False.
        """
        await self._change_standing(user_id, {"suspended": True}, "suspended", ends_sessions=ends_sessions)

    async def unsuspend(self, user_id: UserId) -> None:
        """Lift a suspension."""
        await self._change_standing(user_id, {"suspended": False}, "unsuspended")

    async def lock(self, user_id: UserId) -> None:
        """Lock an account until `unlock`: every call is refused, but its sessions stay and work again afterwards."""
        await self._change_standing(user_id, {"locked": True}, "locked")

    async def unlock(self, user_id: UserId) -> None:
        """Unlock an account."""
        await self._change_standing(user_id, {"locked": False}, "unlocked")

    async def set_admin(self, user_id: UserId, *, admin: bool) -> None:
        """Make a user a server admin, or revoke that."""
        await self._change_standing(user_id, {"admin": admin}, "admin")

    async def deactivate(self, user_id: UserId, *, erase: bool = False) -> None:
        """Deactivate an account for good: its e-mail becomes free, and its account data, keys and the like are deleted.

        Its messages stay, with display name and avatar. With `erase` name and avatar are removed, and Matrix clients of
        users who were not in the room at the time get the messages redacted.
        """
        words: Mapping[Word, bool] = {"deactivated": True}
        await self._change_standing(user_id, words, "deactivated", ends_sessions=True, erase=erase)

    async def drop_email(self, user_id: UserId, email: str) -> None:
        """Remove an e-mail address from a user; nothing happens if it is not theirs."""
        try:
            given = identifiers.normal_email(email)
        except Invalid:
            return  # an invalid address belongs to no account
        if (await self.find(user_id)).person.email == given:
            await self._timeline.append([profile_changed(user_id)], also=[SideWrite(_drop_emails, user_id)])

    async def find(self, user_id: UserId) -> Account:
        """An account with its status, for the command line. Raises NotFound."""
        async with self._db.read() as conn:
            account = (await stored.accounts_of(conn, [user_id])).get(user_id)
        if account is None:
            raise NotFound("no such account")
        return account

    async def find_by_email(self, email: str) -> Account:
        """Like `find`, by e-mail. Raises NotFound, Invalid."""
        wanted = identifiers.normal_email(email)
        async with self._db.read() as conn:
            account = (await stored.accounts_by_email(conn, [wanted])).get(wanted)
        if account is None:
            raise NotFound("no such account")
        return account

    async def listing(self, page: Page) -> list[Account]:
        """All accounts, users of host applications included, ordered by number."""
        async with self._db.read() as conn:
            return await stored.list_accounts(conn, limit=page.limit, offset=page.offset)

    async def _check(
        self, account: Account | None, password: str, key: str, address: str, caller: Requester | None
    ) -> Account:
        guess = Guess(key, account.person.user_id if account else None, address, caller)
        await self._guesses.check(guess)
        too_long = len(password) > MAX_PASSWORD_CHARS
        known_hash = account.password_hash if account and not account.deactivated and not too_long else None
        verdict = await self._passwords.verify(known_hash, "" if too_long else password)
        if account is None or known_hash is None or not verdict.is_right:
            raise Unauthenticated("wrong name or password", code="bad_credentials")
        self._guesses.give_back(guess)
        if verdict.is_outdated:
            await self._rehash(account.person.user_id, known_hash, password)
        return account

    async def _add(self, conn: AsyncConnection, new: NewAccount) -> Person:
        number = await stored.take_numbers(conn, _NAMESPACE)
        await _check_free(conn, new)
        tag, user_id = await self._free_names(conn, new)
        person = Person(
            user_id=user_id,
            number=number,
            display_name=new.display_name,
            created_ms=self._clock.now_ms(),
            tag=tag,
            email=new.email,
        )
        account = Account(person, new.password_hash)
        await stored.add_accounts(conn, [(account, search_text(person))])
        return person

    async def _free_names(self, conn: AsyncConnection, new: NewAccount) -> tuple[str, UserId]:
        """A free tag, and a free Matrix id made from it."""
        tag = new.tag
        if tag is None:
            wished = identifiers.candidates(
                identifiers.tag_from(new.email or _localpart(new) or new.display_name)
            )
            taken_tags = await stored.taken_tags(conn, wished)
            tag = identifiers.first_free(wished, lambda name: name not in taken_tags)
        if new.user_id is not None:
            if await stored.taken_user_ids(conn, [new.user_id]):
                raise _user_id_in_use()
            return tag, new.user_id
        # Another user may have registered with this tag and changed it since; Matrix ids are never reused.
        user_ids = {name: make_user_id(name, self._server_name) for name in identifiers.candidates(tag)}
        taken = await stored.taken_user_ids(conn, user_ids.values())
        localpart = identifiers.first_free(
            user_ids,
            lambda name: user_ids[name] not in taken and not identifiers.is_localpart_of_host_person(name),
        )
        return tag, user_ids[localpart]

    async def _rehash(self, user_id: UserId, old: str, password: str) -> None:
        made = await self._passwords.hash(password)
        async with self._db.write() as conn:
            await stored.replace_password(conn, user_id, old, made)  # keeps a password set meanwhile

    async def _change_standing(
        self,
        user_id: UserId,
        words: Mapping[Word, bool],
        reason: str,
        *,
        ends_sessions: bool = False,
        erase: bool = False,
    ) -> None:
        """Change status flags; all the user's tokens are looked up again, even if their sessions go on."""
        await self.find(user_id)
        change = AccountStatusChange(user_id, words, ends_sessions, self._clock.now_ms())
        news = [session_ended(user_id, None, reason), profile_changed(user_id, erased=erase)]
        also: list[SideWrite[Any]] = [SideWrite(change_standings, change)]
        if erase:  # in the same transaction: the owner could not log in again to repeat the request
            also.append(SideWrite(erase_people, user_id))
        await self._timeline.append(news, also=also)

    def _check_new_password(self, password: str) -> None:
        least = self._settings.min_password_chars
        if len(password) < least:
            raise Invalid(f"the password must have at least {least} characters", code="password_too_short")
        if len(password) > MAX_PASSWORD_CHARS:
            raise Invalid(
                f"the password must have at most {MAX_PASSWORD_CHARS} characters", code="password_too_long"
            )


def _localpart(new: NewAccount) -> str:
    return new.user_id[1:].partition(":")[0] if new.user_id else ""


def _user_id_in_use() -> Conflict:
    return Conflict("this user name is taken", code="user_id_in_use")


async def _drop_emails(conn: AsyncConnection, items: Sequence[Placed[UserId]]) -> None:
    await stored.drop_emails(conn, {item.row for item in items})


async def _check_free(conn: AsyncConnection, new: NewAccount) -> None:
    """Raise Conflict if the e-mail or the requested tag is taken."""
    if new.email and await stored.accounts_by_email(conn, [new.email]):
        raise Conflict("this e-mail address is in use", code="email_in_use")
    if new.tag and await stored.taken_tags(conn, [new.tag]):
        raise Conflict("this tag is taken", code="tag_in_use")


async def _set_passwords(conn: AsyncConnection, items: Sequence[Placed[_NewPassword]]) -> None:
    rows = [item.row for item in items]
    await stored.lock_users(conn, {row.user_id for row in rows})
    await stored.set_passwords(conn, {row.user_id: row.password_hash for row in rows})
    now_ms, position = max(row.now_ms for row in rows), max(item.position for item in items)
    everywhere = {row.user_id for row in rows if row.ended is None}
    if everywhere:
        await cleanup.end_sessions_of_users(conn, everywhere, now_ms=now_ms, position=position)
    single = [session_id for row in rows for session_id in row.ended or ()]
    if single:
        await cleanup.end_sessions(conn, single, now_ms=now_ms, position=position)

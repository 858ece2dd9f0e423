"""Sessions of local accounts: their tokens, refresh-token rotation, and their end.

`note` must be given every new entry of the log.
"""

import hmac
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Invalid, NotFound, Unauthenticated, Unavailable
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.text import one_line
from homeserver.model import Person, Requester, SessionId
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.accounts.status import check_account
from homeserver.services.auth import token_format
from homeserver.services.auth.access_tokens import AccessTokens
from homeserver.services.auth.opening import Opening, Taken, open_one, open_sessions
from homeserver.services.auth.token_format import AccessClaims, TokenKey
from homeserver.services.e2ee import cleanup
from homeserver.settings.models import TokenSettings
from homeserver.storage import accounts as stored_accounts
from homeserver.storage import sessions as stored
from homeserver.storage.db import Database
from homeserver.storage.e2ee import lists
from homeserver.storage.log import Entry
from homeserver.storage.retry import write_with_retry
from homeserver.storage.sessions import Session
from homeserver.timeline.entries import Appends, devices_changed, session_ended
from homeserver.timeline.submission import Placed, SideWrite

MAX_DEVICE_NAME_CHARS = 100
MAX_DEVICE_ID_CHARS = 255
_MAX_LISTED = 200
_PURGE_BATCH = 500
_TAKEOVERS = 20  # attempts of a log-in whose device others log in on at the same time
_FOR_GOOD_MS = 2**52  # a time that never comes


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer to log-in and to each refresh."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    person: Person
    device_id: DeviceId


@dataclass(frozen=True, slots=True)
class LastingToken:
    """The answer to log-in of a client without refresh tokens: an access token valid until its session ends."""

    access_token: str
    person: Person
    device_id: DeviceId


class _Ending(NamedTuple):
    session_id: SessionId
    now_ms: int


class _EndingOfAll(NamedTuple):
    user_id: UserId
    now_ms: int


@dataclass(frozen=True, slots=True)
class NewSession:
    """Parameters of a session to start. Without `device_id` a new device is created.

    `address`, `agent`: of the client. `even_suspended`: for APIs that let suspended users read.
    """

    device_name: str = ""
    device_id: DeviceId | None = None
    address: str = ""
    agent: str = ""
    even_suspended: bool = False


class Sessions:
    """Starts, refreshes, checks, lists and ends sessions."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        key: TokenKey,
        clock: Clock,
        settings: TokenSettings,
        limits: RateLimits,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._key = key
        self._clock = clock
        self._settings = settings
        self._limits = limits
        self.access_tokens = AccessTokens(db=db, key=key, clock=clock, cache_entries=settings.cache_entries)

    async def start(self, person: Person, device_name: str = "", device_id: DeviceId | None = None) -> Tokens:
        """Log a user in; the caller has checked the password. Without `device_id` a new device is created.

        An active session of the device is ended, and above `max_sessions` those that were not used for longest. Raises
        Invalid("bad_device_id").
        """
        return await self.begin(person, NewSession(device_name, device_id))

    async def begin(self, person: Person, request: NewSession) -> Tokens:
        """Log a user in with all parameters. Raises as `start` does."""
        now_ms = self._clock.now_ms()
        session_id = _new_session_id()
        refresh_token = self._key.make_refresh(session_id)
        ends_ms = now_ms + self._settings.refresh_ttl_s * 1000
        session = _session(session_id, person, request, refresh_token, (now_ms, ends_ms))
        found = await self._open(session, even_suspended=request.even_suspended)
        return self._tokens(found, session, refresh_token, now_ms)

    async def begin_lasting(self, person: Person, request: NewSession) -> LastingToken:
        """Log a user in on a client that does not support refresh tokens. Raises as `start` does."""
        now_ms = self._clock.now_ms()
        session_id = _new_session_id()
        nobodys = self._key.make_refresh(session_id)
        session = _session(session_id, person, request, nobodys, (now_ms, _FOR_GOOD_MS))
        found = await self._open(session, even_suspended=request.even_suspended)
        claims = AccessClaims(found.user_id, found.number, session_id, _FOR_GOOD_MS)
        return LastingToken(self._key.make_access(claims, now_ms), found, session.device_id)

    async def refresh(self, refresh_token: str, address: str = "", *, even_suspended: bool = False) -> Tokens:
        """New tokens for a refresh token. Client-server API, "Refreshing access tokens".

        The old one is valid until one of the new tokens is used: until then a repeat returns the same refresh token.
        Its use after that means that it was copied, perhaps stolen: the session ends.
        """
        now_ms = self._clock.now_ms()
        session_id = self._key.session_of_refresh(refresh_token)
        if session_id is None:
            self._limits.check_address("login", address)  # only for guesses: many users share an address
            raise token_format.unknown_token()
        async with self._db.read() as conn:
            session = _running(await stored.sessions_of(conn, [session_id]), session_id)
        old = token_format.refresh_hash(refresh_token)
        if _is_good(session, old):
            if now_ms >= session.refresh_expires_ms:
                raise token_format.token_expired()
            self._limits.check("login", f"session:{session_id}")
            new_token = self._key.next_refresh(refresh_token)
            hashes = old, token_format.refresh_hash(new_token)
            person = await self._rotate(session, hashes, now_ms, even_suspended=even_suspended)
            if person is not None:
                return self._tokens(person, session, new_token, now_ms)
        await self._end([(session.user_id, session_id)], "refresh_token_reused")
        raise _reused()

    async def _rotate(
        self, session: Session, hashes: tuple[str, str], now_ms: int, *, even_suspended: bool
    ) -> Person | None:
        """Replace the old hash by the new one, if that is not done already; None if the old is no longer valid."""
        old, new = hashes
        user_id, session_id = session.user_id, session.session_id
        async with self._db.write() as conn:
            await stored_accounts.lock_users(conn, [user_id])
            account = (await stored_accounts.accounts_of(conn, [user_id]))[user_id]
            check_account(account, even_suspended=even_suspended)
            expires_ms = now_ms + self._settings.refresh_ttl_s * 1000
            if await stored.rotate_session(
                conn, session_id, old=old, new=new, expires_ms=expires_ms, now_ms=now_ms
            ):
                return account.person
            # Refreshed before: the answer was lost, or another request was faster.
            current = _running(await stored.sessions_of(conn, [session_id]), session_id)
        return account.person if (current.spent_hash, current.refresh_hash) == (old, new) else None

    async def authenticate(self, token: str, address: str = "") -> Requester:
        """The owner of this access token. Raises Unauthenticated, or Forbidden for a suspended user or a guest."""
        return await self.access_tokens.authenticate(token, address)

    async def end(self, requester: Requester) -> None:
        """Log out. Does nothing for a requester with a host's token, which has no session here."""
        if requester.session_id is not None:
            await self._end([(requester.user_id, requester.session_id)], "logout")

    async def end_all(self, requester: Requester) -> None:
        """Log out on all devices, this one included."""
        cleanup = _EndingOfAll(requester.user_id, self._clock.now_ms())
        entries = await self._timeline.append(
            [session_ended(requester.user_id, None, "logout_all")],
            also=[SideWrite(_end_all_sessions, cleanup)],
        )
        for entry in entries:
            self.note(entry)

    async def end_these(self, requester: Requester, session_ids: Sequence[SessionId]) -> None:
        """End some of the requester's own sessions; the caller has checked that they are the requester's."""
        await self._end([(requester.user_id, one) for one in session_ids], "ended_elsewhere")

    async def end_other(self, requester: Requester, session_id: SessionId) -> None:
        """End one of the requester's own sessions. Raises NotFound for another user's."""
        async with self._db.read() as conn:
            session = (await stored.sessions_of(conn, [session_id])).get(session_id)
        if session is None or session.user_id != requester.user_id or session.ended_ms is not None:
            raise NotFound("no such session")
        await self._end([(requester.user_id, session_id)], "ended_elsewhere")

    async def listing(self, user_id: UserId) -> list[Session]:
        """A user's active sessions, the most recently used first."""
        now_ms = self._clock.now_ms()
        async with self._db.read() as conn:
            found = await stored.open_sessions(conn, user_id, now_ms=now_ms, limit=_MAX_LISTED)
        return [self.access_tokens.as_used(one) for one in found]

    def note(self, entry: Entry) -> None:
        """Handle a log entry: tokens that it revokes are refused from now on."""
        self.access_tokens.note(entry)

    async def tidy(self) -> int:
        """Store last uses, and delete ended and expired sessions; returns how many were deleted.

        An ended session is only kept for the lifetime of an access token.
        """
        await self._store_used()
        await self._end_expired()
        before_ms = self._clock.now_ms() - self._settings.access_ttl_s * 1000
        purged = 0
        while True:
            async with self._db.write() as conn:
                count = await cleanup.purge_sessions(conn, before_ms=before_ms, limit=_PURGE_BATCH)
            purged += count
            if count < _PURGE_BATCH:
                return purged

    async def _open(self, session: Session, *, even_suspended: bool) -> Person:
        """Insert a session; one that the device has is ended with it. Of concurrent log-ins the last one stays."""
        for _ in range(_TAKEOVERS):
            opening = Opening(session, even_suspended=even_suspended)
            person, earlier = await write_with_retry(self._db, partial(open_one, opening=opening))
            if earlier is None or await self._take_over(earlier, opening):
                await self._tell_of(session)
                await self._end_beyond(session)
                return person
        raise Unavailable("too many log-ins on this device at once; try again", code="busy")

    async def _take_over(self, earlier: Session, opening: Opening) -> bool:
        """End a device's session and begin the next one, both or none; False if another log-in was quicker."""
        session = opening.session
        opening = opening._replace(session=replace(session, device_name=earlier.device_name))
        also: list[SideWrite[Any]] = [
            SideWrite(_end_sessions, _Ending(earlier.session_id, self._clock.now_ms())),
            SideWrite(open_sessions, opening),
        ]
        try:
            ended = session_ended(session.user_id, earlier.session_id, "replaced")
            entries = await self._timeline.append([ended], also=also)
        except Taken:
            return False
        for entry in entries:  # this worker at once; other workers read them from the log
            self.note(entry)
        return True

    async def _tell_of(self, session: Session) -> None:
        """A new device is a change of its user's devices before it has keys: messages can be sent to it."""
        async with self._db.read() as conn:
            is_noticed = await stored.is_noticed(conn, session, self._clock.now_ms())
        if is_noticed:
            user_id = session.user_id
            also = [SideWrite(_note_devices, user_id)]
            await self._timeline.append([devices_changed(user_id)], also=also)

    async def _end_beyond(self, newest: Session) -> None:
        """End the sessions that are too many of one user: those that were not used for longest."""
        beyond = await self._beyond(newest)
        if beyond:
            await self._store_used()  # as the last uses decide
            beyond = await self._beyond(newest)
        await self._end([(newest.user_id, one) for one in beyond], "too_many_sessions")

    async def _beyond(self, newest: Session) -> list[SessionId]:
        now_ms, kept = self._clock.now_ms(), self._settings.max_sessions
        async with self._db.read() as conn:
            return await stored.sessions_beyond(
                conn, newest.user_id, now_ms=now_ms, kept=kept, limit=_PURGE_BATCH
            )

    async def _store_used(self) -> None:
        used = self.access_tokens.take_used()
        if used:
            async with self._db.write() as conn:
                await stored.set_last_used(conn, used)

    async def _end(self, ended: Sequence[tuple[UserId, SessionId]], reason: str) -> None:
        now_ms = self._clock.now_ms()
        if not ended:
            return
        entries = await self._timeline.append(
            [session_ended(user_id, session_id, reason) for user_id, session_id in ended],
            also=[SideWrite(_end_sessions, _Ending(session_id, now_ms)) for _, session_id in ended],
        )
        for entry in entries:  # this worker at once; other workers read it from the log
            self.note(entry)

    async def _end_expired(self) -> None:
        """End sessions that can no longer be refreshed, and announce that their devices are gone."""
        async with self._db.read() as conn:
            found = await stored.expired_sessions(conn, now_ms=self._clock.now_ms(), limit=_PURGE_BATCH)
        await self._end(found, "expired")

    def _tokens(self, person: Person, session: Session, refresh_token: str, now_ms: int) -> Tokens:
        ttl_s = self._settings.access_ttl_s
        pair = token_format.pair_of(token_format.refresh_hash(refresh_token))
        claims = AccessClaims(person.user_id, person.number, session.session_id, now_ms + ttl_s * 1000, pair)
        access_token = self._key.make_access(claims, now_ms)
        return Tokens(access_token, refresh_token, ttl_s, person, session.device_id)


async def _end_sessions(conn: AsyncConnection, items: Sequence[Placed[_Ending]]) -> None:
    now_ms = max(item.row.now_ms for item in items)
    position = max(item.position for item in items)
    await cleanup.end_sessions(
        conn, [item.row.session_id for item in items], now_ms=now_ms, position=position
    )


async def _note_devices(conn: AsyncConnection, items: Sequence[Placed[UserId]]) -> None:
    await lists.set_changed(conn, sorted({item.row for item in items}), max(item.position for item in items))


async def _end_all_sessions(conn: AsyncConnection, items: Sequence[Placed[_EndingOfAll]]) -> None:
    now_ms = max(item.row.now_ms for item in items)
    position = max(item.position for item in items)
    await cleanup.end_sessions_of_users(
        conn, {item.row.user_id for item in items}, now_ms=now_ms, position=position
    )


def _session(
    session_id: SessionId, person: Person, request: NewSession, refresh_token: str, times: tuple[int, int]
) -> Session:
    """A new session. `times`: its start, and when its refresh token expires, in ms."""
    now_ms, ends_ms = times
    return Session(
        session_id=session_id,
        user_id=person.user_id,
        device_id=_checked_device_id(request.device_id),
        device_name=clean_device_name(request.device_name),
        refresh_hash=token_format.refresh_hash(refresh_token),
        refresh_expires_ms=ends_ms,
        created_ms=now_ms,
        last_used_ms=now_ms,
        last_ip=request.address,
        user_agent=request.agent,
    )


def _running(found: dict[SessionId, Session], session_id: SessionId) -> Session:
    session = found.get(session_id)
    if session is None or session.ended_ms is not None:
        raise token_format.unknown_token()
    return session


def _is_good(session: Session, refresh_hash: str) -> bool:
    """True if a refresh token is the newest, or the one before while the newest was not used yet."""
    good = (session.refresh_hash, session.spent_hash or "")
    return any(hmac.compare_digest(refresh_hash, one) for one in good)


def clean_device_name(name: str) -> str:
    """The display name of a device as it is stored."""
    return one_line(name)[:MAX_DEVICE_NAME_CHARS]


def _new_session_id() -> SessionId:
    return SessionId(secrets.token_urlsafe(16))


def _checked_device_id(device_id: DeviceId | None) -> DeviceId:
    if device_id is None:
        return DeviceId("".join(secrets.choice(string.ascii_uppercase) for _ in range(10)))
    if not 0 < len(device_id) <= MAX_DEVICE_ID_CHARS or one_line(device_id) != device_id:
        raise Invalid(f"a device id must have 1 to {MAX_DEVICE_ID_CHARS} characters", code="bad_device_id")
    return device_id


def _reused() -> Unauthenticated:
    return Unauthenticated(
        "this refresh token was used before; the session has been ended", code="refresh_token_reused"
    )

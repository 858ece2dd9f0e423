"""Guests: users without an account, identified by a version-4 UUID that their browser made and keeps.

The UUID is a capability: whoever knows it is the guest. So it is stored only as a keyed hash and shown to no one;
other users see an alias (a version-8 UUID) that grants nothing. At first use the guest's browser gets a cookie; once
it has sent the cookie back, the UUID without it is refused. Clients without cookies go on with the UUID alone.

A trusted caller may identify a guest by other text as well. Such a name proves nothing, so a plain word is no secret
either: other users see it as it is.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid, NotFound, Unauthenticated
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import GUEST_NAMESPACE, Draft, Link, Person, Requester
from homeserver.protocol.ids import RoomId, UserId, make_user_id
from homeserver.protocol.member import membership_in
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_standing
from homeserver.services.enquiries.enquirykeys import enquiry_key
from homeserver.services.rooms import member_events
from homeserver.settings.models import GuestSettings
from homeserver.storage import accounts as stored_accounts
from homeserver.storage import blocks, enquiries, members, push, rooms
from homeserver.storage import guests as stored
from homeserver.storage.accounts import Account
from homeserver.storage.db import Database
from homeserver.storage.guests import GuestClaim, GuestRow
from homeserver.storage.retry import write_with_retry
from homeserver.timeline.entries import blocks_changed, profile_changed, session_ended
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import levels_of
from homeserver.timeline.submission import NOTHING, Decided, Placed, RoomPart, SideWrite
from homeserver.timeline.writer import Timeline

MAX_NAME_CHARS = 255
_SEEN_STEP_MS = 3_600_000  # `seen_ms` is kept to the hour
_SECRET_BYTES = 32
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest who makes a request. `name`: their own UUID, to be shown to them only; `cookie`: to be set for a new
    guest."""

    requester: Requester
    name: str
    cookie: str | None = None


class GuestKey:
    """Values derived from the server's secret. `secret` has at least 32 bytes."""

    def __init__(self, secret: bytes, server_name: str) -> None:
        if len(secret) < 32:
            raise ValueError("the secret for guests must have at least 32 bytes")
        self._secret = secret
        self._server_name = server_name

    def hash(self, name: str) -> str:
        """The stored hash of a UUID."""
        return self._digest("name", name).hex()

    def user_id(self, name: str, number: int) -> UserId:
        """The Matrix id of a guest; a name used again after its guest was closed gives another id."""
        if is_plain(name):
            return make_user_id(f"guest_{number}.{name.encode().hex()}", self._server_name)
        return make_user_id(f"guest_{self._digest('user', f'{number} {name}').hex()[:32]}", self._server_name)

    def alias(self, user_id: UserId) -> str:
        """What other users see: a UUID whose version marks it as no guest's own, or a plain word."""
        _, dot, plain = user_id.partition(":")[0].partition(".")
        if dot:
            return bytes.fromhex(plain).decode()
        bits = int.from_bytes(self._digest("alias", user_id)[:16])
        bits = bits & ~(0xF << 76) | (8 << 76)  # version and variant (RFC 9562, section 5.8)
        return str(UUID(int=bits & ~(0b11 << 62) | (0b10 << 62)))

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{what}\n{text}".encode(errors="replace"), "sha256")


class _Claim(NamedTuple):
    succession: GuestClaim
    joined: tuple[RoomId, ...]


class Guests:
    """Creates and recognises guests, closes idle ones, and hands their data over to their accounts."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        profiles: Profiles,
        clock: Clock,
        key: GuestKey,
        settings: GuestSettings,
        limits: RateLimits,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._profiles = profiles
        self._clock = clock
        self._key = key
        self._settings = settings
        self._limits = limits

    async def enter(self, name: str, cookie: str = "", address: str = "", *, trusted: bool = False) -> Guest:
        """The guest of this UUID, created at its first use; `cookie` is what the browser sent.

        `trusted`: the caller vouches for the name, which may then be any text and needs no cookie. Raises
        Invalid("bad_guest_id"), Unauthenticated("guest_bound"), Forbidden("no_guests", "suspended"), RateLimited.
        """
        name = checked_name(name, trusted=trusted)
        found = await self._find(name, cookie, address, trusted=trusted)
        if found is not None:
            return found
        if not self._settings.enabled:
            raise Forbidden("guests cannot do this", code="no_guests")
        self._limits.check_address("guests", address)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        row = await write_with_retry(self._db, lambda conn: self._add(conn, name, secret))
        if row.cookie_hash != _hash(secret):  # another call created it, and has the cookie
            return self._guest(row, name, address)
        return self._guest(row, name, address, cookie=f"{name}.{secret}")

    async def recognise(
        self, name: str = "", cookie: str = "", address: str = "", *, trusted: bool = False
    ) -> Guest | None:
        """The guest of this UUID, or of the cookie if there is no UUID; None if there is no such guest."""
        if name:
            return await self._find(checked_name(name, trusted=trusted), cookie, address, trusted=trusted)
        named, secret = _parts(cookie)
        row = await self._row(named) if secret else None
        if row is None or not _fits(row, secret):
            return None
        check_standing(suspended=row.suspended)
        await self._note(row, fits=True)
        return self._guest(row, named, address)

    def alias(self, user_id: UserId) -> str:
        """The UUID under which other users know a guest."""
        return self._key.alias(user_id)

    async def by_alias(self, alias: str) -> UserId | None:
        """The guest with this alias. An alias proves nothing: only for trusted callers."""
        async with self._db.read() as conn:
            return await stored.guest_by_alias(conn, alias.lower())

    async def by_name(self, name: str) -> UserId | None:
        """The guest of this UUID, without any proof: only for trusted callers."""
        row = await self._row(name.lower())
        return row.user_id if row is not None else None

    async def claim(self, account: Requester, *, name: str, cookie: str = "") -> int:
        """Hand all data of a guest over to an account, in one transaction; returns the count of rooms.

        The account joins the guest's rooms and the guest leaves; the guest's messages are shown as the account's from
        then on. The UUID is free again. Raises NotFound("guest_not_found"), Unauthenticated("guest_bound"),
        Forbidden("no_account").
        """
        if account.number >> 32 == GUEST_NAMESPACE:
            raise Forbidden("this needs an account, and you are a guest", code="no_account")
        guest = await self._find(checked_name(name), cookie, account.address)
        if guest is None:
            raise _no_guest()
        own = guest.requester.user_id
        async with self._db.read() as conn:
            room_ids = await stored.rooms_of_guest(conn, own, self._settings.max_rooms)
        person = await self._profiles.own(account)
        parts = [RoomPart(room_id, lambda head: _hand_over(head, own, person)) for room_id in room_ids]
        claim = _Claim(GuestClaim(own, account.user_id), await self._not_joined(account.user_id, room_ids))
        entries = await self._timeline.send_together(
            parts,
            [
                profile_changed(own),
                session_ended(own, None, "claimed"),
                blocks_changed(account.user_id, guest=own),
            ],
            also=[SideWrite(_write_claims, claim)],
        )
        for entry in entries:  # at once in this worker; others read the log
            self._profiles.note(entry)
        return len(parts)

    async def _not_joined(self, user_id: UserId, room_ids: Sequence[RoomId]) -> tuple[RoomId, ...]:
        """Those of the rooms that the user has not joined."""
        async with self._db.read() as conn:
            inside = await members.joined_among(conn, user_id, room_ids)
        return tuple(one for one in room_ids if one not in inside)

    async def sweep(self) -> int:
        """Close guests who were idle for long, batch by batch: their UUIDs are free again, their messages stay.
        Returns the count."""
        before_ms = self._clock.now_ms() - self._settings.idle_s * 1000
        forgotten = 0
        while True:
            async with self._db.write() as conn:
                idle = await stored.idle_guests(conn, before_ms=before_ms, limit=self._settings.sweep_batch)
                if idle:
                    await stored.forget_guests(conn, idle)
            forgotten += len(idle)
            if len(idle) < self._settings.sweep_batch:
                return forgotten

    async def _find(self, name: str, cookie: str, address: str, *, trusted: bool = False) -> Guest | None:
        row = await self._row(name)
        if row is None:
            return None
        named, secret = _parts(cookie)
        fits = named == name and _fits(row, secret)
        if row.bound and not fits and not trusted:
            raise Unauthenticated("this guest belongs to another browser", code="guest_bound")
        check_standing(suspended=row.suspended)
        await self._note(row, fits=fits)
        return self._guest(row, name, address)

    async def _row(self, name: str) -> GuestRow | None:
        async with self._db.read() as conn:
            return await stored.guest_of(conn, self._key.hash(name))

    async def _note(self, row: GuestRow, *, fits: bool) -> None:
        """Store when the guest was last seen, and that their browser keeps the cookie."""
        now_ms = self._clock.now_ms()
        binds, is_old = fits and not row.bound, now_ms - row.seen_ms >= _SEEN_STEP_MS
        if not binds and not is_old:
            return
        async with self._db.write() as conn:
            if binds:
                await stored.bind_guest(conn, row.key_hash)
            if is_old:
                await stored.set_seen(conn, row.key_hash, now_ms)

    async def _add(self, conn: AsyncConnection, name: str, secret: str) -> GuestRow:
        """Create the guest, unless another call did so just now."""
        key_hash = self._key.hash(name)
        found = await stored.guest_of(conn, key_hash)
        if found is not None:
            return found
        local = await stored_accounts.take_numbers(conn, GUEST_NAMESPACE)
        number, now_ms = (GUEST_NAMESPACE << 32) + local, self._clock.now_ms()
        user_id = self._key.user_id(name, number)
        person = Person(
            user_id=user_id, number=number, display_name=self._settings.display_name, created_ms=now_ms
        )
        await stored_accounts.add_accounts(conn, [(Account(person), "")])
        row = GuestRow(
            key_hash=key_hash,
            user_id=user_id,
            number=number,
            alias=self._key.alias(user_id),
            cookie_hash=_hash(secret),
            bound=False,
            created_ms=now_ms,
            seen_ms=now_ms,
        )
        await stored.add_guests(conn, [row])
        return row

    def _guest(self, row: GuestRow, name: str, address: str, cookie: str | None = None) -> Guest:
        requester = Requester(
            user_id=row.user_id,
            number=row.number,
            session_key=row.user_id,
            namespace=GUEST_NAMESPACE,
            address=address,
        )
        return Guest(requester, name, cookie)


def checked_name(name: str, *, trusted: bool = False) -> str:
    """The normalised form of a guest's UUID. Raises Invalid("bad_guest_id"), for an alias as well."""
    try:
        uuid = UUID(name)
    except ValueError:
        uuid = None
    if uuid is not None and uuid.version == 4 and str(uuid) == name.lower():
        return str(uuid)
    if trusted and uuid is None and 0 < len(name) <= MAX_NAME_CHARS:
        return name
    raise Invalid("a guest's id must be a UUID of version 4", code="bad_guest_id")


def is_plain(name: str) -> bool:
    """True if a guest's name is a word that other users may see, not a UUID."""
    try:
        UUID(name)
    except ValueError:
        return _PLAIN.fullmatch(name) is not None
    return False


def _hand_over(head: Head, guest: UserId, person: Person) -> Decided:
    """The events by which a guest leaves a room, and an account, unless it has joined, joins with the guest's power."""
    if membership_in(head.state.events, guest) != "join":
        return NOTHING
    drafts: list[Draft] = []
    if membership_in(head.state.events, person.user_id) != "join":
        levels = levels_of(head)
        may_invite = levels.user(guest) >= levels.invite
        inviter = None if may_invite else member_events.inviter_in(head)
        drafts += member_events.bring_in(inviter or guest, [person])
        if may_invite:
            drafts.append(member_events.promotion(head, guest, person.user_id))
    drafts.append(member_events.leave(guest))
    return Decided(drafts)


def _no_guest() -> NotFound:
    return NotFound("no such guest", code="guest_not_found")


async def _write_claims(conn: AsyncConnection, items: Sequence[Placed[_Claim]]) -> None:
    guests = [item.row.succession.guest for item in items]
    if await stored.successors_of(conn, guests) or len(set(guests)) < len(guests):
        raise _no_guest()  # claimed at the same time; of two claims in one batch each is tried again alone
    for claim in (item.row for item in items):
        succession = claim.succession
        await stored.succeed(conn, [succession])
        await push.hand_over(conn, succession.guest, succession.account)
        await stored.forget_guests(conn, [succession.guest])
        await blocks.hand_over_blocks(conn, succession)
        if claim.joined:
            await stored.keep_read_marks(conn, succession, claim.joined)
        objects = await enquiries.objects_of(conn, succession.guest)
        if objects:
            await enquiries.hand_over(conn, succession.guest, succession.account)
            await _rename_keys(conn, objects, succession.account)


async def _rename_keys(conn: AsyncConnection, objects: dict[RoomId, Link], account: UserId) -> None:
    """Move the rooms' keys to the account, whose next enquiry finds the guest's room unless it has a room of its
    own."""
    wanted = {enquiry_key(link, account): room_id for room_id, link in objects.items()}
    taken = await rooms.rooms_by_key(conn, wanted)
    free = {key: room_id for key, room_id in wanted.items() if key not in taken}
    await rooms.free_keys(conn, list(objects))
    if free:
        await rooms.add_keys(conn, free)


def _parts(cookie: str) -> tuple[str, str]:
    """Name and secret in a cookie; both empty for a malformed one."""
    name, dot, secret = cookie.rpartition(".")
    return (name, secret) if dot and len(cookie) <= 2 * MAX_NAME_CHARS else ("", "")


def _fits(row: GuestRow, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(row.cookie_hash, _hash(secret))


def _hash(secret: str) -> str:
    """The stored hash of a cookie's secret. The secret is random enough that no slow hash is needed."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()

"""Access-token authentication. A checked token is cached for its whole life, unless the log revokes it.

`note` must be given every new entry of the log. A token that is not cached is checked in the database.
"""

from dataclasses import dataclass, replace

from homeserver.clock import Clock
from homeserver.kit.cache import BoundedCache
from homeserver.model import Requester, SessionId
from homeserver.publicids import namespace_of
from homeserver.services.accounts.status import check_requester, check_standing
from homeserver.services.auth import token_format
from homeserver.services.auth.revocation import RevocationFlag, Revocations
from homeserver.services.auth.token_format import AccessClaims, TokenKey
from homeserver.storage import sessions as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.sessions import Session, Use

_USED_STEP_MS = 60_000  # last use is kept to the minute
_MAX_AGENT_CHARS = 250


@dataclass(slots=True)
class _Known:
    """A checked access token, and the flags that revoke it."""

    requester: Requester
    expires_ms: int
    used_ms: int
    session: RevocationFlag
    person: RevocationFlag


class AccessTokens:
    """Authenticates requests by access token, and keeps when and from where each session was last used."""

    def __init__(self, *, db: Database, key: TokenKey, clock: Clock, cache_entries: int) -> None:
        self._db = db
        self._key = key
        self._clock = clock
        self._known: BoundedCache[str, _Known] = BoundedCache(cache_entries)
        self._revocations = Revocations()
        self._used: dict[SessionId, Use] = {}
        self._max_used = cache_entries

    async def authenticate(self, token: str, address: str = "") -> Requester:
        """The owner of this access token. Raises Unauthenticated, or Forbidden for a suspended user or a guest."""
        requester = await self.recognise(token, address)
        check_requester(requester)
        return requester

    async def recognise(self, token: str, address: str = "") -> Requester:
        """Authenticate for an API that checks by itself what suspended users, locked users and guests may do."""
        known = self._known.get(token)
        if known is None:
            return await self._first_sight(token, address)
        if known.session.is_raised or known.person.is_raised:
            self._known.drop(token)
            return await self._first_sight(token, address)
        now_ms = self._clock.now_ms()
        if now_ms >= known.expires_ms:
            self._known.drop(token)
            raise token_format.token_expired()
        if known.requester.address != address:
            known.requester = replace(known.requester, address=address)
        if now_ms - known.used_ms >= _USED_STEP_MS:
            self._note_used(known, now_ms)
        return known.requester

    def saw(self, requester: Requester, agent: str) -> None:
        """Keep the user agent of a session, once for each recorded use."""
        use = self._used.get(requester.session_id) if requester.session_id is not None else None
        if use is not None and not use.agent:
            use.agent = agent[:_MAX_AGENT_CHARS]

    def as_used(self, session: Session) -> Session:
        """A session with its last use, even if that is not stored yet."""
        use = self._used.get(session.session_id)
        if use is None or use.used_ms < session.last_used_ms:
            return session
        ip, agent = use.ip or session.last_ip, use.agent or session.user_agent
        return replace(session, last_used_ms=use.used_ms, last_ip=ip, user_agent=agent)

    def take_used(self) -> dict[SessionId, Use]:
        """The uses since the last call, to be stored."""
        used, self._used = self._used, {}
        return used

    def note(self, entry: Entry) -> None:
        """Handle a log entry: tokens that it revokes are refused from now on."""
        self._revocations.note(entry)

    def forget(self) -> None:
        """Drop all cached tokens; each is checked in the database again."""
        self._known.clear()

    async def _first_sight(self, token: str, address: str) -> Requester:
        now_ms = self._clock.now_ms()
        claims = self._key.read_access(token, now_ms)
        known = _Known(
            _requester(claims, address),
            expires_ms=claims.expires_ms,
            used_ms=0,
            session=self._revocations.flag(claims.session_id),
            person=self._revocations.flag(claims.user_id),
        )
        async with self._db.read() as conn:
            holder = (await stored.holders_of(conn, [claims.session_id])).get(claims.session_id)
        if holder is None or holder.ended or holder.user_id != claims.user_id:
            raise token_format.unknown_token()
        check_standing(deactivated=holder.status.deactivated)
        if holder.unused_hash is not None and claims.pair == token_format.pair_of(holder.unused_hash):
            # First use of a refreshed token. Other workers find it stored, so there is one write per refresh.
            async with self._db.write() as conn:
                await stored.spend_earlier(conn, {claims.session_id: holder.unused_hash})
        known.requester = replace(
            known.requester,
            number=holder.number,
            namespace=namespace_of(holder.number),
            device_id=holder.device_id,
            suspended=holder.status.suspended,
            locked=holder.status.locked,
            admin=holder.status.admin,
        )
        if known.session.is_raised or known.person.is_raised:  # revoked during the lookup
            raise token_format.unknown_token()
        self._note_used(known, now_ms)
        self._known.put(token, known)
        return known.requester

    def _note_used(self, known: _Known, now_ms: int) -> None:
        known.used_ms = now_ms
        session_id = known.requester.session_id
        if session_id is not None and len(self._used) < self._max_used:
            self._used[session_id] = Use(now_ms, known.requester.address)


def _requester(claims: AccessClaims, address: str) -> Requester:
    return Requester(
        user_id=claims.user_id,
        number=claims.number,
        session_key=claims.session_id,
        session_id=claims.session_id,
        address=address,
        expires_ms=claims.expires_ms,
    )

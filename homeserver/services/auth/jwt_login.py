"""Log-in with JWTs that host applications issue for their users.

The token's `iss` selects the issuer if one is configured with it; otherwise each issuer whose algorithms and
keys match is tried. A user is created at their first token, and updated when their claims change.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from jwt import PyJWS, PyJWTError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver import publicids
from homeserver.clock import Clock
from homeserver.errors import NotFound, Upstream
from homeserver.kit.cache import BoundedCache
from homeserver.kit.names import search_text
from homeserver.kit.singleflight import SingleFlight
from homeserver.model import Person, Requester
from homeserver.net.client import HttpClient
from homeserver.protocol.ids import UserId, make_user_id
from homeserver.publicids import FIRST_FREE_NUMBER
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_account
from homeserver.services.auth import token_format
from homeserver.services.auth.jwks import KeySource, VerifyKey, source_of
from homeserver.services.auth.jwt_claims import HostPerson, check_claims, host_person, unusable_id
from homeserver.services.auth.revocation import RevocationFlag, Revocations
from homeserver.services.auth.token_format import Unverified
from homeserver.settings.models import IssuerSettings
from homeserver.storage import accounts as stored
from homeserver.storage import hostusers
from homeserver.storage.accounts import Account
from homeserver.storage.db import Database
from homeserver.storage.hostusers import HostUser
from homeserver.storage.log import Entry
from homeserver.storage.retry import write_with_retry
from homeserver.timeline.submission import Placed, SideWrite

logger = logging.getLogger(__name__)
_MAX_KID_CHARS = 500
_jws = PyJWS()


@dataclass(frozen=True, slots=True)
class Issuer:
    """A host application and the source of its keys."""

    settings: IssuerSettings
    keys: KeySource


@dataclass(slots=True)
class _Known:
    """A checked token, and the flag that says its user's tokens are revoked."""

    requester: Requester
    expires_ms: int
    person: RevocationFlag


def make_issuers(settings: Sequence[IssuerSettings], clock: Clock, client: HttpClient) -> list[Issuer]:
    """The issuers of the settings, key files read. `client` fetches key sets. Raises ValueError naming the issuer."""
    made: list[Issuer] = []
    for one in settings:
        try:
            made.append(Issuer(one, source_of(one, clock, client)))
        except (ValueError, OSError) as error:
            raise ValueError(f"the keys of issuer {one.name} cannot be read: {error}") from error
    return made


class JwtLogin:
    """Checks tokens of host applications and provisions their users."""

    def __init__(
        self,
        *,
        db: Database,
        profiles: Profiles,
        issuers: Sequence[Issuer],
        clock: Clock,
        server_name: str,
        cache_entries: int,
    ) -> None:
        self._db = db
        self._profiles = profiles
        self._issuers = tuple(issuers)
        self._clock = clock
        self._server_name = server_name
        self._known: BoundedCache[str, _Known] = BoundedCache(cache_entries)
        self._revocations = Revocations()
        self._flight: SingleFlight[str, _Known] = SingleFlight()

    async def authenticate(self, token: str, address: str = "") -> Requester:
        """The token's owner. Raises Unauthenticated, Forbidden("suspended"), or Upstream without the host's keys."""
        known = self._known.get(token)
        if known is not None and (known.person.is_raised or self._clock.now_ms() >= known.expires_ms):
            self._known.drop(token)
            known = None
        if known is None:
            known = await self._flight.run(token, partial(self._first_sight, token))
        if known.requester.address != address:
            known.requester = replace(known.requester, address=address)
        return known.requester

    @property
    def has_issuers(self) -> bool:
        """True if any host application is configured as an issuer."""
        return bool(self._issuers)

    async def person(self, token: str) -> Person:
        """The token's owner, to start a session of this server. Raises as `authenticate` does."""
        return await self._profiles.own(await self.authenticate(token))

    async def introduce(self, issuer: str, number: int) -> Person:
        """The user with this id at a host application, created if needed: other users may write to them first.

        Only for callers that know that the host has such a user. Raises NotFound("user_not_found").
        """
        settings = self._settings_of(issuer)
        if settings is None or not 0 < number <= publicids.MAX_ID or self._is_ambiguous(number):
            raise _no_person()
        described = HostPerson(str(number), {}, "")
        async with self._db.read() as conn:
            found = (await hostusers.host_users_of(conn, issuer, [described.subject])).get(described.subject)
        user = found if found is not None else await self._introduced(settings, described)
        return (await self._profiles.people([user.user_id]))[user.user_id]

    async def vouched(self, issuer: str, number: int, address: str = "") -> Requester:
        """The user with this id at a host application, for a request of the host's own server, which has no user token.

        Created if they never logged in. Without an issuer it is the local account with this number. Raises
        NotFound("user_not_found") for users of other hosts, and as `authenticate` for suspended and other barred users.
        """
        settings = self._settings_of(issuer)
        if settings is None and issuer:
            raise _no_person()
        namespace = publicids.LOCAL if settings is None else settings.namespace
        wanted = publicids.from_public(number, namespace)
        person = (await self._profiles.by_numbers([wanted])).get(wanted)
        if person is None and settings is None:
            raise _no_person()
        if person is not None and publicids.namespace_of(person.number) != namespace:
            raise _no_person()
        if person is None:
            person = await self.introduce(issuer, number)
        async with self._db.read() as conn:
            account = (await stored.accounts_of(conn, [person.user_id]))[person.user_id]
        check_account(account)
        return Requester(
            user_id=person.user_id,
            number=person.number,
            session_key=person.user_id,  # as with the host's tokens
            namespace=namespace,
            address=address,
        )

    def note(self, entry: Entry) -> None:
        """Handle a log entry: cached tokens of users whose sessions it ends are refused from now on."""
        self._revocations.note(entry)

    def _settings_of(self, issuer: str) -> IssuerSettings | None:
        return next((one.settings for one in self._issuers if one.settings.name == issuer), None)

    async def _first_sight(self, token: str) -> _Known:
        issuer, claims = await self._verify(token)
        expires_ms = check_claims(claims.claims, issuer.settings, self._clock.now_ms())
        described = host_person(claims.claims, issuer.settings.claims)
        user_id = await self._person_for(issuer.settings, described)
        flag = self._revocations.flag(user_id)
        async with self._db.read() as conn:
            account = (await stored.accounts_of(conn, [user_id]))[user_id]
        check_account(account)
        if flag.is_raised:  # revoked during the lookup
            raise token_format.unknown_token()
        requester = Requester(
            user_id=user_id,
            number=account.person.number,
            session_key=user_id,  # a host's tokens change often; a repeated send is recognised by user instead
            namespace=issuer.settings.namespace,
            expires_ms=expires_ms,
        )
        known = _Known(requester, expires_ms, flag)
        self._known.put(token, known)
        return known

    async def _verify(self, token: str) -> tuple[Issuer, Unverified]:
        """The issuer that signed the token, and the token's content. Raises Unauthenticated or Upstream."""
        seen = token_format.peek(token)
        algorithm, kid = seen.header.get("alg"), seen.header.get("kid")
        if not isinstance(algorithm, str) or "crit" in seen.header or seen.header.get("b64") is False:
            raise token_format.unknown_token()
        if kid is not None and (not isinstance(kid, str) or len(kid) > _MAX_KID_CHARS):
            raise token_format.unknown_token()
        away: Upstream | None = None
        for issuer in self._candidates(seen, algorithm):
            try:
                keys = await issuer.keys.find(algorithm, kid)
            except Upstream as error:
                away = error
                continue
            if any(_is_signed(token, key, algorithm) for key in keys):
                return issuer, seen
        raise away or token_format.unknown_token()

    def _candidates(self, seen: Unverified, algorithm: str) -> list[Issuer]:
        allowed = [one for one in self._issuers if algorithm in one.settings.algorithms]
        named = seen.claims.get("iss")
        if any(one.settings.issuer == named for one in self._issuers if one.settings.issuer is not None):
            return [one for one in allowed if one.settings.issuer == named]
        return [one for one in allowed if one.settings.issuer is None]

    def _is_ambiguous(self, host_id: int) -> bool:
        return publicids.is_ambiguous(host_id, [one.settings.namespace for one in self._issuers])

    async def _person_for(self, issuer: IssuerSettings, described: HostPerson) -> UserId:
        if described.host_id is not None and self._is_ambiguous(described.host_id):
            raise unusable_id(described.subject)
        async with self._db.read() as conn:
            found = await hostusers.host_users_of(conn, issuer.name, [described.subject])
        user = found.get(described.subject)
        if user is None:
            user = await self._introduced(issuer, described)
        if user.claims_hash != described.hash:
            await self._change(user, described)
        return user.user_id

    async def _add(self, conn: AsyncConnection, issuer: IssuerSettings, described: HostPerson) -> HostUser:
        """Insert the user, unless a concurrent request did."""
        found = await hostusers.host_users_of(conn, issuer.name, [described.subject])
        if found:
            return found[described.subject]
        number, user_id = await self._free_number(conn, issuer, described.host_id)
        is_taken = bool(described.email) and bool(await stored.accounts_by_email(conn, [described.email]))
        person = Person(
            user_id=user_id,
            number=number,
            display_name=described.subject,
            created_ms=self._clock.now_ms(),
            # E-mails are unique here, and a host's claim does not take one from another account.
            email="" if is_taken else described.email,
        )
        person = described.applied_to(person)
        await stored.add_accounts(conn, [(Account(person), search_text(person))])
        user = HostUser(issuer.name, described.subject, user_id, described.hash)
        await hostusers.add_host_users(conn, [user])
        return user

    async def _free_number(
        self, conn: AsyncConnection, issuer: IssuerSettings, host_id: int | None
    ) -> tuple[int, UserId]:
        """Number and Matrix id of a new user. The id says the host's number, unless it has none or it is taken."""
        if host_id is not None and host_id < FIRST_FREE_NUMBER:
            return publicids.number_of(issuer.namespace, host_id), self._user_id(issuer, str(host_id))
        local = await stored.take_numbers(conn, issuer.namespace, first=FIRST_FREE_NUMBER)
        number = publicids.user_number(publicids.number_of(issuer.namespace, local), host_id)
        if host_id is not None:
            wanted = self._user_id(issuer, str(host_id))
            if not await stored.taken_user_ids(conn, [wanted]):
                return number, wanted
        return number, self._user_id(issuer, f"0{local}")  # no number of a host begins with 0

    def _user_id(self, issuer: IssuerSettings, digits: str) -> UserId:
        return make_user_id(f"{issuer.name}_{digits}", self._server_name)

    async def _introduced(self, issuer: IssuerSettings, described: HostPerson) -> HostUser:
        return await write_with_retry(self._db, lambda conn: self._add(conn, issuer, described))

    async def _change(self, user: HostUser, described: HostPerson) -> None:
        if described.email:
            await self._claim_email(user.user_id, described.email)
        seen = replace(user, claims_hash=described.hash)
        await self._profiles.change(
            user.user_id, described.fields, also=[SideWrite(_set_claims_hashes, seen)]
        )

    async def _claim_email(self, user_id: UserId, email: str) -> None:
        """Claim the e-mail if it is free, in a transaction of its own: a lost race must not fail other entries."""
        try:
            async with self._db.write() as conn:
                is_free = await stored.claim_email(conn, user_id, email)
        except IntegrityError:
            is_free = False
        if not is_free:
            logger.info("%s keeps another e-mail: the one in the token belongs to somebody else", user_id)


async def _set_claims_hashes(conn: AsyncConnection, items: Sequence[Placed[HostUser]]) -> None:
    await hostusers.set_claims_hashes(conn, [item.row for item in items])


def _no_person() -> NotFound:
    return NotFound("no such user", code="user_not_found")


def _is_signed(token: str, key: VerifyKey, algorithm: str) -> bool:
    try:
        _jws.decode(token, key.key, algorithms=[algorithm])
    except PyJWTError:
        return False
    return True

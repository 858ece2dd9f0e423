"""User-interactive authentication (UIA): requests that need the user to authenticate again, in stages.

Client-server API, "User-Interactive Authentication API". Completed stages are stored in the database, so that any
worker can go on. A small body of the first request is stored too, encrypted: clients may leave it out of later
requests. Of a larger one there is a digest, which tells whether a later request is the same.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar, cast

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeserver.clock import Clock
from homeserver.errors import Forbidden, HomeserverError, Invalid, NotFound, Unauthenticated
from homeserver.kit.ratelimit import RateLimits, address_key
from homeserver.kit.singleflight import SingleFlight
from homeserver.protocol.ids import UserId
from homeserver.settings.models import InteractionSettings
from homeserver.storage import uia as stored
from homeserver.storage.db import Database
from homeserver.storage.uia import UiaSession

DUMMY: Final = "m.login.dummy"
PASSWORD: Final = "m.login.password"  # noqa: S105
TERMS: Final = "m.login.terms"
TOKEN: Final = "m.login.registration_token"  # noqa: S105
_NONCE_BYTES = 12
_PURGE_BATCH = 500
Json = Mapping[str, Any]
Stage = Callable[[Json], Awaitable[UserId | None]]
"""Checks a client's `auth` and returns the user that it authenticates, if any. Raises if the stage is not passed."""


class UiaRequired(Unauthenticated):
    """More stages are required; `data` is the body of the 401: flows, params, session, completed, errcode, error."""

    code = "interaction_needed"

    def __init__(self, facts: Mapping[str, object]) -> None:
        super().__init__("more is needed to do this")
        self.data = dict(facts)


@dataclass(frozen=True, slots=True)
class UiaOperation:
    """The stages that an endpoint asks for. `purpose` names the endpoint; `user_id` is empty if nobody is logged in.

    `flows`: lists of stages, one of which must be completed; `stages` has the check of each stage, and `params` what a
    client must know to pass it. `address`: the client's; `limited`: beginning without being logged in counts as an
    attempt to log in.
    """

    purpose: str
    flows: Sequence[Sequence[str]]
    stages: Mapping[str, Stage]
    params: Mapping[str, Json] = field(default_factory=dict)
    user_id: str = ""
    address: str = ""
    limited: bool = False


class UiaResult(NamedTuple):
    """The body of a request (without `auth`), and the authenticated user; empty if no stage names a user."""

    params: Json
    user_id: UserId


Answer = TypeVar("Answer", bound=Mapping[str, Any])


class UserInteractiveAuth:
    """Starts, continues and completes UIA sessions. `secret`: at least 32 bytes."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        settings: InteractionSettings,
        limits: RateLimits,
        secret: bytes,
    ) -> None:
        self._db = db
        self._clock = clock
        self._last_begun_ms = 0
        self._settings = settings
        self._limits = limits
        self._flights: SingleFlight[tuple[str, str], Json] = SingleFlight()
        self._cipher = AESGCM(hmac.digest(secret, b"interactive authentication", "sha256"))

    async def passed(self, wanted: UiaOperation, body: Json) -> UiaResult:
        """The request's body and its user, once one flow is completed.

        Raises UiaRequired until then, Invalid for a malformed `auth`, an unknown session or an unknown stage.
        """
        result, _ = await self._finished(wanted, body)
        return result

    async def answered(
        self,
        wanted: UiaOperation,
        body: Json,
        work: Callable[[UiaResult], Awaitable[Answer]],
        *,
        check: Callable[[], Awaitable[None]],
    ) -> Answer:
        """What `work` answers to the request, once one flow is completed; for requests that cannot be repeated.

        The answer is kept as long as a session: who repeats the whole request, as the answer was lost, gets it again.
        `check` raises for a request that could not be done anyway. Raises as `passed` does.
        """
        params, auth = _parts(body)
        session = auth.get("session")
        if not params or not isinstance(session, str):
            await check()
            return await self._answer(wanted, body, work)

        async def once() -> Answer:
            earlier = await self._earlier(wanted, session, params)
            if earlier is not None:
                return cast("Answer", earlier)
            await check()
            return await self._answer(wanted, body, work)

        # Two at once get one answer, if they say the same.
        return cast("Answer", await self._flights.run((session, _digest(body)), once))

    async def _answer(
        self, wanted: UiaOperation, body: Json, work: Callable[[UiaResult], Awaitable[Answer]]
    ) -> Answer:
        result, one = await self._finished(wanted, body)
        answer = await work(result)
        digest = self._encrypt(one.interaction_id, {"digest": _digest(result.params)})
        sealed = self._encrypt(one.interaction_id, dict(answer))
        async with self._db.write() as conn:
            done = replace(one, params=digest, answer=sealed)
            await stored.add_interaction(conn, done, most=self._settings.max_sessions)
        return answer

    async def _earlier(self, wanted: UiaOperation, session: str, params: Json) -> dict[str, Any] | None:
        """The answer to the same request, if it was completed before in this session."""
        found = await self._kept(session)
        if found is None or found.answer is None or found.purpose != wanted.purpose:
            return None
        said = self._decrypt(found, found.params)
        return self._decrypt(found, found.answer) if said["digest"] == _digest(params) else None

    async def _finished(self, wanted: UiaOperation, body: Json) -> tuple[UiaResult, UiaSession]:
        params, auth = _parts(body)
        one = await self._begun(wanted, auth, params)
        first = self._first(one, params)
        if auth and auth.get("type") is not None:
            one = await self._pass(wanted, one, auth)
        if not any(set(flow) <= set(one.done) for flow in wanted.flows):
            raise self._needed(wanted, one)
        async with self._db.write() as conn:
            if not await stored.take_interaction(conn, one.interaction_id):
                raise _unknown()
        return UiaResult(first, UserId(one.user_id)), one

    async def check_stage(self, wanted: UiaOperation, session: str, kind: str) -> None:
        """Raise NotFound, Invalid or Forbidden unless this stage of this session can be completed on its own."""
        await self._at(wanted, session, kind)

    async def show(self, wanted: UiaOperation, session: str, auth: Json) -> None:
        """Complete one stage on its own, for fallback pages: the client repeats its request afterwards.

        Raises as `check_stage` does, and UiaRequired if `auth` does not pass the stage.
        """
        await self._pass(wanted, await self._at(wanted, session, str(auth["type"])), auth)

    async def purge(self) -> None:
        """Delete expired UIA sessions, batch by batch."""
        before_ms, gone = self._clock.now_ms() - self._settings.ttl_s * 1000, _PURGE_BATCH
        while gone == _PURGE_BATCH:
            async with self._db.write() as conn:
                gone = await stored.purge_interactions(conn, before_ms=before_ms, limit=_PURGE_BATCH)

    async def _begun(self, wanted: UiaOperation, auth: Json, params: Json) -> UiaSession:
        session = auth.get("session")
        if session is None:
            return await self._begin(wanted, params)
        if not isinstance(session, str):
            raise Invalid("auth.session must be a string", code="invalid_param")
        return await self._found(wanted, session)

    async def _at(self, wanted: UiaOperation, session: str, kind: str) -> UiaSession:
        if kind not in wanted.stages:
            raise NotFound("unknown stage", code="unknown_stage")
        return await self._found(wanted, session)

    async def _found(self, wanted: UiaOperation, session: str) -> UiaSession:
        found = await self._kept(session)
        if found is None or found.answer is not None:
            raise _unknown()
        if found.purpose != wanted.purpose or (wanted.user_id and wanted.user_id != found.user_id):
            raise Forbidden("this session was started for another request", code="request_changed")
        return found

    async def _kept(self, session: str) -> UiaSession | None:
        """A session that has not expired."""
        async with self._db.read() as conn:
            found = await stored.interaction(conn, session)
        oldest_ms = self._clock.now_ms() - self._settings.ttl_s * 1000
        return found if found is not None and found.created_ms >= oldest_ms else None

    async def _begin(self, wanted: UiaOperation, params: Json) -> UiaSession:
        if wanted.limited and not wanted.user_id:
            self._limits.check_address("login", wanted.address)
        interaction_id = secrets.token_urlsafe(18)
        # Of two of one millisecond the older one must go first.
        self._last_begun_ms = max(self._clock.now_ms(), self._last_begun_ms + 1)
        one = UiaSession(
            interaction_id=interaction_id,
            purpose=wanted.purpose,
            user_id=wanted.user_id,
            done=(),
            params=self._encrypt(interaction_id, self._kept_of(params)),
            created_ms=self._last_begun_ms,
            owner=wanted.user_id or address_key(wanted.address),
        )
        async with self._db.write() as conn:
            await stored.add_interaction(conn, one, most=self._settings.max_sessions)
        return one

    async def _pass(self, wanted: UiaOperation, one: UiaSession, auth: Json) -> UiaSession:
        """Check one stage, and store that it is completed."""
        kind = auth["type"]
        check = wanted.stages.get(kind) if isinstance(kind, str) else None
        if check is None:
            raise Invalid("unknown stage", code="unknown_stage")
        if kind in one.done and not one.user_id:  # else it may name another user than before
            return one
        try:
            named = await check(auth)
        except (Unauthenticated, Forbidden, Invalid) as error:
            raise self._needed(wanted, one, error) from error
        _check_same(one, named)  # no retryable error: the same password would fail again
        async with self._db.write() as conn:
            latest = await stored.lock_interaction(conn, one.interaction_id)
            if latest is None:
                raise _unknown()
            _check_same(latest, named)  # a concurrent request may have named a user meanwhile
            done = tuple(dict.fromkeys((*latest.done, str(kind))))
            latest = replace(latest, done=done, user_id=named or latest.user_id)
            await stored.set_progress(conn, latest)
        return latest

    def _needed(
        self, wanted: UiaOperation, one: UiaSession, error: HomeserverError | None = None
    ) -> UiaRequired:
        data: dict[str, object] = {
            "flows": [{"stages": list(flow)} for flow in wanted.flows],
            "params": dict(wanted.params),
            "session": one.interaction_id,
            "completed": list(one.done),
        }
        if error is not None:
            data["failed"] = error
        return UiaRequired(data)

    def _kept_of(self, params: Json) -> Json:
        """What is stored of a body: its digest, and if it is small the body."""
        digest = _digest(params)
        is_small = len(orjson.dumps(params)) <= self._settings.max_bytes
        return {"digest": digest, "params": params} if is_small else {"digest": digest}

    def _first(self, one: UiaSession, params: Json) -> Json:
        """The body that a session began with, which a later request may leave out if it is small.

        Raises Forbidden("request_changed") for another one, Invalid if it must be repeated.
        """
        said = self._decrypt(one, one.params)
        if params and _digest(params) != said["digest"]:
            raise Forbidden(
                "the request differs from the one that started this session", code="request_changed"
            )
        if params:
            return params
        if "params" not in said:
            raise Invalid("repeat the whole request with auth", code="missing_param")
        first: Json = said["params"]
        return first

    def _encrypt(self, interaction_id: str, value: Json) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, orjson.dumps(value), interaction_id.encode())

    def _decrypt(self, one: UiaSession, sealed: bytes) -> dict[str, Any]:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        found: dict[str, Any] = orjson.loads(self._cipher.decrypt(nonce, text, one.interaction_id.encode()))
        return found


def _parts(body: Json) -> tuple[Json, Json]:
    """The body without `auth`, and `auth`. Raises Invalid."""
    auth = body.get("auth")
    if auth is not None and not isinstance(auth, dict):
        raise Invalid("auth must be an object", code="invalid_param")
    return {name: value for name, value in body.items() if name != "auth"}, auth or {}


def _digest(value: Json) -> str:
    """Equal for equal JSON."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _check_same(one: UiaSession, named: UserId | None) -> None:
    """Raise Forbidden if a stage names another user than the session's."""
    if named and one.user_id not in ("", named):
        raise Forbidden("this session is another user's", code="bad_credentials")


def _unknown() -> Invalid:
    return Invalid("unknown or expired session; start again", code="unknown_interaction")

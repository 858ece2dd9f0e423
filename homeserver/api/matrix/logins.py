"""Sessions: log in, refresh, log out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from homeserver.api.matrix import schemas
from homeserver.api.matrix.schemas import DeviceParams, Login, Refresh
from homeserver.api.matrix.uia import Passwords
from homeserver.errors import Forbidden, Invalid, Unauthenticated
from homeserver.http.body import JsonObject
from homeserver.http.routes import Call, Route
from homeserver.model import Person
from homeserver.protocol.ids import DeviceId
from homeserver.services.auth.jwt_login import JwtLogin
from homeserver.services.auth.logintokens import LoginTokens
from homeserver.services.auth.sessions import NewSession, Sessions
from homeserver.services.auth.uia import PASSWORD

BY_TOKEN = "m.login.token"  # noqa: S105 - the name of a way to log in
VOUCHED = "org.matrix.login.jwt"  # with a token of a host application: what other servers call it, too


@dataclass(frozen=True, slots=True)
class LoginServices:
    """What these calls need. `address`: whose request it is, for limits and for the person to see."""

    sessions: Sessions
    passwords: Passwords
    hosts: JwtLogin
    tokens: LoginTokens
    address: Callable[[web.Request], str]


class Logins:
    """The calls under login, logout and refresh."""

    def __init__(self, services: LoginServices, *, public_url: str, server_name: str) -> None:
        self._services = services
        self._sessions = services.sessions
        self._public_url = public_url
        self._server_name = server_name

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        root = "/client/v3"
        return (
            Route("GET", f"{root}/login", self.flows, "Ways to log in", answer=schemas.Flows, public=True),
            Route(
                "POST",
                f"{root}/login",
                self.login,
                "Log in",
                body=Login,
                answer=schemas.LoggedIn,
                public=True,
                errors={403: "Wrong name or password."},
            ),
            Route(
                "POST",
                f"{root}/refresh",
                self.refresh,
                "New tokens for a refresh token",
                body=Refresh,
                answer=schemas.Refreshed,
                public=True,
                errors={401: "The refresh token is unknown, expired or was used before."},
            ),
            *self._of_the_known(),
        )

    def _of_the_known(self) -> Sequence[Route]:
        root = "/client/v3"
        return (
            Route(
                "POST",
                "/client/v1/login/get_token",
                self.token,
                "A token that lets another own device in",
                body=JsonObject,
                answer=schemas.LoginToken,
            ),
            Route(
                "POST", f"{root}/logout", self.logout, "End this session", answer=schemas.Empty, locked=True
            ),
            Route(
                "POST",
                f"{root}/logout/all",
                self.logout_all,
                "End all sessions",
                answer=schemas.Empty,
                locked=True,
            ),
        )

    async def flows(self, _: Call[None, None]) -> schemas.Flows:
        """What `login` takes."""
        vouched: list[schemas.Flow] = [{"type": VOUCHED}] if self._services.hosts.has_issuers else []
        return {"flows": [{"type": PASSWORD}, {"type": BY_TOKEN, "get_login_token": True}, *vouched]}

    async def login(self, call: Call[Login, None]) -> schemas.LoggedIn:
        """Start a session with a password, a log-in token, or a host application's word."""
        body, services = call.body, self._services
        if body.type == VOUCHED and services.hosts.has_issuers:
            person = await self._vouched(_given(body.token, "token"))
        elif body.type == BY_TOKEN:
            person = await services.tokens.take(_given(body.token, "token"), services.address(call.request))
        elif body.type == PASSWORD:
            person = await services.passwords.check(body, _given(body.password, "password"), call.request)
        else:
            raise Invalid("there is no such way to log in here", code="unknown_stage")
        return await self.open(person, body, call.request)

    async def _vouched(self, token: str) -> Person:
        """Whom a host application's token is of."""
        try:
            return await self._services.hosts.person(token)
        except Unauthenticated as refused:
            if refused.code == "deactivated":
                raise
            # Here 401 would say that the client's own session has ended.
            raise Forbidden(refused.message, code="bad_credentials") from refused

    async def open(self, person: Person, wish: DeviceParams, request: web.Request) -> schemas.LoggedIn:
        """A new session as a client wishes it."""
        new = NewSession(
            device_name=wish.initial_device_display_name or "",
            device_id=DeviceId(wish.device_id) if wish.device_id is not None else None,
            address=self._services.address(request),
            agent=request.headers.get("User-Agent", ""),
            even_suspended=True,
        )
        answer: schemas.LoggedIn = {
            "user_id": person.user_id,
            "home_server": self._server_name,
            "well_known": {"m.homeserver": {"base_url": self._public_url}},
        }
        if not wish.refresh_token:
            lasting = await self._sessions.begin_lasting(person, new)
            return {**answer, "access_token": lasting.access_token, "device_id": lasting.device_id}
        made = await self._sessions.begin(person, new)
        return {
            **answer,
            "access_token": made.access_token,
            "device_id": made.device_id,
            "refresh_token": made.refresh_token,
            "expires_in_ms": made.expires_in_s * 1000,
        }

    async def refresh(self, call: Call[Refresh, None]) -> schemas.Refreshed:
        """Trade a refresh token for a new pair."""
        address = self._services.address(call.request)
        made = await self._sessions.refresh(call.body.refresh_token, address, even_suspended=True)
        return {
            "access_token": made.access_token,
            "refresh_token": made.refresh_token,
            "expires_in_ms": made.expires_in_s * 1000,
        }

    async def token(self, call: Call[JsonObject, None]) -> schemas.LoginToken:
        """Asks for the password, each time anew."""
        services = self._services
        await services.passwords.prove(call, "POST login/get_token")
        made = await services.tokens.create(call.requester)
        return {"login_token": made, "expires_in_ms": services.tokens.ttl_s * 1000}

    async def logout(self, call: Call[None, None]) -> schemas.Empty:
        """End the session of the token."""
        await self._sessions.end(call.requester)
        return {}

    async def logout_all(self, call: Call[None, None]) -> schemas.Empty:
        """End every session of the person."""
        await self._sessions.end_all(call.requester)
        return {}


def _given(value: str | None, name: str) -> str:
    if value is None:
        raise Invalid(f"{name}: is required", code="missing_param")
    return value

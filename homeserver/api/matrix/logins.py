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

BY_TOKEN = "m.login.token"  # noqa: S105 - the name of a login type
VOUCHED = "org.matrix.login.jwt"  # a host application's JWT; other homeservers use the same name


@dataclass(frozen=True, slots=True)
class LoginServices:
    """The services of these handlers. `address`: the client's address, for limits and for the device list."""

    sessions: Sessions
    passwords: Passwords
    hosts: JwtLogin
    tokens: LoginTokens
    address: Callable[[web.Request], str]


class Logins:
    """The handlers under login, logout and refresh."""

    def __init__(self, services: LoginServices, *, public_url: str, server_name: str) -> None:
        self._services = services
        self._sessions = services.sessions
        self._public_url = public_url
        self._server_name = server_name

    def routes(self) -> Sequence[Route]:
        """The routes."""
        root = "/client/v3"
        return (
            Route(
                "GET", f"{root}/login", self.flows, "List the login types", answer=schemas.Flows, public=True
            ),
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
                "Refresh an access token",
                body=Refresh,
                answer=schemas.Refreshed,
                public=True,
                errors={401: "The refresh token is unknown, expired or was used before."},
            ),
            *self._session_routes(),
        )

    def _session_routes(self) -> Sequence[Route]:
        root = "/client/v3"
        return (
            Route(
                "POST",
                "/client/v1/login/get_token",
                self.token,
                "Get a login token for another device",
                body=JsonObject,
                answer=schemas.LoginToken,
            ),
            Route("POST", f"{root}/logout", self.logout, "Log out", answer=schemas.Empty, locked=True),
            Route(
                "POST",
                f"{root}/logout/all",
                self.logout_all,
                "Log out everywhere",
                answer=schemas.Empty,
                locked=True,
            ),
        )

    async def flows(self, _: Call[None, None]) -> schemas.Flows:
        """`GET /_matrix/client/v3/login`: list the login types that `POST /login` takes.

        Spec: client-server API, "Session management".
        """
        vouched: list[schemas.Flow] = [{"type": VOUCHED}] if self._services.hosts.has_issuers else []
        return {"flows": [{"type": PASSWORD}, {"type": BY_TOKEN, "get_login_token": True}, *vouched]}

    async def login(self, call: Call[Login, None]) -> schemas.LoggedIn:
        """`POST /_matrix/client/v3/login`: start a session with a password, a login token, or a host
        application's JWT.

        Spec: client-server API, "Session management".
        Errors: M_FORBIDDEN (wrong password or token), M_USER_DEACTIVATED, M_UNRECOGNIZED (unknown login
          type), M_MISSING_PARAM.
        """
        body, services = call.body, self._services
        if body.type == VOUCHED and services.hosts.has_issuers:
            person = await self._jwt_user(_given(body.token, "token"))
        elif body.type == BY_TOKEN:
            person = await services.tokens.take(_given(body.token, "token"), services.address(call.request))
        elif body.type == PASSWORD:
            person = await services.passwords.check(body, _given(body.password, "password"), call.request)
        else:
            raise Invalid("unknown login type", code="unknown_stage")
        return await self.open(person, body, call.request)

    async def _jwt_user(self, token: str) -> Person:
        """The user of a host application's token."""
        try:
            return await self._services.hosts.person(token)
        except Unauthenticated as refused:
            if refused.code == "deactivated":
                raise
            # A 401 would mean that the client's own session has ended.
            raise Forbidden(refused.message, code="bad_credentials") from refused

    async def open(self, person: Person, wish: DeviceParams, request: web.Request) -> schemas.LoggedIn:
        """Start a session with the device parameters of the client."""
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
        """`POST /_matrix/client/v3/refresh`: exchange a refresh token for a new access and refresh token.

        The old refresh token stays usable until one of the new tokens is used; its use after that ends the
        session.

        Spec: client-server API, "Session management".
        Errors: M_UNKNOWN_TOKEN.
        """
        address = self._services.address(call.request)
        made = await self._sessions.refresh(call.body.refresh_token, address, even_suspended=True)
        return {
            "access_token": made.access_token,
            "refresh_token": made.refresh_token,
            "expires_in_ms": made.expires_in_s * 1000,
        }

    async def token(self, call: Call[JsonObject, None]) -> schemas.LoginToken:
        """`POST /_matrix/client/v1/login/get_token`: make a login token for another of the user's own
        devices.

        Asks for the password (UIA) each time.

        Spec: client-server API, "Session management".
        Errors: 401 with `flows` (UIA).
        """
        services = self._services
        await services.passwords.prove(call, "POST login/get_token")
        made = await services.tokens.create(call.requester)
        return {"login_token": made, "expires_in_ms": services.tokens.ttl_s * 1000}

    async def logout(self, call: Call[None, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/logout`: end the session of the access token, and delete its device.

        Spec: client-server API, "Session management".
        """
        await self._sessions.end(call.requester)
        return {}

    async def logout_all(self, call: Call[None, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/logout/all`: end all sessions of the user.

        Spec: client-server API, "Session management".
        """
        await self._sessions.end_all(call.requester)
        return {}


def _given(value: str | None, name: str) -> str:
    if value is None:
        raise Invalid(f"{name}: is required", code="missing_param")
    return value

"""Accounts and sessions: register, log in, refresh, log out."""

from collections.abc import Callable, Sequence

from aiohttp import web

from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import Login, Refresh, Registration
from homeserver.api.messenger.shape import Views
from homeserver.http.routes import Call, Route
from homeserver.model import Person
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.auth.sessions import NewSession, Sessions, Tokens


class Logins:
    """The handlers under `auth/`, except for `auth/me`."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        address: Callable[[web.Request], str],
        views: Views,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._address = address
        self._views = views

    def routes(self) -> Sequence[Route]:
        """The routes."""
        tags = ("Auth",)
        return (
            Route(
                "POST",
                "/auth/register",
                self.register,
                "Register an account and log in",
                body=Registration,
                answer=schemas.Tokens,
                status=201,
                tags=tags,
                public=True,
                errors={403: "Registration is closed.", 409: "The e-mail address or the tag is taken."},
            ),
            Route(
                "POST",
                "/auth/login",
                self.login,
                "Log in",
                body=Login,
                answer=schemas.Tokens,
                tags=tags,
                public=True,
                errors={401: "Wrong e-mail or password.", 403: "The account is suspended."},
            ),
            Route(
                "POST",
                "/auth/refresh",
                self.refresh,
                "Refresh an access token",
                body=Refresh,
                answer=schemas.Tokens,
                tags=tags,
                public=True,
                errors={401: "The refresh token is unknown, expired or was used before."},
            ),
            Route("POST", "/auth/logout", self.logout, "Log out", status=204, tags=tags),
        )

    async def register(self, call: Call[Registration, None]) -> schemas.Tokens:
        """`POST /api/v1/auth/register`: register an account and start its first session.

        Errors: registration_closed, bad_email, email_in_use, tag_in_use, password_too_short,
          password_too_long.
        """
        body = call.body
        person = await self._accounts.register(
            email=body.email,
            password=body.password,
            display_name=body.display_name,
            tag=body.tag or None,
            address=self._address(call.request),
        )
        return await self._start(person, call.request)

    async def login(self, call: Call[Login, None]) -> schemas.Tokens:
        """`POST /api/v1/auth/login`: start a session with e-mail and password.

        Errors: bad_credentials, deactivated, suspended.
        """
        person = await self._accounts.check_password(
            email=call.body.email, password=call.body.password, address=self._address(call.request)
        )
        return await self._start(person, call.request)

    async def refresh(self, call: Call[Refresh, None]) -> schemas.Tokens:
        """`POST /api/v1/auth/refresh`: exchange a refresh token for a new pair.

        The old one stays usable until one of the new tokens is used.

        Errors: unknown_token, refresh_token_reused.
        """
        made = await self._sessions.refresh(call.body.refresh_token, self._address(call.request))
        return self._shown(made)

    async def logout(self, call: Call[None, None]) -> None:
        """`POST /api/v1/auth/logout`: end the session of the access token and close its WebSockets."""
        await self._sessions.end(call.requester)

    async def _start(self, person: Person, request: web.Request) -> schemas.Tokens:
        agent = request.headers.get("User-Agent", "")
        new = NewSession(device_name=agent, address=self._address(request), agent=agent)
        return self._shown(await self._sessions.begin(person, new))

    def _shown(self, made: Tokens) -> schemas.Tokens:
        return shape.tokens(made, self._views.in_namespace(0))

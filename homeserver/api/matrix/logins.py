"""Sessions: log in, refresh, log out."""

from collections.abc import Sequence

from homeserver.api.matrix import schemas
from homeserver.api.matrix.people import Passwords
from homeserver.api.matrix.schemas import DeviceWish, Login, Refresh
from homeserver.errors import Forbidden, Invalid, Unauthenticated
from homeserver.http.routes import Call, Route
from homeserver.model import Person
from homeserver.protocol.ids import DeviceId
from homeserver.services.hosts import Hosts
from homeserver.services.interactive import PASSWORD
from homeserver.services.sessions import Sessions

VOUCHED = "org.matrix.login.jwt"  # with a token of a host application: what other servers call it, too


class Logins:
    """The calls under login, logout and refresh."""

    def __init__(
        self, *, sessions: Sessions, passwords: Passwords, hosts: Hosts, public_url: str, server_name: str
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._hosts = hosts
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
            Route("POST", f"{root}/logout", self.logout, "End this session", answer=schemas.Empty),
            Route("POST", f"{root}/logout/all", self.logout_all, "End all sessions", answer=schemas.Empty),
        )

    async def flows(self, _: Call[None, None]) -> schemas.Flows:
        """What `login` takes."""
        vouched: list[schemas.Flow] = [{"type": VOUCHED}] if self._hosts.has_issuers else []
        return {"flows": [{"type": PASSWORD}, *vouched]}

    async def login(self, call: Call[Login, None]) -> schemas.LoggedIn:
        """Start a session with a password, or with a host application's word."""
        body = call.body
        if body.type == VOUCHED and self._hosts.has_issuers:
            return await self.open(await self._vouched(body.token), body)
        if body.type != PASSWORD:
            raise Invalid("there is no such way to log in here", code="unknown_stage")
        if body.password is None:
            raise Invalid("password: is required", code="missing_param")
        person = await self._passwords.check(body, body.password, call.request)
        return await self.open(person, body)

    async def _vouched(self, token: str | None) -> Person:
        """Whom a host application's token is of."""
        if token is None:
            raise Invalid("token: is required", code="missing_param")
        try:
            return await self._hosts.person(token)
        except Unauthenticated as refused:
            if refused.code == "deactivated":
                raise
            # Here 401 would say that the client's own session has ended.
            raise Forbidden(refused.message, code="bad_credentials") from refused

    async def open(self, person: Person, wish: DeviceWish) -> schemas.LoggedIn:
        """A new session as a client wishes it."""
        name = wish.initial_device_display_name or ""
        device_id = DeviceId(wish.device_id) if wish.device_id is not None else None
        answer: schemas.LoggedIn = {
            "user_id": person.user_id,
            "home_server": self._server_name,
            "well_known": {"m.homeserver": {"base_url": self._public_url}},
        }
        if not wish.refresh_token:
            lasting = await self._sessions.start_lasting(person, name, device_id)
            return {**answer, "access_token": lasting.access_token, "device_id": lasting.device_id}
        made = await self._sessions.start(person, name, device_id)
        return {
            **answer,
            "access_token": made.access_token,
            "device_id": made.device_id,
            "refresh_token": made.refresh_token,
            "expires_in_ms": made.expires_in_s * 1000,
        }

    async def refresh(self, call: Call[Refresh, None]) -> schemas.Refreshed:
        """Trade a refresh token for a new pair."""
        made = await self._sessions.refresh(call.body.refresh_token)
        return {
            "access_token": made.access_token,
            "refresh_token": made.refresh_token,
            "expires_in_ms": made.expires_in_s * 1000,
        }

    async def logout(self, call: Call[None, None]) -> schemas.Empty:
        """End the session of the token."""
        await self._sessions.end(call.requester)
        return {}

    async def logout_all(self, call: Call[None, None]) -> schemas.Empty:
        """End every session of the person."""
        await self._sessions.end_all(call.requester)
        return {}

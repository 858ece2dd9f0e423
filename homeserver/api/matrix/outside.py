"""Services beside this one: TURN servers, those who ask who a person is, and bridged networks."""

from collections.abc import Sequence

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.clock import Clock
from homeserver.errors import Forbidden, NotFound
from homeserver.http.body import JsonObject, Query
from homeserver.http.routes import Call, Route
from homeserver.services.auth.openid import TTL_S, OpenIds
from homeserver.services.voip.turn import turn_credentials
from homeserver.settings.models import TurnSettings


class TurnServer(TypedDict):
    username: str
    password: str
    uris: list[str]
    ttl: int


class OpenIdToken(TypedDict):
    access_token: str
    token_type: str
    matrix_server_name: str
    expires_in: int


class UserInfo(TypedDict):
    sub: str


class UserInfoQuery(Query):
    access_token: str = Field(max_length=1000)


class AliasQuery(Query):
    alias: str = Field(max_length=1000)


class UserQuery(Query):
    userid: str = Field(max_length=1000)


class OutsideCalls:
    """The calls under voip, openid and thirdparty. No network is bridged, so look-ups there find nothing."""

    def __init__(self, openids: OpenIds, *, turn: TurnSettings, clock: Clock, server_name: str) -> None:
        self._openids = openids
        self._turn = turn
        self._clock = clock
        self._server_name = server_name

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        root, networks = "/client/v3", "/client/v3/thirdparty"
        return (
            Route(
                "GET",
                f"{root}/voip/turnServer",
                self.turn,
                "Relays for calls",
                answer=TurnServer,
                errors={404: "This server has no TURN servers."},
            ),
            Route(
                "POST",
                f"{root}/user/{{user_id}}/openid/request_token",
                self.openid,
                "A token that tells other services who one is",
                body=JsonObject,
                answer=OpenIdToken,
            ),
            Route(
                "GET",
                "/federation/v1/openid/userinfo",
                self.userinfo,
                "Whose OpenID token this is",
                query=UserInfoQuery,
                answer=UserInfo,
                public=True,
                errors={401: "The token is unknown or has expired."},
            ),
            Route(
                "GET", f"{networks}/protocols", self.protocols, "Bridged networks", answer=dict[str, object]
            ),
            Route("GET", f"{networks}/protocol/{{protocol}}", self.unknown, "A bridged network"),
            Route("GET", f"{networks}/location/{{protocol}}", self.unknown, "Rooms of a bridged network"),
            Route("GET", f"{networks}/user/{{protocol}}", self.unknown, "People of a bridged network"),
            Route(
                "GET",
                f"{networks}/location",
                self.nothing,
                "Where in bridged networks a room is",
                query=AliasQuery,
                answer=list[object],
            ),
            Route(
                "GET",
                f"{networks}/user",
                self.nothing,
                "Who a person is in bridged networks",
                query=UserQuery,
                answer=list[object],
            ),
        )

    async def turn(self, call: Call[None, None]) -> TurnServer:
        """Addresses and credentials. All fields are required; MSC4166 has the answer where there are none."""
        made = turn_credentials(self._turn, call.requester.user_id, self._clock.now_ms())
        if made is None:
            raise NotFound("this server has no TURN servers", code="turn_not_found")
        return {
            "username": made.username,
            "password": made.password,
            "uris": list(self._turn.uris),
            "ttl": self._turn.ttl_s,
        }

    async def openid(self, call: Call[JsonObject, None]) -> OpenIdToken:
        """Only for oneself."""
        if call.text("user_id") != call.requester.user_id:
            raise Forbidden("this is somebody else", code="not_yours")
        return {
            "access_token": self._openids.make(call.requester.user_id),
            "token_type": "Bearer",
            "matrix_server_name": self._server_name,
            "expires_in": TTL_S,
        }

    async def userinfo(self, call: Call[None, UserInfoQuery]) -> UserInfo:
        """Asked by other services, which have no token of ours."""
        return {"sub": await self._openids.person(call.query.access_token)}

    async def protocols(self, _: Call[None, None]) -> dict[str, object]:
        """By name."""
        return {}

    async def unknown(self, _: Call[None, None]) -> None:
        """No name is one of a bridged network."""
        raise NotFound("no such network is bridged here", code="unknown_protocol")

    async def nothing(self, _: Call[None, AliasQuery] | Call[None, UserQuery]) -> list[object]:
        """Nobody and no room is in one."""
        return []

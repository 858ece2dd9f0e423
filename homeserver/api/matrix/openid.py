"""OpenID tokens: by which a user proves to another service who they are (client-server API, "OpenID")."""

from collections.abc import Sequence

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.errors import Forbidden, Unauthenticated
from homeserver.http.body import JsonObject, Query
from homeserver.http.routes import Call, Route
from homeserver.services.auth.openid import TTL_S, OpenIds


class OpenIdToken(TypedDict):
    access_token: str
    token_type: str
    matrix_server_name: str
    expires_in: int


class UserInfo(TypedDict):
    sub: str


class UserInfoQuery(Query):
    access_token: str | None = Field(default=None)  # absent is 401, as for other calls


class OpenIdCalls:
    """The handlers of openid/request_token and openid/userinfo."""

    def __init__(self, openids: OpenIds, *, server_name: str) -> None:
        self._openids = openids
        self._server_name = server_name

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "POST",
                "/client/v3/user/{user_id}/openid/request_token",
                self.openid,
                "Request an OpenID token",
                body=JsonObject,
                answer=OpenIdToken,
            ),
            self.route("/federation/v1/openid/userinfo"),
        )

    def route(self, path: str) -> Route:
        """The call of other services, at this path: it is one of the server-server API."""
        return Route(
            "GET",
            path,
            self.userinfo,
            "Look up an OpenID token's user",
            query=UserInfoQuery,
            answer=UserInfo,
            public=True,
            errors={401: "The token is missing, unknown or has expired."},
        )

    async def openid(self, call: Call[JsonObject, None]) -> OpenIdToken:
        """`POST /_matrix/client/v3/user/{user_id}/openid/request_token`: make a token by which another
        service can verify who the user is.

        Spec: client-server API, "OpenID".
        Errors: M_FORBIDDEN (another user's id).
        """
        if call.text("user_id") != call.requester.user_id:
            raise Forbidden("not your account", code="not_yours")
        return {
            "access_token": self._openids.make(call.requester.user_id),
            "token_type": "Bearer",
            "matrix_server_name": self._server_name,
            "expires_in": TTL_S,
        }

    async def userinfo(self, call: Call[None, UserInfoQuery]) -> UserInfo:
        """`GET /_matrix/federation/v1/openid/userinfo`: the user that an OpenID token was made for.

        Called by other services; the token in the query is the credential.

        Spec: server-server API, "OpenID".
        Errors: M_MISSING_TOKEN, M_UNKNOWN_TOKEN (unknown or expired token, or a deactivated account).
        """
        if call.query.access_token is None:
            raise Unauthenticated("an OpenID token is required", code="missing_token")
        return {"sub": await self._openids.person(call.query.access_token)}

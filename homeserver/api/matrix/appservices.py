"""The calls of application services. There are none at this server, so whoever calls is refused."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from homeserver.errors import Forbidden
from homeserver.http.body import Body
from homeserver.http.routes import Call, Route


class Ping(Body):
    transaction_id: str | None = None


class Pinged(TypedDict):
    duration_ms: int


class AppServiceCalls:
    """The handler of the ping."""

    def routes(self) -> Sequence[Route]:
        """The route."""
        return (
            Route(
                "POST",
                "/client/v1/appservice/{appservice_id}/ping",
                self.ping,
                "Ping an application service",
                body=Ping,
                answer=Pinged,
            ),
        )

    async def ping(self, _: Call[Ping, Any]) -> Pinged:
        """`POST /_matrix/client/v1/appservice/{appservice_id}/ping`: ask the server to call an application service.

        Spec: client-server API, "Application service API extensions".
        Errors: M_FORBIDDEN (the token belongs to no application service).
        """
        raise Forbidden("the access token belongs to no application service", code="no_appservice")

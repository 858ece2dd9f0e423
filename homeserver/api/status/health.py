"""`/health`: the process answers. `/ready`: it can also serve requests."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from typing_extensions import TypedDict

from homeserver.http.routes import Call, Route


class Healthy(TypedDict):
    status: Literal["healthy"]
    service: Literal["chat"]


class Ready(TypedDict):
    status: Literal["ready"]


class Health:
    """The handlers for load balancers and supervisors.

    `check` raises Unavailable while the server starts or stops or its database is not available.
    """

    def __init__(self, *, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "GET",
                "/health",
                self.health,
                "Does the server run?",
                answer=Healthy,
                tags=("Server",),
                public=True,
            ),
            Route(
                "GET",
                "/ready",
                self.ready,
                "Can the server do its work?",
                answer=Ready,
                tags=("Server",),
                public=True,
            ),
        )

    async def health(self, _call: Call[None, None]) -> Healthy:
        """`GET /health`: the process answers."""
        return {"status": "healthy", "service": "chat"}

    async def ready(self, _call: Call[None, None]) -> Ready:
        """`GET /ready`: the server has started and reaches its database.

        Errors: 503 while it starts or stops, the database is away, or hardly any disk space is left.
        """
        await self._check()
        return {"status": "ready"}

"""Third-party lookups (client-server API, "Third-party lookups"). No network is bridged, so they find nothing."""

from collections.abc import Sequence

from pydantic import Field

from homeserver.errors import NotFound
from homeserver.http.body import Query
from homeserver.http.routes import Call, Route


class AliasQuery(Query):
    alias: str = Field(max_length=1000)


class UserQuery(Query):
    userid: str = Field(max_length=1000)


class ThirdPartyCalls:
    """The handlers under thirdparty."""

    def routes(self) -> Sequence[Route]:
        """The routes."""
        networks = "/client/v3/thirdparty"
        location, user = f"{networks}/location", f"{networks}/user"
        by_protocol = (
            (f"{networks}/protocol/{{protocol}}", "Get a third-party protocol"),
            (f"{location}/{{protocol}}", "Look up third-party locations by protocol"),
            (f"{user}/{{protocol}}", "Look up third-party users by protocol"),
        )
        return (
            Route(
                "GET",
                f"{networks}/protocols",
                self.protocols,
                "List third-party protocols",
                answer=dict[str, object],
            ),
            *(Route("GET", path, self.lookup_protocol, summary) for path, summary in by_protocol),
            Route(
                "GET",
                location,
                self.lookup,
                "Look up third-party locations of an alias",
                query=AliasQuery,
                answer=list[object],
            ),
            Route(
                "GET",
                user,
                self.lookup,
                "Look up third-party users of a user ID",
                query=UserQuery,
                answer=list[object],
            ),
        )

    async def protocols(self, _: Call[None, None]) -> dict[str, object]:
        """`GET /_matrix/client/v3/thirdparty/protocols`: list the protocols of bridged networks: none.

        Spec: client-server API, "Third-party Lookup".
        """
        return {}

    async def lookup_protocol(self, _: Call[None, None]) -> None:
        """`GET /_matrix/client/v3/thirdparty/protocol/{protocol}`,
        `GET /_matrix/client/v3/thirdparty/location/{protocol}`,
        `GET /_matrix/client/v3/thirdparty/user/{protocol}`: look up a bridged network, its rooms or its
        users.

        No network is bridged.

        Spec: client-server API, "Third-party Lookup".
        Errors: M_NOT_FOUND, always.
        """
        raise NotFound("unknown third-party protocol", code="unknown_protocol")

    async def lookup(self, _: Call[None, AliasQuery] | Call[None, UserQuery]) -> list[object]:
        """`GET /_matrix/client/v3/thirdparty/location`,
        `GET /_matrix/client/v3/thirdparty/user`: look up a room or a user in bridged networks: an empty list,
        always.

        Spec: client-server API, "Third-party Lookup".
        """
        return []

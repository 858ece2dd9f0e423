"""Published keys, and the version of this server: calls without a signature."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from homeserver.federation.transport.keyserver import KeyServer
from homeserver.http.body import Body, Query
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import ServerName, is_server_name

_Name = Annotated[str, StringConstraints(max_length=255)]
_Time = Annotated[int, Field(ge=0, le=2**53 - 1)]


class Minimum(Query):
    """Until when the answer must be valid at least."""

    minimum_valid_until_ts: _Time = 0


class Criteria(Body):
    """The same for one key."""

    minimum_valid_until_ts: _Time = 0


class Wanted(Body):
    """Keys by server and id; without ids all of the server."""

    server_keys: Annotated[
        Mapping[_Name, Annotated[Mapping[_Name, Criteria], Field(max_length=100)]], Field(max_length=1000)
    ]


class KeyCalls:
    """The handlers."""

    def __init__(self, keys: KeyServer) -> None:
        self._keys = keys

    def routes(self) -> Sequence[Route]:
        """The routes below /_matrix/key."""
        return (
            Route("GET", "/v2/server", self.own, "Get the keys of this server", public=True),
            Route("GET", "/v2/server/{key_id}", self.own, "Get the keys of this server", public=True),
            Route(
                "GET",
                "/v2/query/{server_name}",
                self.query_one,
                "Get the keys of another server",
                query=Minimum,
                public=True,
            ),
            Route("POST", "/v2/query", self.query, "Get the keys of other servers", body=Wanted, public=True),
        )

    async def own(self, _: Call[None, None]) -> dict[str, Any]:
        """`GET /_matrix/key/v2/server`: the keys of this server, signed by it; the same with an id after it, which is
        deprecated.

        Spec: server-server API, "Publishing Keys".
        """
        return self._keys.own()

    async def query_one(self, call: Call[None, Minimum]) -> dict[str, Any]:
        """`GET /_matrix/key/v2/query/{server_name}`: what another server says of its keys, signed by it and by us; no
        answer if it does not say anything.

        Spec: server-server API, "Querying Keys Through Another Server".
        """
        name = call.text("server_name")
        return await self._answer({name: call.query.minimum_valid_until_ts})

    async def query(self, call: Call[Wanted, None]) -> dict[str, Any]:
        """`POST /_matrix/key/v2/query`: the same for several servers.

        Spec: server-server API, "Querying Keys Through Another Server".
        Errors: M_BAD_JSON.
        """
        wanted = {
            name: max((one.minimum_valid_until_ts for one in keys.values()), default=0)
            for name, keys in call.body.server_keys.items()
        }
        return await self._answer(wanted)

    async def _answer(self, wanted: Mapping[str, int]) -> dict[str, Any]:
        named = {ServerName(name): until_ms for name, until_ms in wanted.items() if is_server_name(name)}
        return {"server_keys": await self._keys.query(named)}


class VersionCalls:
    """What this server is."""

    def routes(self) -> Sequence[Route]:
        """The routes below /_matrix/federation."""
        return (Route("GET", "/v1/version", self.version, "Get the version of this server", public=True),)

    async def version(self, _: Call[None, None]) -> dict[str, Any]:
        """`GET /_matrix/federation/v1/version`: the name and version of this server.

        Spec: server-server API, "Server implementation".
        """
        return {"server": {"name": "homeserver", "version": version("homeserver")}}

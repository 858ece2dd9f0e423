"""Requests to other servers: found, signed, bounded in time and size, and only where the operator allows it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from homeserver.errors import Upstream
from homeserver.federation.transport import xmatrix
from homeserver.federation.transport.discovery import Discovery, Target
from homeserver.net.client import HttpClient, Request, Response
from homeserver.net.errors import DeadlineExceeded, Refused, RequestFailed, Unreachable
from homeserver.protocol import canonical
from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import BadJson
from homeserver.protocol.globs import GlobText
from homeserver.protocol.ids import ServerName
from homeserver.protocol.signing import SigningKey

_MOST_TRIED: Final = 5  # addresses of one server
_KEYS_BYTES: Final = 65_536
_KEYS_S: Final = 10.0


class Denied(RequestFailed):
    """The operator's lists do not allow this server."""

    code = "server_denied"


class RemoteError(Upstream):
    """Another server refused a request: its status and its errcode ("" if it gave none)."""

    code = "remote_refused"

    def __init__(self, status: int, errcode: str, error: str, body: JsonObject) -> None:
        super().__init__(error or f"the other server answered {status}")
        self.status = status
        self.errcode = errcode
        self.body = body


class Lists:
    """The server names that are allowed and denied, as globs without regard to case. No `allow`: all are."""

    def __init__(self, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> None:
        self._allow = [one.lower() for one in allow]
        self._deny = [one.lower() for one in deny]

    def admits(self, server: str) -> bool:
        """Whether there is anything to do with a server."""
        name = GlobText(server.lower())
        if any(name.matches(glob) for glob in self._deny):
            return False
        return not self._allow or any(name.matches(glob) for glob in self._allow)


@dataclass(frozen=True, slots=True)
class Call:
    """A request of ours. `path` is encoded already; `content`: None without a body; `max_bytes`: of the answer."""

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]] | None = None
    content: JsonObject | None = None
    timeout_s: float = 30.0
    max_bytes: int = 10 * 2**20

    @property
    def uri(self) -> str:
        """Path and query as on the request line."""
        url = URL(self.path, encoded=True)
        return str(url.with_query(self.query) if self.query else url)


class FederationClient:
    """Calls other servers in the name of this one."""

    def __init__(
        self,
        http: HttpClient,
        discovery: Discovery,
        lists: Lists,
        *,
        server: ServerName,
        key: SigningKey,
    ) -> None:
        self._http = http
        self._discovery = discovery
        self._lists = lists
        self._server = server
        self._key = key

    async def call(self, server: ServerName, call: Call) -> JsonObject:
        """The answer of a signed request. Raises RemoteError, Denied or another RequestFailed."""
        signed = xmatrix.header(
            self._key,
            call.method,
            call.uri,
            origin=self._server,
            destination=server,
            content=call.content,
        )
        return await self._ask(server, call, {"Authorization": signed})

    async def keys(self, server: ServerName) -> JsonObject:
        """What a server says of its keys. Raises as `call` does."""
        asked = Call("GET", "/_matrix/key/v2/server", timeout_s=_KEYS_S, max_bytes=_KEYS_BYTES)
        return await self._ask(server, asked, {})

    async def _ask(self, server: ServerName, call: Call, headers: Mapping[str, str]) -> JsonObject:
        if not self._lists.admits(server):
            raise Denied("this server is not talked to")
        try:
            async with asyncio.timeout(call.timeout_s):
                return _content(await self._reach(server, call, headers))
        except TimeoutError as error:
            raise DeadlineExceeded("no answer in time") from error

    async def _reach(self, server: ServerName, call: Call, headers: Mapping[str, str]) -> Response:
        """The answer of the first address that can be connected to."""
        failure: RequestFailed = Unreachable("the server has no address")
        for target in (await self._discovery.targets(server))[:_MOST_TRIED]:
            try:
                return await self._http.request(_request(target, call, headers))
            except (Unreachable, Refused) as error:
                failure = error
        raise failure


def _request(target: Target, call: Call, headers: Mapping[str, str]) -> Request:
    host = f"[{target.host}]" if ":" in target.host else target.host
    sent = {"Host": target.host_header, "Accept": "application/json", **headers}
    body = None
    if call.content is not None:
        body = canonical.encode(call.content)
        sent["Content-Type"] = "application/json"
    return Request(
        call.method,
        URL(f"https://{host}:{target.port}{call.uri}", encoded=True),
        call.timeout_s,
        call.max_bytes,
        headers=sent,
        body=body,
        unpack=True,
        server_hostname=target.tls_name,
    )


def _content(answer: Response) -> dict[str, Any]:
    try:
        content = canonical.decode(answer.body) if answer.body else {}
    except BadJson:
        content = None
    if answer.status == 200:
        if not isinstance(content, dict):
            raise Unreachable("the answer is no JSON object")
        return content
    said = content if isinstance(content, dict) else {}
    errcode, error = said.get("errcode"), said.get("error")
    raise RemoteError(
        answer.status,
        errcode if isinstance(errcode, str) else "",
        error if isinstance(error, str) else "",
        said,
    )

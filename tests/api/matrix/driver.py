"""Matrix clients of the tests: one per device.

With HOMESERVER_TEST_MATRIX_LOG every exchange is also written into that file, a line of JSON each, so that it can be
held against the specification's own schemas. What its schemas do not speak of goes into a file of its own beside it,
whose name ends with ".beyond".
"""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.names import fresh

CLIENT = "/_matrix/client/v3"
PASSWORD = "correct horse battery"
LOG = os.environ.get("HOMESERVER_TEST_MATRIX_LOG", "")
# Names that are not in the specification: unstable paths and parameters, old names of media, other tools' calls, events
# sent without a transaction id, places where no push rules are, and the old stream, in which also typing, receipts and
# presence come.
BEYOND = re.compile(
    r"/unstable/|[?&]org\.matrix\.|/_matrix/media/r0/|/_matrix/media/v1/(?!create)|/_synapse/|/fallback/web"
    r"|/v3/events(?:\?|$)|/rooms/[^/]+/(?:send|redact)/[^/?]+(?:\?|$)"
    r"|/pushrules/(?!(?:global/(?:(?:override|underride|sender|room|content)/[^/?]+(?:/enabled|/actions)?)?)?(?:\?|$))"
)
HTTP_ONLY = (206, 304)  # ranges and unchanged files are matters of HTTP


@dataclass
class Client:
    """A device, or nobody yet. `call` fails the test when the status is another than expected.

    `beyond`: it is told what no schema fits, as what is left of redacted events.
    """

    session: aiohttp.ClientSession
    token: str = ""
    user_id: str = ""
    device_id: str = ""
    beyond: bool = False

    @property
    def name(self) -> str:
        """The localpart, which is the display name too until another is set."""
        return self.user_id.removeprefix("@").partition(":")[0]

    async def call(
        self, method: str, path: str, status: int = 200, *, body: Any = None, **options: Any
    ) -> Any:
        """The answer's JSON. `path` below /_matrix/client/v3, or a whole one."""
        path = path if path.startswith("/") else f"{CLIENT}/{path}"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers.update(options.pop("headers", {}))
        if body is not None:
            options["json"] = body
        async with self.session.request(method, path, headers=headers, **options) as answer:
            found = await answer.json() if answer.status != 204 else None
            assert answer.status == status, f"{method} {path}: {answer.status} {found}"
            write_down(method, str(answer.url.relative()), answer.status, body, found, beyond=self.beyond)
        return found

    async def errcode(self, method: str, path: str, status: int, **options: Any) -> str:
        """The code of an error."""
        found = await self.call(method, path, status, **options)
        assert isinstance(found["error"], str)
        return str(found["errcode"])

    async def register(self, name: str, **more: Any) -> "Client":
        """A new account and its first device."""
        return self.of(await self.call("POST", "register", body=new(name, **more)))

    async def guest(self, **wish: Any) -> "Client":
        """A new guest account, where the server makes them."""
        return self.of(await self.call("POST", "register?kind=guest", body=wish))

    async def login(self, name: str, **more: Any) -> "Client":
        """Another device of somebody."""
        return self.of(await self.call("POST", "login", body=login(name, **more)))

    def of(self, made: Any) -> "Client":
        """The client that got this answer to its log-in."""
        return Client(self.session, made["access_token"], made["user_id"], made["device_id"])

    async def prove(self, method: str, path: str, body: Any, password: str = PASSWORD) -> Any:
        """A call that asks for the password: it is told so, and gives it."""
        asked = await self.call(method, path, 401, body=body)
        assert asked["flows"] == [{"stages": ["m.login.password"]}]
        return await self.call(method, path, body={**body, "auth": self.password_stage(asked, password)})

    def password_stage(self, asked: Any, password: str = PASSWORD) -> Any:
        """What passes m.login.password."""
        identifier = {"type": "m.id.user", "user": self.user_id}
        return {
            "type": "m.login.password",
            "identifier": identifier,
            "password": password,
            "session": asked["session"],
        }


def new(name: str, **more: Any) -> dict[str, Any]:
    """The body of a registration that asks for nothing more; `name` within this test."""
    return {"username": fresh(name), "password": PASSWORD, "auth": {"type": "m.login.dummy"}, **more}


def login(name: str, **more: Any) -> dict[str, Any]:
    """The body of a log-in; `name` within this test, or a user id."""
    identifier = {"type": "m.id.user", "user": name if name.startswith("@") else fresh(name)}
    return {"type": "m.login.password", "identifier": identifier, "password": PASSWORD, **more}


def write_down(
    method: str,
    path: str,
    status: int,
    request: Any,
    response: Any,
    kind: str = "application/json",
    *,
    beyond: bool = False,
) -> None:
    """For the specification, if it is wanted. `response`: None where it is not JSON; `kind`: its type."""
    if not LOG:
        return
    exchange = {
        "method": method,
        "path": path,
        "status": status,
        "request": request,
        "response": response,
        "response_type": kind,
    }
    has_no_relay = path.endswith("/voip/turnServer") and response == {}
    beyond = beyond or status in HTTP_ONLY or has_no_relay or BEYOND.search(path) is not None
    with open(f"{LOG}.beyond" if beyond else LOG, "a", encoding="utf-8") as log:
        log.write(json.dumps(exchange) + "\n")

"""docs/matrix.md says of every call what becomes of it; here it is asked of a server whether that is true."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from homeserver.faces import make_faces
from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client, write_down
from tests.api.matrix.roomkit import create, say

TEXT = (Path(__file__).parents[3] / "docs/matrix.md").read_text(encoding="utf-8")
SPECIFIED = (Path(__file__).parent / "fixtures/endpoints.txt").read_text(encoding="utf-8")
BEYOND = "## Calls beyond the specification"
PREFIXES = ("/_matrix", "/.well-known/matrix", "/_synapse")
STATE = re.compile(r"done|not yet|refused `(M_[A-Z_0-9]+)`")
ASKED_AT_ONCE = 8

_PROOF = {"client_secret": "secret", "sid": "1"}
_ADDRESS = {"client_secret": "secret", "send_attempt": 1, "email": "a@b.example"}
_PHONE = {"client_secret": "secret", "send_attempt": 1, "country": "GB", "phone_number": "1"}
BODIES: dict[str, dict[str, Any]] = {
    "/account/3pid": {"three_pid_creds": {**_PROOF, "id_server": "a.example", "id_access_token": "x"}},
    "/account/3pid/add": _PROOF,
    "/account/3pid/bind": {**_PROOF, "id_server": "a.example", "id_access_token": "x"},
    "/email/requestToken": _ADDRESS,
    "/msisdn/requestToken": _PHONE,
}
"""What the refused calls must be told, so that they are not refused for something else, by the ends of their paths."""


class Row(NamedTuple):
    method: str
    path: str
    state: str
    module: str = ""

    @property
    def call(self) -> tuple[str, str]:
        """What it is called, whatever the names of its parameters."""
        return self.method, _bare(self.path)

    @property
    def refusal(self) -> str:
        """The errcode that it is always refused with, if it is."""
        found = STATE.fullmatch(self.state)
        assert found, f"{self.method} {self.path} is neither done, refused nor not yet: {self.state}"
        return found[1] or ""


def rows(text: str) -> Iterator[Row]:
    """The rows of the tables, each under its heading."""
    module = ""
    for line in text.splitlines():
        if line.startswith("### "):
            module = line[4:]
        if found := re.match(r"\| ([A-Z]+) \| `([^`]+)` \| (.+?) \|", line):
            yield Row(found[1], found[2], found[3], module)


def specified() -> Iterator[tuple[str, str, str]]:
    """Module, method and path of every call in the specification."""
    module = ""
    for line in SPECIFIED.splitlines():
        if line.startswith("## "):
            module = line[3:]
        elif line and not line.startswith("#"):
            method, path = line.split()
            yield module, method, path


TOLD, FURTHER = (list(rows(part)) for part in TEXT.split(BEYOND))


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"matrix": {"enabled": True, "shared_secret": "a secret for programs"}}


def test_every_call_of_the_specification_stands_there() -> None:
    told = [(row.module, row.method, row.path) for row in TOLD]
    wanted = list(specified())
    assert len(wanted) > 160
    assert set(told) == set(wanted)
    assert len(told) == len(wanted)


async def test_the_routes_are_those_of_the_tables(server: Running) -> None:
    faces = [face for face in make_faces(server.hs, server.hub) if face.prefix.startswith(PREFIXES)]
    served = {
        (route.method, _bare(face.prefix + route.plain_path))
        for face in faces
        for route in face.routes
        if route.documented
    }
    done = {row.call for row in TOLD if row.state == "done"}
    refused = {row.call for row in TOLD if row.refusal}
    further = {row.call for row in FURTHER}
    assert done - served == set(), "said to be done, and not there"
    assert served - done - refused - further == set(), "there, and not told of"
    assert further - served == set(), "said to be there beyond the specification, and not there"


async def test_each_call_does_what_the_table_says(alice: Client, bob: Client) -> None:
    values = await world(alice)
    gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def ask(row: Row) -> str | None:
        # Bob is there to be logged out.
        client = bob if "/logout" in row.path else alice
        async with gate:
            status, errcode = await answer(client, row, values)
        if row.refusal:
            right = status in range(400, 500) and errcode == row.refusal
        elif row.state == "not yet":
            right = status in (404, 405) and errcode == "M_UNRECOGNIZED"
        else:
            right = status < 500 and errcode != "M_UNRECOGNIZED"
        return None if right else f"{row.method} {row.path}: {row.state}, and it answers {status} {errcode}"

    further = [row._replace(state="done") for row in FURTHER]
    found = await asyncio.gather(*(ask(row) for row in (*TOLD, *further)))
    assert [one for one in found if one] == []


async def world(alice: Client) -> dict[str, str]:
    """What the parameters of paths are set to: things that are there, as far as it matters."""
    room_id = await create(alice)
    return {
        "roomId": room_id,
        "roomIdOrAlias": room_id,
        "room": room_id,
        "eventId": await say(alice, room_id, "hello"),
        "userId": alice.user_id,
        "deviceId": alice.device_id,
        "serverName": "test.example",
        "roomAlias": "#somewhere:test.example",
        "eventType": "m.room.name",
        "stateKey": "",
        "action": "cancel",
        "keyName": "displayname",
        "receiptType": "m.read",
        "authType": "m.login.dummy",
    }


async def answer(client: Client, row: Row, values: dict[str, str]) -> tuple[int, str]:
    """Status and errcode of a call; the password is given where it is asked for."""
    path = re.sub(r"\{(\w+)\}", lambda name: quote(values.get(name[1], "something"), safe=""), row.path)
    body = next((body for end, body in BODIES.items() if row.path.endswith(end)), {})
    status, found = await _send(client, row.method, path, body)
    if row.refusal and status == 401 and "flows" in found:
        status, found = await _send(client, row.method, path, {**body, "auth": client.password_stage(found)})
    return status, str(found.get("errcode", ""))


async def _send(client: Client, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {client.token}"}
    sent = None if method == "GET" else body
    async with client.session.request(method, path, headers=headers, json=sent) as got:
        found = await got.json() if got.content_type == "application/json" else None
        write_down(method, str(got.url.relative()), got.status, sent, found, got.content_type)
        return got.status, found if isinstance(found, dict) else {}


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path).rstrip("/")

"""Every writing call of every API at once with its like: the answers and the end are those of some order."""

import difflib
import itertools
import re
from collections.abc import Collection
from pathlib import Path

import aiohttp
import pytest

from homeserver.lifecycle import Running
from tests.faces.walk import every_face
from tests.names import fresh
from tests.races import market, matrix_admin, matrix_keys, matrix_people, matrix_rooms, product, sockets  # noqa: F401 - they register their cases
from tests.races.kit import CASES, Case, World

pytestmark = pytest.mark.both

NOT_RACED = {
    "POST /_matrix/client/v3/publicRooms": "reads",
    "POST /_matrix/client/v3/search": "reads",
    "POST /_matrix/client/v3/user_directory/search": "reads",
    "POST /_matrix/client/v3/keys/query": "reads",
    "POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync": "reads",
    f"POST {matrix_keys.DEHYDRATED}/{{device_id}}/events": "reads",
    "POST /_matrix/client/v3/auth/{auth_type}/fallback/web": "a page; its stage is raced by the calls that ask for it",
}
REFUSED = re.compile(r"/account/3pid|/requestToken$|/pushrules/\{scope\}|/appservice/")
"""Always: no identity server, no mail, paths of no rule, no application services."""
_numbers = itertools.count(1)


def world(session: aiohttp.ClientSession, service_key: str) -> World:
    return World(session, f"w{fresh('')[1:]}x{next(_numbers)}", service_key)


async def test_every_writing_call_is_raced(tmp_path: Path) -> None:
    raced = {one.route for one in CASES}
    async with every_face(tmp_path) as faces:
        routes = {
            f"{route.method} {face.prefix}{route.path}": route.handler
            for face in faces
            for route in face.routes
            if route.method != "GET"
        }
    handlers = {handler for name, handler in routes.items() if name in raced or name in NOT_RACED}
    left = [
        name
        for name, handler in routes.items()
        if handler not in handlers and not REFUSED.search(name)  # older paths lead to the same handlers
    ]
    print(f"{len(CASES)} races of {len(raced)} writing calls")
    assert not left, "\n".join(left)


@pytest.mark.parametrize("case", CASES, ids=[one.name for one in CASES])
async def test_at_once(server: Running, client: aiohttp.ClientSession, service_key: str, case: Case) -> None:
    """By one person, and where the call is everybody's by two in turn."""
    await _play(client, service_key, case, several=False)
    if case.several:
        await _play(client, service_key, case, several=True)


async def _play(session: aiohttp.ClientSession, service_key: str, case: Case, *, several: bool) -> None:
    race = await case.prepare(world(session, service_key))
    count = len(race.callers) if several else 1
    found = await race.at_once(race.callers[:count])
    assert all(status < 500 for status, _ in found.answers), found.answers
    assert not any("auth_rule" in code for _, code in found.answers), found.answers
    kinds: set[tuple[int, str]] = set()
    ends: list[str] = []
    for first in range(count):
        race = await case.prepare(world(session, service_key))
        allowed = await race.one_by_one([*race.callers[first:count], *race.callers[:first]])
        kinds |= allowed.answers
        ends.append(allowed.seen)
    assert found.answers <= kinds | case.refusals
    assert _succeeded(found.answers) == _succeeded(kinds), (found.answers, kinds)
    if found.seen not in ends:
        lines = found.seen.split("\n")
        changes: list[list[str]] = [
            list(difflib.unified_diff(end.split("\n"), lines, "in a row", "at once", lineterm=""))
            for end in ends
        ]
        nearest = min(changes, key=len)
        pytest.fail("\n".join(nearest), pytrace=False)


def _succeeded(kinds: Collection[tuple[int, str]]) -> bool:
    return any(status < 300 for status, _ in kinds)

"""kill -9 at the first answers to equal writes that come at once: what was acknowledged is there.

Several cases are fired together, and the server is killed as soon as one call is answered. Afterwards people see what
they see after one or more of the calls in a row; where nothing was answered, what they see after none or some of them.
HOMESERVER_TEST_KILLS says how many kills there are on each database; only a few are part of the suite.
"""

import asyncio
import itertools
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy.engine import URL

from tests.bridges.marketplace.people import SECRET
from tests.names import fresh
from tests.process import ForkedProcess, ServerProcess
from tests.races import market, matrix_admin, matrix_keys, matrix_people, matrix_rooms, product, sockets  # noqa: F401 - they register their cases
from tests.races.kit import CASES, TIMES, Answer, Case, Race, World
from tests.test_crash import durable  # noqa: F401 - a fixture

pytestmark = [pytest.mark.both, pytest.mark.timeout(24 * 3600)]

KILLS = int(os.environ.get("HOMESERVER_TEST_KILLS", "3"))
TOGETHER = 6 if KILLS < 100 else 1
"""Cases of one kill: in a long run each case has kills of its own, right after its first answer."""
_numbers = itertools.count(1)
RESUMED = frozenset({"matrix_rooms.send_delayed"})
"""Work in steps that the server goes on with later; a call that was not answered may be seen half done."""
SURVIVING = [one for one in CASES if one.survives]


@pytest.fixture
async def process(durable: None, database_url: URL, tmp_path: Path) -> AsyncIterator[ServerProcess]:  # noqa: F811
    plain = database_url.set(drivername=database_url.get_backend_name())
    made = ForkedProcess(
        tmp_path,
        {
            "HOMESERVER__SERVER__NAME": "test.example",
            "HOMESERVER__DATABASE__URL": plain.render_as_string(hide_password=False),
            "HOMESERVER__ACCOUNTS__REGISTRATION": "true",
            "HOMESERVER__ACCOUNTS__ARGON2_TIME_COST": "1",
            "HOMESERVER__ACCOUNTS__ARGON2_MEMORY_KIB": "8192",
            "HOMESERVER__ACCOUNTS__ARGON2_PARALLELISM": "1",
            "HOMESERVER__RATE_LIMITS__ENABLED": "false",
            "HOMESERVER__MATRIX__ENABLED": "true",
            "HOMESERVER__MATRIX__SHARED_SECRET": matrix_admin.SECRET,
            "HOMESERVER__NOTICES__ENABLED": "true",
            "HOMESERVER__PUSH__SUBJECT": "mailto:push@example.org",
            "HOMESERVER__LOGS__LEVEL": "warning",
            "HOMESERVER__ISSUERS__0__NAME": "market",
            "HOMESERVER__ISSUERS__0__NAMESPACE": "5",
            "HOMESERVER__ISSUERS__0__SECRET": SECRET,
            "HOMESERVER__ISSUERS__0__CLAIMS": "{display_name: username, role: user_type}",
            "HOMESERVER__BRIDGES": "{marketplace: {issuer: market}}",
        },
    )
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def session(process: ServerProcess) -> AsyncIterator[aiohttp.ClientSession]:
    no_cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(process.url, cookie_jar=no_cookies) as made:
        yield made


@pytest.fixture
def dice() -> random.Random:
    seed = random.randrange(2**32)
    print(f"dice {seed}")
    return random.Random(seed)


def world(session: aiohttp.ClientSession) -> World:
    return World(session, f"w{fresh('')[1:]}x{next(_numbers)}")


async def ends_of(session: aiohttp.ClientSession, case: Case) -> list[str]:
    """What people see after none of the calls, after one, and so on."""
    race = await case.prepare(world(session))
    ends = [await race.seen()]
    for n in range(TIMES):
        await race.fire(race.callers[0], n)
        ends.append(await race.seen())
    return ends


async def fire(races: list[Race], process: ServerProcess) -> list[int]:
    """Fire all and kill the server at the first answers; how many calls of each race were answered well."""
    calls = [asyncio.ensure_future(race.fire(race.callers[0], n)) for n in range(TIMES) for race in races]
    while not any(_went_well(call) for call in calls):
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        calls_left = [call for call in calls if not call.done()]
        if not calls_left:
            break
        if not any(_went_well(call) for call in calls):
            await asyncio.wait(calls_left, return_when=asyncio.FIRST_COMPLETED)
    await process.kill()
    await asyncio.gather(*calls, return_exceptions=True)
    return [sum(_went_well(calls[n * len(races) + at]) for n in range(TIMES)) for at in range(len(races))]


def _went_well(call: "asyncio.Future[Answer]") -> bool:
    return call.done() and call.exception() is None and call.result().status < 300


async def test_nothing_acknowledged_is_lost(
    process: ServerProcess, session: aiohttp.ClientSession, dice: random.Random
) -> None:
    known: dict[str, list[str]] = {}
    acknowledged: Counter[str] = Counter()
    wrong: list[str] = []
    for number in range(1, KILLS + 1):
        least = sorted(SURVIVING, key=lambda one: (acknowledged[one.name], dice.random()))[:TOGETHER]
        for case in least:
            if case.name not in known:
                known[case.name] = await ends_of(session, case)
        races = [await case.prepare(world(session)) for case in least]
        answered = await fire(races, process)
        await process.start()
        for case, race, count in zip(least, races, answered, strict=True):
            acknowledged[case.name] += count > 0
            allowed = known[case.name][1 if count else 0 :]
            found = await race.seen()
            if found not in allowed and (count or case.name not in RESUMED):
                wrong.append(f"{case.name}: {count} answered, seen {found}\nin a row {allowed}")
                print(f"WRONG after {number} kills: {case.name}, {count} answered", flush=True)
        if number in (KILLS, KILLS // 2) or number % 100 == 0:
            print(_figures(number, acknowledged), flush=True)
    assert not wrong, wrong[0]
    assert acknowledged.total() >= KILLS // 2, acknowledged


def _figures(kills: int, acknowledged: Counter[str]) -> str:
    counts = sorted(acknowledged[one.name] for one in SURVIVING)
    least = [one.name for one in SURVIVING if acknowledged[one.name] == counts[0]]
    return (
        f"{kills} kills, {len(counts)} kinds; acknowledged before a kill {sum(counts)} in all, at least {counts[0]} "
        f"and at the median {counts[len(counts) // 2]} of a kind; least often {', '.join(least[:10])}"
    )

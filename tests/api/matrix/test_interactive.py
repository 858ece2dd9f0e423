"""Proofs in several stages: what was shown of one person serves no other."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, Invalid
from homeserver.protocol.ids import UserId
from homeserver.services.auth.uia import DUMMY, PASSWORD, UiaOperation, UiaRequired
from homeserver.storage.schema.matrix import interactions

ALICE = UserId("@alice:test.example")


async def named(auth: Mapping[str, Any]) -> UserId:
    """A stage that believes everybody."""
    return UserId(auth["user"])


async def agreed(_: Mapping[str, Any]) -> None:
    """A stage that speaks of nobody."""


BOTH = UiaOperation("close", [[PASSWORD, DUMMY]], {PASSWORD: named, DUMMY: agreed})
ONE = UiaOperation("close", [[PASSWORD]], {PASSWORD: named})


async def begin(hs: Homeserver, wanted: UiaOperation = BOTH) -> str:
    with pytest.raises(UiaRequired) as asked:
        await hs.auth.uia.passed(wanted, {"erase": True})
    return str(asked.value.data["session"])


def shown(session: str, user: str) -> dict[str, Any]:
    return {"auth": {"type": PASSWORD, "session": session, "user": user}}


@pytest.mark.both
async def test_a_session_is_of_whom_its_first_stage_named(hs: Homeserver) -> None:
    uia = hs.auth.uia
    session = await begin(hs)
    with pytest.raises(UiaRequired) as going_on:
        await uia.passed(BOTH, shown(session, ALICE))
    assert going_on.value.data["completed"] == [PASSWORD]
    with pytest.raises(Forbidden):
        await uia.passed(BOTH, shown(session, "@eve:test.example"))
    passed = await uia.passed(BOTH, {"auth": {"type": DUMMY, "session": session}})
    assert passed == ({"erase": True}, ALICE)
    with pytest.raises(Invalid):
        await uia.passed(BOTH, {"auth": {"session": session}})


async def test_a_request_that_differs_from_the_first_is_refused(hs: Homeserver) -> None:
    session = await begin(hs, ONE)
    for body in ({"erase": 1}, {"erase": False}, {"erase": True, "more": None}):
        with pytest.raises(Forbidden, match="differs"):
            await hs.auth.uia.passed(ONE, {**body, **shown(session, ALICE)})
    assert (await hs.auth.uia.passed(ONE, {"erase": True, **shown(session, ALICE)})).user_id == ALICE


@pytest.mark.both
async def test_two_at_once_prove_one_person(hs: Homeserver) -> None:
    session, eve = await begin(hs, ONE), "@eve:test.example"
    tries = [hs.auth.uia.passed(ONE, shown(session, user)) for user in (ALICE, eve, ALICE, eve)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    passed = [one for one in found if not isinstance(one, BaseException)]
    refused = [one for one in found if isinstance(one, Forbidden | Invalid)]
    assert (len(passed), len(refused)) == (1, 3), found
    assert {one.code for one in refused} <= {"bad_credentials", "unknown_interaction"}, refused


async def kept(hs: Homeserver) -> tuple[int, int]:
    """How many sessions are stored, and their bytes."""
    async with hs.core.db.read() as conn:
        found = (await conn.execute(select(interactions.c.params))).scalars()
        sizes = [len(params) for params in found]
    return len(sizes), sum(sizes)


@pytest.mark.both
@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True}, "interactions": {"max_sessions": 5}}])
async def test_what_is_kept_is_bounded_per_person_and_per_address(hs: Homeserver) -> None:
    mallory = replace(ONE, user_id="@mallory:test.example", address="192.0.2.1")
    nobody = replace(ONE, address="2001:db8::1")
    honest = await begin(hs, replace(ONE, address="192.0.2.1"))
    large = {"body": "x" * 65_000}
    for wanted in (mallory, nobody):
        sessions = []
        for _ in range(30):
            with pytest.raises(UiaRequired) as asked:
                await hs.auth.uia.passed(wanted, large)
            sessions.append(str(asked.value.data["session"]))
        for gone in sessions[:25]:
            with pytest.raises(Invalid, match="unknown"):
                await hs.auth.uia.passed(wanted, {**large, **shown(gone, wanted.user_id or ALICE)})
        last = shown(sessions[-1], wanted.user_id or ALICE)
        assert await hs.auth.uia.passed(wanted, {**large, **last})
    count, size = await kept(hs)
    assert (count, size < 5000) == (9, True), (count, size)
    assert (await hs.auth.uia.passed(ONE, shown(honest, ALICE))).params == {"erase": True}

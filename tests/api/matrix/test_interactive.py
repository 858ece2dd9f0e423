"""Proofs in several stages: what was shown of one person serves no other."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Forbidden, Invalid
from homeserver.protocol.ids import UserId
from homeserver.services.auth.uia import DUMMY, PASSWORD, UiaOperation, UiaRequired

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
    interactions = hs.auth.uia
    session = await begin(hs)
    with pytest.raises(UiaRequired) as going_on:
        await interactions.passed(BOTH, shown(session, ALICE))
    assert going_on.value.data["completed"] == [PASSWORD]
    with pytest.raises(Forbidden):
        await interactions.passed(BOTH, shown(session, "@eve:test.example"))
    passed = await interactions.passed(BOTH, {"auth": {"type": DUMMY, "session": session}})
    assert passed == ({"erase": True}, ALICE)
    with pytest.raises(Invalid):
        await interactions.passed(BOTH, {"auth": {"session": session}})


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

"""Questions of many that are answered by one query."""

import asyncio
from collections.abc import Sequence

import pytest

from homeserver.kit.batching import BatchLoader


async def test_who_asks_at_once_is_answered_together() -> None:
    asked: list[list[int]] = []

    async def double(keys: Sequence[int]) -> dict[int, int]:
        asked.append(list(keys))
        await asyncio.sleep(0)
        return {key: 2 * key for key in keys}

    gathering = BatchLoader("double", double, 3)
    answers = await asyncio.gather(*(gathering.get(number) for number in (1, 2, 2, 3, 4)))
    assert answers == [2, 4, 4, 6, 8]
    assert asked == [[1, 2, 3], [4]]
    assert await gathering.get(1) == 2  # asked anew: nothing is kept
    assert asked[-1] == [1]


async def test_a_failure_is_told_to_those_who_asked_then() -> None:
    broken = True

    async def ask(keys: Sequence[str]) -> dict[str, str]:
        if broken:
            raise OSError("no database")
        return {key: key for key in keys}

    gathering = BatchLoader("ask", ask, 10)
    results = await asyncio.gather(gathering.get("a"), gathering.get("b"), return_exceptions=True)
    assert [type(one) for one in results] == [OSError, OSError]
    broken = False
    assert await gathering.get("a") == "a"


async def test_who_goes_away_leaves_the_others_their_answer() -> None:
    go = asyncio.Event()

    async def ask(keys: Sequence[str]) -> dict[str, str]:
        await go.wait()
        return {key: key for key in keys}

    gathering = BatchLoader("ask", ask, 10)
    impatient, patient = asyncio.create_task(gathering.get("a")), asyncio.create_task(gathering.get("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    go.set()
    assert await patient == "a"

"""Member events of a timeline's senders, as of before the timeline (lazy-loading members)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from homeserver.kit.batching import BatchLoader
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import UserId
from homeserver.storage import state as stored
from homeserver.storage.db import Database

_FEW: Final = 4  # rooms of a request that is batched with other users' requests
_TOGETHER: Final = 250  # readers per query

_Question: TypeAlias = tuple[tuple[int, frozenset[UserId]], ...]
_Members: TypeAlias = Mapping[int, Mapping[StateKey, Event]]


class Senders:
    """Finds the member events. Readers woken by the same message share one statement."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._gathering = BatchLoader("find senders", self._together, _TOGETHER)

    async def of(self, wanted: Mapping[int, Collection[UserId]]) -> _Members:
        """Member events by snapshot. `wanted`: user ids per state snapshot; users without one are left out."""
        question = tuple((state_id, frozenset(people)) for state_id, people in wanted.items())
        if len(question) <= _FEW:
            return await self._gathering.get(question) if question else {}
        return (await self._together([question]))[question]

    async def _together(self, questions: Sequence[_Question]) -> dict[_Question, _Members]:
        parts = {part for question in questions for part in question}
        people = frozenset[UserId]().union(*(some for _, some in parts))
        async with self._db.read() as conn:
            found = await stored.states_at(
                conn, {state_id for state_id, _ in parts}, types=(), user_ids=people
            )
        return {question: {part[0]: _among(found, part) for part in question} for question in questions}


def _among(found: _Members, part: tuple[int, frozenset[UserId]]) -> Mapping[StateKey, Event]:
    state_id, people = part
    return {key: event for key, event in found[state_id].items() if key[1] in people}

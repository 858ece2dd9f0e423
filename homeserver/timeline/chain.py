"""Chaining a submission's drafts on its room's tip."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence

from homeserver.clock import Clock
from homeserver.model import Draft
from homeserver.timeline.build import Built, Signer, extend
from homeserver.timeline.heads import Head
from homeserver.timeline.received import append
from homeserver.timeline.submission import Submission

_EVENTS_PER_TURN = 32  # of a new room with many members: a few milliseconds of the event loop's time


class Chainer:
    """Builds the events of submissions: when one arrives, and again when its room has moved."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock
        self._last_created_ms = 0

    @property
    def snapshot_chain(self) -> int:
        """The maximum length of a chain of state deltas."""
        return self._signer.snapshot_chain

    def chain(self, submission: Submission) -> None:
        """Decide, build every draft on the tip, and move the tip. If one is refused, the tip stays and the error is
        raised."""
        for _ in self._steps(submission):
            pass

    def built_on(self, head: Head, drafts: Sequence[Draft]) -> tuple[Head, list[Built]]:
        """The events of drafts on a head, and the head after them. No tip moves."""
        now_ms, built = self._clock.now_ms(), list[Built]()
        for draft in drafts:
            head = self._extend(head, draft, now_ms, built)
        return head, built

    async def chain_new(self, submission: Submission) -> None:
        """`chain` for a new room, whose tip is not shared yet: other tasks run in between."""
        for step in self._steps(submission):
            if step % _EVENTS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _steps(self, submission: Submission) -> Iterator[int]:
        if submission.tip is None:
            return
        head = submission.tip.head
        if submission.decide is not None:
            submission.drafts, submission.also = submission.decide(head)
        now_ms = self._clock.now_ms()
        if head.rules.room_id_is_hash and not head.extremities:  # equal create events would have one room id
            now_ms = self._last_created_ms = max(now_ms, self._last_created_ms + 1)
        built: list[Built] = []
        for draft in submission.drafts:
            head = self._extend(head, draft, now_ms, built)
            yield len(built)
        if submission.received is not None:
            head, one = append(head, submission.received, self._signer.snapshot_chain)
            built.append(one)
        submission.tip.head = head
        submission.built = built

    def _extend(self, head: Head, draft: Draft, now_ms: int, built: list[Built]) -> Head:
        head, one = extend(head, draft, self._signer, now_ms, secrets.token_urlsafe(18))
        built.append(one)
        return head

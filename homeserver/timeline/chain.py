"""Chaining a submission's drafts on its room's tip."""

import secrets

from homeserver.clock import Clock
from homeserver.errors import Unavailable
from homeserver.timeline.build import Signer, extend
from homeserver.timeline.submission import Submission


class Chainer:
    """Builds the events of submissions; used when one comes in, and again when its room has moved."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock

    def chain(self, submission: Submission) -> None:
        """Build every draft on the tip, and move the tip; if one is refused, the tip stays and the error goes up."""
        if submission.tip is None:
            return
        head = submission.tip.head
        now_ms = self._clock.now_ms()
        built = []
        for draft in submission.drafts:
            head, one = extend(head, draft, self._signer, now_ms, secrets.token_urlsafe(18))
            built.append(one)
        if head.room_id != submission.tip.head.room_id and submission.kind is None:
            raise Unavailable("a room changed its id", code="not_written")
        submission.tip.head = head
        submission.built = built

"""Checks for every message a user sends, on any API: rate, blocks, repetition, word list.

Messages of the server itself are not checked. All checks use memory only.
"""

from collections.abc import Collection, Sequence
from typing import Any

from homeserver.errors import Forbidden, TooLarge
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.textnorm import plain
from homeserver.model import Requester
from homeserver.protocol.canonical import MAX_PDU_BYTES
from homeserver.protocol.ids import EventId, UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.status import is_guest, is_matrix_guest
from homeserver.services.moderation.reports import Reports
from homeserver.services.moderation.spam import Spam
from homeserver.services.moderation.wordlist import WordList
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import joined_in, kind_of
from homeserver.timeline.submission import SideWrite


class SendPolicy:
    """Checks whether a message may be sent now."""

    def __init__(
        self, *, limits: RateLimits, blocks: Blocks, spam: Spam, words: WordList, reports: Reports
    ) -> None:
        self._limits = limits
        self._blocks = blocks
        self._spam = spam
        self._words = words
        self._reports = reports

    def check_pace(self, requester: Requester) -> None:
        """Raise RateLimited if a user, or all users of an IP address, send too often.

        A person can be any number of guests, so the guests of one address share a stricter limit.
        """
        guest = is_guest(requester.number) or is_matrix_guest(requester.number)
        self._limits.check("send_guest" if guest else "send", requester.user_id)
        if guest:
            self._limits.check_address("send_guests", requester.address)
        self._limits.check_address("send_address", requester.address)

    async def check_people(self, requester: Requester, others: Collection[UserId]) -> None:
        """Raise Forbidden("blocked") if there is a block between the requester and any of the others."""
        await self._blocks.check_people(requester.user_id, others)

    async def check(
        self,
        requester: Requester,
        head: Head,
        text: str | None,
        *,
        txn: TxnKey | None = None,
        edits: EventId | None = None,
    ) -> Sequence[SideWrite[Any]]:
        """Check a text that the requester sends to a room; returns side writes to be stored with it (reports for the
        admins).

        `edits`: the message whose text is replaced. Raises Forbidden("blocked", "other_left", "word_refused"),
        RateLimited("repeated_message", "link_flood"), Invalid("too_many_links"), TooLarge("event_too_large").
        """
        await self._blocks.check_room(requester, head)
        if edits is None and _is_left_alone(requester.user_id, head):
            raise Forbidden("the other person has left; open a new conversation", code="other_left")
        if text is None:
            return ()
        if len(text) > MAX_PDU_BYTES:  # no event can have it; a longer text takes long to compare
            raise TooLarge(f"an event must have at most {MAX_PDU_BYTES} bytes", code="event_too_large")
        compared = plain(text)
        told = self._words.check(compared)
        self._spam.check(requester.user_id, compared, txn)
        return () if told is None else (self._reports.found(told, edits),)


def _is_left_alone(own: UserId, head: Head) -> bool:
    """True in a private conversation that everybody else has left, so that nobody would read it."""
    if kind_of(head) != "private" or joined_in(head.state.events) != [own]:
        return False
    members = (event for (kind, _), event in head.state.events.items() if kind == "m.room.member")
    return any(event.membership in ("leave", "ban") for event in members)

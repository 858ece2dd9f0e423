"""Floods that rate limits miss: the same text again and again, in any rooms, and many links.

Recent texts are kept as hashes, in this process only, for the most recent senders.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from homeserver.clock import Clock
from homeserver.errors import Invalid, RateLimited
from homeserver.kit.textnorm import links_in, words_of
from homeserver.protocol.ids import UserId
from homeserver.settings.models import ModerationSettings
from homeserver.storage.transactions import TxnKey

_DIFFERENT_TEXTS = 64  # per sender; a sender of more different texts is slowed by the rate limits


class _Said(NamedTuple):
    at_ms: int
    txn: TxnKey | None


@dataclass(slots=True)
class _Sender:
    """A sender's messages within the window: the times of each text, and times and counts of links."""

    texts: OrderedDict[int, list[_Said]] = field(default_factory=OrderedDict)
    links: list[tuple[int, int]] = field(default_factory=list)


class Spam:
    """Refuses repeated messages. `refused` is called with an error code for each refusal (a counter)."""

    def __init__(
        self,
        settings: ModerationSettings,
        clock: Clock,
        *,
        enabled: bool,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._enabled = enabled
        self._refused = refused
        self._senders: OrderedDict[UserId, _Sender] = OrderedDict()

    def check(self, sender: UserId, plain_text: str, txn: TxnKey | None = None) -> None:
        """Check and record a text that is about to be sent; refused texts are not recorded. `txn`: a retry counts
        once.

        Raises RateLimited("repeated_message", "link_flood"), Invalid("too_many_links").
        """
        if not self._enabled:
            return
        now_ms, settings = self._clock.now_ms(), self._settings
        known = self._known(sender)
        text = hash("".join(words_of(plain_text)) or plain_text)
        said = [
            one
            for one in known.texts.get(text, ())
            if _is_within(one.at_ms, now_ms, settings.repeat_window_s)
        ]
        if txn is not None and any(one.txn == txn for one in said):
            return
        if len(said) >= settings.repeat_count:
            self._refuse("repeated_message", said[0].at_ms, settings.repeat_window_s, now_ms)
        self._check_links(known, links_in(plain_text), now_ms)
        known.texts[text] = [*said, _Said(now_ms, txn)]
        known.texts.move_to_end(text)
        self._forget_old(known, now_ms)

    def __len__(self) -> int:
        return len(self._senders)

    def _known(self, sender: UserId) -> _Sender:
        known = self._senders.setdefault(sender, _Sender())
        self._senders.move_to_end(sender)
        if len(self._senders) > self._settings.tracked_senders:
            self._senders.popitem(last=False)
        return known

    def _forget_old(self, known: _Sender, now_ms: int) -> None:
        oldest = next(iter(known.texts.values()))[-1]
        is_old = not _is_within(oldest.at_ms, now_ms, self._settings.repeat_window_s)
        if is_old or len(known.texts) > _DIFFERENT_TEXTS:
            known.texts.popitem(last=False)

    def _check_links(self, known: _Sender, count: int, now_ms: int) -> None:
        if not count:
            return
        settings = self._settings
        if count > settings.max_links:
            most = settings.max_links
            raise Invalid(f"a message must have at most {most} links", code="too_many_links", most=most)
        sent = [(at, many) for at, many in known.links if _is_within(at, now_ms, settings.link_window_s)]
        excess = count + sum(many for _, many in sent) - settings.link_count
        for at_ms, many in sent:  # oldest first: until enough of these have expired the sender must wait
            if 0 < excess <= many:
                self._refuse("link_flood", at_ms, settings.link_window_s, now_ms)
            excess -= many
        known.links = [*sent, (now_ms, count)]

    def _refuse(self, code: str, since_ms: int, window_s: int, now_ms: int) -> None:
        if self._refused is not None:
            self._refused(code)
        what = "the same message" if code == "repeated_message" else "so many links"
        retry_ms = max(1, since_ms + window_s * 1000 - now_ms)
        raise RateLimited(f"wait before you send {what} again", retry_ms=retry_ms, code=code)


def _is_within(at_ms: int, now_ms: int, window_s: int) -> bool:
    # Times in the future, left by a clock that was set back, count as expired, so that they block no sender.
    return 0 <= now_ms - at_ms < window_s * 1000

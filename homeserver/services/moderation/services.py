"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.moderation.reports import Reports
from homeserver.services.moderation.send_policy import SendPolicy
from homeserver.services.moderation.wordlist import WordList


@dataclass(frozen=True, slots=True)
class ModerationServices:
    """Reports, and the checks before a send."""

    send_policy: SendPolicy
    word_list: WordList
    reports: Reports

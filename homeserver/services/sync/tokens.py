"""Sync tokens: `s<position>_<device>_<typing>_<presence>`.

`position`: of the log; `device`: the position up to which to-device messages are acknowledged; `typing` and
`presence`: counters of typing and presence changes, within one process.
"""

import re
from typing import Final, NamedTuple, Self

from homeserver.errors import Invalid
from homeserver.model import FIRST_PLACE, LOG_START, LogPosition, Place

_FORM: Final = re.compile(r"s([0-9]{1,18})(?:_([0-9]{1,18})_([0-9]{1,18})_([0-9]{1,18}))?")


class SyncToken(NamedTuple):
    position: LogPosition = LOG_START
    device: LogPosition = LOG_START
    typing: int = 0
    presence: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a token. Raises Invalid("bad_token")."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise Invalid("not a valid sync token", code="bad_token")
        position, device, typing, presence = (int(part) for part in found.groups(default="0"))
        return cls(LogPosition(position), LogPosition(device), typing, presence)

    def __str__(self) -> str:
        return f"s{self.position}_{self.device}_{self.typing}_{self.presence}"


def place_token(place: Place) -> str:
    """A token for a place in a room's timeline, to paginate from."""
    return "t0" if place == FIRST_PLACE else f"t{place}"

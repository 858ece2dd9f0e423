"""Where a client stands: `s<position>_<device>_<typing>`.

`position` is of the log; `device` that up to which the messages to the device have arrived; `typing` counts changes of
who types, within one process.
"""

import re
from typing import Final, NamedTuple, Self

from homeserver.errors import Invalid

_FORM: Final = re.compile(r"s([0-9]{1,18})(?:_([0-9]{1,18})_([0-9]{1,18}))?")


class SyncToken(NamedTuple):
    position: int = 0
    device: int = 0
    typing: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Invalid("bad_token")."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise Invalid("this is no token of a sync", code="bad_token")
        position, device, typing = (int(part) for part in found.groups(default="0"))
        return cls(position, device, typing)

    def __str__(self) -> str:
        return f"s{self.position}_{self.device}_{self.typing}"


def place_token(place: int) -> str:
    """A place of a room's timeline, to page back from."""
    return f"t{max(0, place)}"

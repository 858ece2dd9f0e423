"""`pos` tokens of sliding sync: `p<position>_<typing>_<serial>_<keys>_<begun>`.

`position`: of the log; `typing`: a counter of typing changes within one process; `serial`: of the connection state
after the response that had this `pos`; `keys` and `begun`: as in the tokens of /sync.
"""

import re
from typing import Final, NamedTuple, Self

from homeserver.errors import Invalid
from homeserver.model import LogPosition

NOTHING: Final = "0"
"""The serial of a connection over which no rooms were sent."""

_FORM: Final = re.compile(
    r"p([0-9]{1,18})_([0-9]{1,18})_([A-Za-z0-9-]{1,40})(?:_([0-9]{1,10})(?:_([0-9]{1,18}))?)?"
)


class Pos(NamedTuple):
    position: LogPosition
    typing: int
    serial: str
    keys: int = 0
    begun: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a token. Raises Invalid("unknown_pos")."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise unknown_pos()
        return cls(
            LogPosition(int(found[1])), int(found[2]), found[3], int(found[4] or 0), int(found[5] or 0)
        )

    def __str__(self) -> str:
        return "p" + "_".join(map(str, self))


def unknown_pos() -> Invalid:
    """What clients are told who must begin anew."""
    return Invalid("this place is not known, or not any more: begin without one", code="unknown_pos")

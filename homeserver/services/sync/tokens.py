"""Sync tokens: `s<position>_<device>_<typing>_<presence>_<keys>_<turn>_<begun>`.

`position`: of the log; `device`: the position up to which to-device messages are acknowledged; `typing` and
`presence`: counters of typing and presence changes of one process; `keys`: a checksum of the counts of remaining
keys that the client was told, 0 before it was; `turn`: makes a token differ from the one before, if nothing else does.
Some clients (matrix-nio) drop a response that has the token which they have already. `begun`: the position of the
first sync of this chain of syncs, which tells what the client has from what another one of the same device has.
"""

import re
import zlib
from typing import Final, NamedTuple, Self

import orjson

from homeserver.errors import Invalid
from homeserver.model import FIRST_PLACE, LOG_START, LogPosition, Place
from homeserver.services.e2ee.devicekeys import KeyCounts

_FORM: Final = re.compile(
    r"s([0-9]{1,18})(?:_([0-9]{1,18})_([0-9]{1,18})_([0-9]{1,18})(?:_([0-9]{1,10})_([01])(?:_([0-9]{1,18}))?)?)?"
)


class SyncToken(NamedTuple):
    position: LogPosition = LOG_START
    device: LogPosition = LOG_START
    typing: int = 0
    presence: int = 0
    keys: int = 0
    turn: int = 0
    begun: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a token. Raises Invalid("bad_token")."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise Invalid("not a valid sync token", code="bad_token")
        position, device, *rest = (int(part) for part in found.groups(default="0"))
        return cls(LogPosition(position), LogPosition(device), *rest)

    def __str__(self) -> str:
        return "s" + "_".join(map(str, self))

    def after(self, since: Self) -> Self:
        """This token for a response that says something to a client with the token `since`."""
        return self._replace(turn=1 - since.turn) if self._replace(turn=since.turn) == since else self


def keys_checksum(counts: KeyCounts) -> int:
    """The part `keys` of tokens."""
    told = [sorted(counts.one_time.items()), sorted(counts.unused_fallback)]
    return zlib.crc32(orjson.dumps(told)) or 1


def place_token(place: Place) -> str:
    """A token for a place in a room's timeline, to paginate from."""
    return "t0" if place == FIRST_PLACE else f"t{place}"

"""The members that each client was told of by lazy loading (client-server API, "Lazy-loading room members").

A client that was told of a member hears of each later change of theirs, so there is no need to tell it again. A
member counts as told only if the client's token is at or after the response that told it: a lost response is made
again in full.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from homeserver.model import LogPosition
from homeserver.protocol.ids import RoomId, UserId

_MOST_OF_CHAIN: Final = 5000  # one with more begins anew


class LazyMembers:
    """Keeps them in memory, for the most recently used chains; `most`: members of all of them together.

    Members that are not known here, for example after a restart, are told again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._chains: OrderedDict[str, dict[RoomId, dict[UserId, LogPosition]]] = OrderedDict()

    def known(self, chain: str, room_id: RoomId, after: LogPosition) -> set[UserId]:
        """The members of a room that a client has which comes with a token of this position."""
        told = self._chains.get(chain, {}).get(room_id, {})
        return {user_id for user_id, position in told.items() if position <= after}

    def note(self, chain: str, room_id: RoomId, user_ids: Collection[UserId], until: LogPosition) -> None:
        """Note that a response up to a position tells of these members of a room."""
        if not user_ids:
            return
        rooms = self._chains.setdefault(chain, {})
        self._chains.move_to_end(chain)
        told = rooms.setdefault(room_id, {})
        before = len(told)
        told.update(dict.fromkeys(user_ids, until))
        self._count += len(told) - before
        if len(told) > before and sum(map(len, rooms.values())) > _MOST_OF_CHAIN:
            self.forget(chain)
        while self._count > self._most:
            self.forget(next(iter(self._chains)))

    def forget(self, chain: str) -> None:
        """Forget what a client was told: it begins anew."""
        rooms = self._chains.pop(chain, {})
        self._count -= sum(map(len, rooms.values()))

    def forget_room(self, chain: str, room_id: RoomId) -> None:
        """Forget what a client was told of a room: it gets the room anew."""
        self._count -= len(self._chains.get(chain, {}).pop(room_id, {}))

"""A cache of sellers' chats as JSON."""

import asyncio
from collections.abc import Sequence

import orjson

from bridges.marketplace import shape
from bridges.marketplace.shape import View
from homeserver.kit.cache import BoundedCache
from homeserver.protocol.ids import RoomId
from homeserver.services.enquiries.enquiryviews import Enquiry

_AT_A_TIME = 500  # serialized before other tasks may run


class ChatCache:
    """Serializes a chat once while its record stays the same object: a list may have thousands."""

    def __init__(self, max_chats: int) -> None:
        self._made: BoundedCache[RoomId, tuple[Enquiry, orjson.Fragment]] = BoundedCache(max_chats)

    async def chats(self, found: Sequence[Enquiry], view: View) -> list[orjson.Fragment]:
        """The JSON of `shape.chat` for each; all are of one seller, the requester."""
        shown: list[orjson.Fragment] = []
        for at, one in enumerate(found, start=1):
            if at % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            shown.append(self._chat(one, view))
        return shown

    def _chat(self, shown: Enquiry, view: View) -> orjson.Fragment:
        held = self._made.get(shown.room_id)
        if held is not None and held[0] is shown:
            return held[1]
        made = orjson.Fragment(orjson.dumps(shape.chat(shown, view)))
        self._made.put(shown.room_id, (shown, made))
        return made

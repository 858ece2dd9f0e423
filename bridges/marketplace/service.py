"""The services as this API uses them."""

from dataclasses import dataclass
from typing import Any

from bridges.marketplace.auth import Caller
from bridges.marketplace.settings import MarketplaceSettings
from bridges.marketplace.shape import Files, View
from homeserver import publicids
from homeserver.errors import NotFound
from homeserver.http.routes import Handler, Route
from homeserver.model import Requester
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.enquiries.enquiries import Enquiries, EnquiryRoom
from homeserver.services.enquiries.enquiryviews import Enquiry
from homeserver.services.enquiries.guests import Guests
from homeserver.services.events.access import Access, OpenRoom
from homeserver.services.media.store import Media
from homeserver.services.messages.messages import Messages
from homeserver.services.moderation.reports import Reports
from homeserver.services.realtime.connections import LiveConnections
from homeserver.services.realtime.receipts import Receipts
from homeserver.services.realtime.typing import Typing


@dataclass(frozen=True, slots=True)
class Market:
    """What the calls make happen, and through whose eyes they show it."""

    settings: MarketplaceSettings
    namespace: int
    files: Files
    access: Access
    enquiries: Enquiries
    messages: Messages
    receipts: Receipts
    typing: Typing
    connections: LiveConnections
    profiles: Profiles
    guests: Guests
    media: Media
    blocks: Blocks
    reports: Reports

    def view(self, caller: Caller | None) -> View:
        """What a caller sees; without one, what everybody but a chat's own guest sees."""
        if caller is None or not caller.is_guest:
            return View(self.namespace, self.guests.alias, self.files)
        return View(self.namespace, self.guests.alias, self.files, caller.requester.user_id, caller.name)

    async def room(self, requester: Requester, number: int) -> EnquiryRoom:
        """A chat that the requester is in, by its public number. NotFound for any other, and for other rooms."""
        found = await self.enquiries.about(await self.access.room_by_number(requester, number))
        if found.row.link.service != self.settings.service:
            raise no_chat()
        return found

    async def chat(self, room: OpenRoom) -> Enquiry:
        """A chat to show, all of it. NotFound for other rooms."""
        found = await self.enquiries.get(room)
        if found.link.service != self.settings.service:
            raise no_chat()
        return found

    async def registered(self, number: int) -> UserId | None:
        """The registered person with this id, if they were ever here."""
        wanted = publicids.from_public(number, self.namespace)
        found = (await self.profiles.by_numbers([wanted])).get(wanted)
        return None if found is None else found.user_id


def no_chat() -> NotFound:
    """The answer for a chat that is not there, or not for the caller to know of."""
    return NotFound("no such chat", code="room_not_found")


def route(method: str, path: str, handler: Handler, summary: str, **more: Any) -> Route:
    """A call of this API. Each finds out itself who asks, as that depends on whom the call names."""
    return Route(method, path, handler, summary, tags=("Marketplace",), public=True, **more)

"""The services that this API calls."""

from dataclasses import dataclass
from typing import Any

from bridges.marketplace.auth import Caller, Callers
from bridges.marketplace.schemas import WhoQuery
from bridges.marketplace.settings import MarketplaceSettings
from bridges.marketplace.shape import Files, View
from homeserver import publicids
from homeserver.errors import NotFound
from homeserver.http.routes import Call, Handler, Route
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
    """The services, and the views for showing their records."""

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
        """The view of a caller; without one, that of everyone but a chat's own guest."""
        if caller is None or not caller.is_guest:
            return View(self.namespace, self.guests.alias, self.files)
        return View(self.namespace, self.guests.alias, self.files, caller.requester.user_id, caller.name)

    async def room(self, requester: Requester, number: int) -> EnquiryRoom:
        """A chat of the requester, by its public number. Raises NotFound for other chats and rooms."""
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
        """The registered user with this id, if known."""
        wanted = publicids.from_public(number, self.namespace)
        found = (await self.profiles.by_numbers([wanted])).get(wanted)
        return None if found is None else found.user_id


class ChatCalls:
    """The base of handlers of chats: the services, and who calls."""

    def __init__(self, market: Market, callers: Callers) -> None:
        self._market = market
        self._callers = callers

    async def _named(self, call: Call[Any, WhoQuery]) -> EnquiryRoom:
        """The caller's chat that the path names. Raises NotFound for other chats and rooms."""
        caller = await self._callers.of(call.request, call.query.user_id)
        return await self._market.room(caller.requester, call.number("chat_id"))


def no_chat() -> NotFound:
    """The error for a chat that does not exist or that the caller may not know of."""
    return NotFound("no such chat", code="room_not_found")


def route(method: str, path: str, handler: Handler, summary: str, **more: Any) -> Route:
    """A route of this API. The handler authenticates the caller, as that depends on the user in the request."""
    return Route(method, path, handler, summary, tags=("Marketplace",), public=True, **more)

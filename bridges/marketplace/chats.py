"""Chats: opened, listed, read, hidden, deleted; and a guest's chats handed to an account."""

from collections.abc import Sequence

import orjson

from bridges.marketplace import schemas, shape
from bridges.marketplace.auth import Caller, Callers, UnknownGuest
from bridges.marketplace.listings import Listings
from bridges.marketplace.schemas import ChatQuery, Claim, MyQuery, NewChat, OrderQuery, WhoQuery
from bridges.marketplace.service import Market, route
from bridges.marketplace.shelf import ChatCache
from homeserver.errors import Invalid
from homeserver.http.guestcookie import GuestCookie
from homeserver.http.routes import Call, Route
from homeserver.model import Link, Page
from homeserver.protocol.ids import UserId


class Chats:
    """The calls under `chats`."""

    def __init__(self, market: Market, callers: Callers, listings: Listings, cookie: GuestCookie) -> None:
        self._market = market
        self._callers = callers
        self._listings = listings
        self._cookie = cookie
        self._shelf = ChatCache(market.settings.cached_chats)

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        opened = {
            403: "You are somebody else, or the listing is; or there is a block between you.",
            404: "There is no such listing or seller.",
        }
        return (
            route(
                "POST", "/chats", self.create, "Open a chat", body=NewChat, answer=schemas.Chat, errors=opened
            ),
            route(
                "GET", "/chats/find", self.find, "Find or open a chat", query=ChatQuery, answer=schemas.Chat
            ),
            route("GET", "/chats/my", self.mine, "Your chats", query=MyQuery, answer=list[schemas.Chat]),
            route(
                "GET",
                "/chats/seller/{seller_id:int}/grouped",
                self.grouped,
                "A seller's chats by listing",
                answer=dict[str, list[schemas.Chat]],
            ),
            route(
                "GET", "/chats/{chat_id:int}/info", self.info, "A chat", query=WhoQuery, answer=schemas.Chat
            ),
            route(
                "POST",
                "/chats/{chat_id:int}/read",
                self.read,
                "Read all",
                query=WhoQuery,
                answer=schemas.Marked,
            ),
            route(
                "POST", "/chats/{chat_id:int}/hide", self.hide, "Hide it", query=WhoQuery, answer=schemas.Told
            ),
            route(
                "POST",
                "/chats/hide-for-order",
                self.hide_for_order,
                "Hide the chat of an order that is done; with a service key",
                query=OrderQuery,
                answer=schemas.Hidden,
            ),
            route(
                "DELETE",
                "/chats/{chat_id:int}",
                self.delete,
                "Delete",
                query=WhoQuery,
                answer=schemas.Deleted,
            ),
            route(
                "POST",
                "/guests/claim",
                self.claim,
                "Take over the chats that you had as a guest",
                body=Claim,
                answer=schemas.Claimed,
            ),
        )

    async def create(self, call: Call[NewChat, None]) -> schemas.Chat:
        """The chat of a buyer about a listing."""
        body = call.body
        caller = await self._callers.of(call.request, body.buyer_id, may_be_new=True)
        if body.buyer_is_registered is not None and body.buyer_is_registered == caller.is_guest:
            self._check_kind()
        return await self._open(caller, body.iphone_id, body.seller_id)

    async def find(self, call: Call[None, ChatQuery]) -> schemas.Chat:
        """The same, by a query."""
        query = call.query
        caller = await self._callers.of(call.request, query.buyer_id, may_be_new=True)
        return await self._open(caller, query.iphone_id, query.seller_id)

    async def mine(self, call: Call[None, MyQuery]) -> list[schemas.Chat] | list[orjson.Fragment]:
        """As the buyer or as the seller, hidden ones left out. A guest who never was here has none."""
        query = call.query
        try:
            caller = await self._callers.of(call.request, query.user_id)
        except UnknownGuest:
            return []
        most = self._market.settings.max_chats
        page = Page(min(query.limit or most, most), query.offset)
        found = await self._market.enquiries.listing(
            caller.requester, self._market.settings.service, "owner" if query.is_seller else "enquirer", page
        )
        view = self._market.view(caller)
        if query.is_seller:
            return await self._shelf.chats(found, view)
        return [shape.chat(one, view) for one in found]

    async def grouped(self, call: Call[None, None]) -> dict[str, list[orjson.Fragment]]:
        """A seller's own chats."""
        caller = await self._callers.of(call.request, str(call.number("seller_id")))
        page = Page(self._market.settings.max_chats)
        found = await self._market.enquiries.listing(
            caller.requester, self._market.settings.service, "owner", page
        )
        view, groups = self._market.view(caller), dict[str, list[orjson.Fragment]]()
        for one, shown in zip(found, await self._shelf.chats(found, view), strict=True):
            groups.setdefault(one.link.service_id, []).append(shown)
        return groups

    async def info(self, call: Call[None, WhoQuery]) -> schemas.Chat:
        """One chat."""
        caller = await self._callers.of(call.request, call.query.user_id)
        room = await self._market.access.room_by_number(caller.requester, call.number("chat_id"))
        found = await self._market.chat(room)
        return shape.chat(found, self._market.view(caller))

    async def read(self, call: Call[None, WhoQuery]) -> schemas.Marked:
        """Everything in it is read."""
        caller = await self._callers.of(call.request, call.query.user_id)
        found = await self._market.room(caller.requester, call.number("chat_id"))
        return {"marked_as_read": await self._market.receipts.mark_read(caller.requester, found.room_id)}

    async def hide(self, call: Call[None, WhoQuery]) -> schemas.Told:
        """Away from the caller's list until something new is said."""
        caller = await self._callers.of(call.request, call.query.user_id)
        found = await self._market.room(caller.requester, call.number("chat_id"))
        await self._market.enquiries.hide(found)
        return {"message": "Чат скрыт"}

    async def hide_for_order(self, call: Call[None, OrderQuery]) -> schemas.Hidden:
        """For both sides, when the marketplace says that an order is done."""
        await self._callers.check_service(call.request)
        buyer = await self._buyer(call.query.buyer_id)
        link = Link(self._market.settings.service, str(call.query.post_id))
        count = 0 if buyer is None else await self._market.enquiries.hide_for_object(link, buyer)
        return {"message": "Чаты скрыты", "hidden_count": count}

    async def delete(self, call: Call[None, WhoQuery]) -> schemas.Deleted:
        """For all who are in it."""
        caller = await self._callers.of(call.request, call.query.user_id)
        found = await self._market.room(caller.requester, call.number("chat_id"))
        await self._market.enquiries.close(found)
        return {"deleted": True}

    async def claim(self, call: Call[Claim, None]) -> schemas.Claimed:
        """The guest is who the cookie says, or the UUID where there is no cookie."""
        account = await self._callers.account(call.request)
        cookie = self._cookie.read(call.request)
        name = call.body.guest_id
        if name is None:
            guest = await self._callers.guest_cookie(call.request)
            if guest is None:
                raise Invalid("which guest? send its cookie or guest_id", code="missing_param")
            name = guest.name
        claimed = await self._market.guests.claim(account.requester, name=name, cookie=cookie)
        self._cookie.take_away(call.request)
        return {"claimed": claimed}

    async def _open(self, caller: Caller, listing_id: int, seller_id: int) -> schemas.Chat:
        link = Link(self._market.settings.service, str(listing_id))
        found = await self._market.enquiries.find(caller.requester, link)
        if found is None:
            if str(seller_id) == caller.name:
                raise Invalid("this is your own listing", code="own_object")
            await self._listings.check(listing_id, seller_id)
            seller = await self._callers.seller(seller_id, caller.requester)
            own = await self._market.profiles.own(caller.requester)
            found = await self._market.enquiries.open(caller.requester, own, link=link, owner=seller)
        return shape.chat(found, self._market.view(caller))

    def _check_kind(self) -> None:
        """Raise Invalid where the call says another kind of buyer; bare ids of trusted callers may be anything."""
        if not self._market.settings.trust_user_id:
            raise Invalid("a buyer is a guest if, and only if, the id is a UUID", code="invalid_param")

    async def _buyer(self, named: str) -> UserId | None:
        """Whom one of the marketplace's servers means: a registered person, a guest, or a guest's alias."""
        if named.isascii() and named.isdecimal():
            return await self._market.registered(int(named))
        guests = self._market.guests
        return await guests.by_name(named) or await guests.by_alias(named)

"""Chats: opened, listed, read, hidden, deleted; and a guest's chats handed to an account."""

from collections.abc import Sequence

import orjson

from bridges.marketplace import schemas, shape
from bridges.marketplace.auth import Caller, Callers, UnknownGuest
from bridges.marketplace.listings import Listings
from bridges.marketplace.schemas import ChatQuery, Claim, MyQuery, NewChat, OrderQuery, WhoQuery
from bridges.marketplace.service import ChatCalls, Market, route
from bridges.marketplace.shelf import ChatCache
from homeserver.errors import Invalid
from homeserver.http.guestcookie import GuestCookie
from homeserver.http.routes import Call, Route
from homeserver.model import Link, Page
from homeserver.protocol.ids import UserId


class Chats(ChatCalls):
    """The handlers under `chats`."""

    def __init__(self, market: Market, callers: Callers, listings: Listings, cookie: GuestCookie) -> None:
        super().__init__(market, callers)
        self._listings = listings
        self._cookie = cookie
        self._shelf = ChatCache(market.settings.cached_chats)

    def routes(self) -> Sequence[Route]:
        """The routes."""
        opened = {
            403: "The id is not yours, the listing is another seller's, or one of you has blocked the other.",
            404: "There is no such listing or seller.",
        }
        return (
            route(
                "POST", "/chats", self.create, "Open a chat", body=NewChat, answer=schemas.Chat, errors=opened
            ),
            route(
                "GET", "/chats/find", self.find, "Find or open a chat", query=ChatQuery, answer=schemas.Chat
            ),
            route("GET", "/chats/my", self.mine, "List your chats", query=MyQuery, answer=list[schemas.Chat]),
            route(
                "GET",
                "/chats/seller/{seller_id:int}/grouped",
                self.grouped,
                "List a seller's chats by listing",
                answer=dict[str, list[schemas.Chat]],
            ),
            route(
                "GET",
                "/chats/{chat_id:int}/info",
                self.info,
                "Get a chat",
                query=WhoQuery,
                answer=schemas.Chat,
            ),
            route(
                "POST",
                "/chats/{chat_id:int}/read",
                self.read,
                "Mark a chat as read",
                query=WhoQuery,
                answer=schemas.Marked,
            ),
            route(
                "POST",
                "/chats/{chat_id:int}/hide",
                self.hide,
                "Hide a chat",
                query=WhoQuery,
                answer=schemas.Told,
            ),
            route(
                "POST",
                "/chats/hide-for-order",
                self.hide_for_order,
                "Hide the chat of a completed order, with a service key",
                query=OrderQuery,
                answer=schemas.Hidden,
            ),
            route(
                "DELETE",
                "/chats/{chat_id:int}",
                self.delete,
                "Delete a chat",
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
        """`POST /api/chat/chats`: open the chat of a buyer about a listing, or get the existing one.

        Errors: wrong_user, listing_not_found, wrong_seller, listing_away, own_object, user_not_found,
          blocked, bad_guest_id.
        """
        body = call.body
        caller = await self._callers.of(call.request, body.buyer_id, may_be_new=True)
        if body.buyer_is_registered is not None and body.buyer_is_registered == caller.is_guest:
            self._check_kind()
        return await self._open(caller, body.iphone_id, body.seller_id)

    async def find(self, call: Call[None, ChatQuery]) -> schemas.Chat:
        """`GET /api/chat/chats/find`: the same as `POST /chats`, with the parameters in the query.

        Errors: wrong_user, listing_not_found, wrong_seller, listing_away, own_object, user_not_found,
          blocked, bad_guest_id.
        """
        query = call.query
        caller = await self._callers.of(call.request, query.buyer_id, may_be_new=True)
        return await self._open(caller, query.iphone_id, query.seller_id)

    async def mine(self, call: Call[None, MyQuery]) -> list[schemas.Chat] | list[orjson.Fragment]:
        """`GET /api/chat/chats/my`: list the caller's chats as buyer or as seller, without hidden ones.

        An unknown guest has none.

        Errors: wrong_user, missing_token.
        """
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
        """`GET /api/chat/chats/seller/{seller_id}/grouped`: list the caller's chats as seller, grouped by
        listing.

        Errors: wrong_user, missing_token.
        """
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
        """`GET /api/chat/chats/{chat_id}/info`: get a chat.

        Errors: room_not_found.
        """
        caller = await self._callers.of(call.request, call.query.user_id)
        room = await self._market.access.room_by_number(caller.requester, call.number("chat_id"))
        found = await self._market.chat(room)
        return shape.chat(found, self._market.view(caller))

    async def read(self, call: Call[None, WhoQuery]) -> schemas.Marked:
        """`POST /api/chat/chats/{chat_id}/read`: mark all messages of a chat as read.

        Errors: room_not_found.
        """
        found = await self._named(call)
        return {"marked_as_read": await self._market.receipts.mark_read(found.room.requester, found.room_id)}

    async def hide(self, call: Call[None, WhoQuery]) -> schemas.Told:
        """`POST /api/chat/chats/{chat_id}/hide`: hide a chat from the caller's list until there is a new
        message.

        Errors: room_not_found.
        """
        found = await self._named(call)
        await self._market.enquiries.hide(found)
        return {"message": "Чат скрыт"}

    async def hide_for_order(self, call: Call[None, OrderQuery]) -> schemas.Hidden:
        """`POST /api/chat/chats/hide-for-order`: hide a chat for both sides when the marketplace says that an
        order is complete.

        Needs a service key.

        Errors: bad_service_key.
        """
        await self._callers.check_service(call.request)
        buyer = await self._buyer(call.query.buyer_id)
        link = Link(self._market.settings.service, str(call.query.post_id))
        count = 0 if buyer is None else await self._market.enquiries.hide_for_object(link, buyer)
        return {"message": "Чаты скрыты", "hidden_count": count}

    async def delete(self, call: Call[None, WhoQuery]) -> schemas.Deleted:
        """`DELETE /api/chat/chats/{chat_id}`: delete a chat for everybody in it.

        Errors: room_not_found, not_a_side.
        """
        found = await self._named(call)
        await self._market.enquiries.close(found)
        return {"deleted": True}

    async def claim(self, call: Call[Claim, None]) -> schemas.Claimed:
        """`POST /api/chat/guests/claim`: hand a guest's chats to the caller's account.

        The guest is named by the cookie or, without one, by UUID.

        Errors: missing_token, missing_param, guest_not_found, guest_bound, no_account.
        """
        account = await self._callers.account(call.request)
        cookie = self._cookie.read(call.request)
        name = call.body.guest_id
        if name is None:
            guest = await self._callers.guest_cookie(call.request)
            if guest is None:
                raise Invalid("the guest's cookie or guest_id is required", code="missing_param")
            name = guest.name
        claimed = await self._market.guests.claim(account.requester, name=name, cookie=cookie)
        self._cookie.take_away(call.request)
        return {"claimed": claimed}

    async def _open(self, caller: Caller, listing_id: int, seller_id: int) -> schemas.Chat:
        link = Link(self._market.settings.service, str(listing_id))
        found = await self._market.enquiries.find(caller.requester, link)
        if found is None:
            if str(seller_id) == caller.name:
                raise Invalid("the listing is your own", code="own_object")
            await self._listings.check(listing_id, seller_id)
            seller = await self._callers.seller(seller_id, caller.requester)
            own = await self._market.profiles.own(caller.requester)
            found = await self._market.enquiries.open(caller.requester, own, link=link, owner=seller)
        return shape.chat(found, self._market.view(caller))

    def _check_kind(self) -> None:
        """Raise Invalid if the request states the wrong kind of buyer; trusted callers' bare ids may be either."""
        if not self._market.settings.trust_user_id:
            raise Invalid(
                "buyer_id must be a UUID for a guest, and an integer for a registered buyer",
                code="invalid_param",
            )

    async def _buyer(self, named: str) -> UserId | None:
        """The buyer that one of the marketplace's servers names: a registered user, a guest, or a guest's alias."""
        if named.isascii() and named.isdecimal():
            return await self._market.registered(int(named))
        guests = self._market.guests
        return await guests.by_name(named) or await guests.by_alias(named)

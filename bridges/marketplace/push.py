"""Web Push: subscriptions, and the payloads of this API."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bridges.marketplace import schemas
from bridges.marketplace.auth import Callers
from bridges.marketplace.live import FACE
from bridges.marketplace.schemas import PushEndpoint, PushSubscription, WhoQuery
from bridges.marketplace.service import Market, route
from homeserver.http.routes import Call, Route
from homeserver.model import Content, Person
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.status import is_guest
from homeserver.services.enquiries.enquiryviews import EnquiryBrief
from homeserver.services.push.web.subscriptions import Subscriptions
from homeserver.services.push.web.texts import Notice

MAX_TITLE_CHARS = 100
_OFF = {503: "This server sends no pushes."}


class PushCalls:
    """The handlers under `push`."""

    def __init__(self, market: Market, callers: Callers, subscriptions: Subscriptions) -> None:
        self._market = market
        self._callers = callers
        self._subscriptions = subscriptions

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            route(
                "GET",
                "/push/vapid-public-key",
                self.key,
                "Get the VAPID public key",
                answer=schemas.VapidKey,
                errors=_OFF,
            ),
            route(
                "POST",
                "/push/subscribe",
                self.subscribe,
                "Subscribe this browser to push messages",
                body=PushSubscription,
                query=WhoQuery,
                answer=schemas.Done,
                errors=_OFF,
            ),
            route(
                "POST",
                "/push/unsubscribe",
                self.unsubscribe,
                "Unsubscribe this browser from push messages",
                body=PushEndpoint,
                query=WhoQuery,
                answer=schemas.Done,
            ),
        )

    async def key(self, _call: Call[None, None]) -> schemas.VapidKey:
        """`GET /api/chat/push/vapid-public-key`: the public key that a browser subscribes with.

        No credential is needed.

        Errors: push_off.
        """
        return {"publicKey": self._subscriptions.public_key}

    async def subscribe(self, call: Call[PushSubscription, WhoQuery]) -> schemas.Done:
        """`POST /api/chat/push/subscribe`: subscribe a browser to pushes of the caller's messages; guests
        too.

        The last caller to subscribe a browser gets it.

        Errors: push_off, bad_endpoint, bad_push_key.
        """
        caller = await self._callers.of(call.request, call.query.user_id)
        keys = call.body.keys
        await self._subscriptions.add(
            caller.requester, FACE, endpoint=call.body.endpoint, p256dh=keys.p256dh, auth=keys.auth
        )
        return {"success": True, "message": "subscribed"}

    async def unsubscribe(self, call: Call[PushEndpoint, WhoQuery]) -> schemas.Done:
        """`POST /api/chat/push/unsubscribe`: unsubscribe a browser.

        The answer does not tell whether it was subscribed.
        """
        caller = await self._callers.of(call.request, call.query.user_id)
        await self._subscriptions.drop(caller.requester, call.body.endpoint)
        return {"success": True, "message": "unsubscribed"}


@dataclass(frozen=True, slots=True)
class PushWords:
    """Makes push payloads in this API's form (see `homeserver/services/push/texts.py`)."""

    market: Market

    async def __call__(self, notices: Sequence[Notice]) -> Sequence[Content | None]:
        """One payload per message; None for messages of rooms that are not this API's."""
        senders = await self.market.profiles.people({one.message.sender for one in notices})
        chats = await self.market.enquiries.briefs(_rooms(notices))
        return [
            self._payload(one, chats.get(one.message.room_id), senders.get(one.message.sender))
            for one in notices
        ]

    def _payload(self, notice: Notice, chat: EnquiryBrief | None, sender: Person | None) -> Content | None:
        if chat is None or sender is None or chat.link.service != self.market.settings.service:
            return None
        chat_id, listing = notice.message.room_position, int(chat.link.service_id)
        page = self._page(chat, notice.recipient.user_id)
        return {
            "type": "message",
            "chat_id": chat_id,
            "listing": listing,
            "title": _name(sender, chat)[:MAX_TITLE_CHARS],
            "body": notice.text,
            "url": page.replace("{chat_id}", str(chat_id)).replace("{listing}", str(listing)),
            "tag": f"chat-{chat_id}",
        }

    def _page(self, chat: EnquiryBrief, recipient: UserId) -> str:
        pages = self.market.settings.pages
        if recipient == chat.owner:
            return pages.seller
        return pages.buyer if recipient == chat.enquirer else pages.support


def _name(sender: Person, chat: EnquiryBrief) -> str:
    """The sender's name as others see it: a guest's number in the seller's list."""
    if is_guest(sender.number) and chat.guest_number is not None:
        return f"{sender.display_name} {chat.guest_number}"
    return sender.display_name


def _rooms(notices: Collection[Notice]) -> set[RoomId]:
    return {one.message.room_id for one in notices}

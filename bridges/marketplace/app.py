"""Builds the marketplace bridge."""

from dataclasses import dataclass

from pydantic import BaseModel

from bridges.marketplace.auth import Callers, is_public
from bridges.marketplace.chats import Chats
from bridges.marketplace.demo import Demo
from bridges.marketplace.embeds import Embeds
from bridges.marketplace.errors import ERRORS
from bridges.marketplace.files import Files, Tickets
from bridges.marketplace.listings import Listings
from bridges.marketplace.live import FACE, Live
from bridges.marketplace.me import Me
from bridges.marketplace.messages import MessageCalls
from bridges.marketplace.push import PushCalls, PushWords
from bridges.marketplace.safety import Safety
from bridges.marketplace.sending import Posting
from bridges.marketplace.service import Market
from bridges.marketplace.settings import MarketplaceSettings
from bridges.marketplace.socket import Sockets
from bridges.marketplace.support import Support
from homeserver.bridges import Context, Parts
from homeserver.errors import Invalid
from homeserver.http.apps import face_application
from homeserver.http.guestcookie import GuestCookie
from homeserver.http.routes import Face, Route
from homeserver.model import Attachment
from homeserver.services.media.store import Media
from homeserver.services.push.web.texts import PushFace

ABOUT = """\
## Marketplace chat

A chat ties a listing (`iphone_id`) and its buyer to the seller. A registered user authenticates with the
marketplace's token (`Authorization: Bearer`, the cookie of the site, or `?token=`); `user_id`, `seller_id` and
`buyer_id` must then be theirs. A guest is named by a version-4 UUID that their browser made, and is bound to a cookie
where the browser keeps one; others see an alias. The marketplace's own servers send `X-Service-Key`, and act for the
user that the request names.

**WebSocket** `{prefix}/ws/{{chat_id}}?user_id=`: the server sends `online_users` first. Client frames: `message`
(`message_text`, `message_type`?, `file_url`?, `file_name`?, `file_size`?, `client_id`?), `typing` (`is_typing`),
`read`, `invite_support`. Server frames: `message`, `message_edited`, `message_deleted`, `typing`, `messages_read`,
`user_connected`, `user_disconnected`, `support_invited`, `error`.

**WebSocket** `{prefix}/ws/seller/{{seller_id}}`: `connected`, then the messages of others in all chats of the seller,
`message_edited`, `message_deleted`, and with `chat_id` `messages_read` and `chat_deleted`. The text `ping` is answered
by `{{"type": "pong"}}`.
"""


@dataclass(frozen=True, slots=True)
class MediaAddresses:
    """Absolute URLs of files; those of our own files are signed and expire."""

    media: Media
    public_url: str

    def file_url(self, attachment: Attachment) -> str:
        """The absolute URL of a file."""
        if attachment.media_id is not None:
            return self.public_url + self.media.url(attachment.media_id, attachment.name)
        return attachment.file_url or ""


@dataclass(frozen=True, slots=True)
class Marketplace:
    """The bridge."""

    settings: type[BaseModel] = MarketplaceSettings

    def setup(self, context: Context, settings: MarketplaceSettings) -> Parts:
        """One application under each prefix, one watcher of the feed for all."""
        warnings = _warnings(context, settings)
        namespace = _namespace(context, settings)
        around = context.around
        cookie = GuestCookie(around.guests, is_secure=around.server.public_url.startswith("https:"))
        market = _market(context, settings, namespace)
        callers = Callers(context, settings, cookie, namespace)
        live = Live(
            hub=context.hub,
            plain=market.view(None),
            servers=context.hs.core.servers,
            service=settings.service,
            called_text=settings.support.called,
            max_chats=settings.max_chats,
        )
        context.hs.realtime.feed.watch(live)
        routes = _routes(context, market, callers, live, cookie)
        embeds = _embeds(context, market)
        return Parts(
            faces=_faces(context, settings, routes, cookie),
            pages=[route for one in embeds for route in one.routes()],
            startup=[one.load for one in embeds if isinstance(one, Demo)],
            listeners=[live.hear],
            warnings=warnings,
            push=PushFace(FACE, PushWords(market), live.attends),
        )


BRIDGE = Marketplace()


def _namespace(context: Context, settings: MarketplaceSettings) -> int:
    if not settings.issuer:
        return 0
    namespace = context.around.issuers.get(settings.issuer)
    if namespace is None:
        raise Invalid(
            f"bridges.marketplace.issuer: {settings.issuer} is not one of the issuers", code="bad_settings"
        )
    return namespace


def _warnings(context: Context, settings: MarketplaceSettings) -> list[str]:
    if not settings.trust_user_id:
        return []
    if is_public(context):
        raise Invalid(
            "bridges.marketplace.trust_user_id: must be false on an address that other machines can reach "
            f"({context.around.listen.host}); listen on 127.0.0.1, or set listen.trusted_proxies",
            code="bad_settings",
        )
    return ["trust_user_id is true: anyone who reaches this server directly can act as any user"]


def _market(context: Context, settings: MarketplaceSettings, namespace: int) -> Market:
    hs, media = context.hs, context.hs.media.store
    return Market(
        settings=settings,
        namespace=namespace,
        files=MediaAddresses(media, context.around.server.public_url.rstrip("/")),
        access=hs.events.access,
        enquiries=hs.enquiries.enquiries,
        messages=hs.messages.messages,
        receipts=hs.realtime.receipts,
        typing=hs.realtime.typing,
        connections=hs.realtime.connections,
        profiles=hs.accounts.profiles,
        guests=hs.enquiries.guests,
        media=media,
        blocks=hs.accounts.blocks,
        reports=hs.moderation.reports,
    )


def _routes(
    context: Context, market: Market, callers: Callers, live: Live, cookie: GuestCookie
) -> tuple[Route, ...]:
    core, settings = context.hs.core, market.settings
    listings = Listings(settings, core.clock, core.outgoing.configured)
    tickets = Tickets(core.keys.media_url, settings.upload_ticket_s, core.clock)
    base_url = context.around.server.public_url.rstrip("/") + settings.prefixes[0]
    files = Files(market, callers, tickets, base_url)
    posting = Posting(messages=market.messages, files=files, max_message_chars=settings.max_message_chars)
    messages = MessageCalls(market, callers, posting)
    support = Support(market, callers)
    sockets = Sockets(market, callers, hub=context.hub, live=live, posting=posting, support=support)
    return (
        *Me(callers).routes(),
        *Chats(market, callers, listings, cookie).routes(),
        *support.routes(),
        *Safety(market, callers).routes(),
        *messages.routes(),
        *files.routes(),
        *PushCalls(market, callers, context.hs.push.subscriptions).routes(),
        *sockets.routes(),
    )


def _embeds(context: Context, market: Market) -> list[Embeds | Demo]:
    """The scripts for the marketplace's pages, if enabled, and the demo pages. A user whose account is on this server
    signs in on our own page."""
    settings = market.settings
    if not settings.embeds:
        return []
    around = context.around
    has_login = around.web.enabled and around.messenger.enabled and not settings.issuer
    served = {
        "prefix": settings.prefixes[0],
        "publicUrl": around.server.public_url.rstrip("/"),
        "push": context.hs.push.subscriptions.is_on,
        "login": "/login?mode=register&next={next}" if has_login else None,
    }
    embeds = Embeds(served)
    return [embeds, Demo(context, market, embeds)] if has_login and around.web.demo else [embeds]


def _faces(
    context: Context, settings: MarketplaceSettings, routes: tuple[Route, ...], cookie: GuestCookie
) -> list[Face]:
    """The first prefix is documented; the others are aliases."""
    dispatcher = context.dispatcher(context.authenticator)
    faces = []
    for at, prefix in enumerate(settings.prefixes):
        application = face_application(dispatcher, ERRORS, routes)
        cookie.install(application)
        about = ABOUT.format(prefix=prefix) if at == 0 else ""
        name = "Marketplace" if at == 0 else f"Marketplace ({prefix})"
        faces.append(Face(name, prefix, application, routes if at == 0 else (), about))
    return faces

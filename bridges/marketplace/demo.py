"""Demo pages: a listing with the buyer's window, and a seller's profile with the inbox."""

import asyncio
from dataclasses import dataclass
from typing import Final

import jinja2
from aiohttp import hdrs, web

from bridges.marketplace.demotexts import LISTINGS, TEXTS
from bridges.marketplace.embeds import HERE, Embeds
from bridges.marketplace.service import Market
from homeserver.bridges import Context
from homeserver.errors import NotFound
from homeserver.model import Link, Person, Requester
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.demo import BUYER_EMAIL, SELLER_EMAIL
from homeserver.web.pages import SECURITY_HEADERS
from homeserver.web.texts import LANGUAGES, choose_language

_PAGES: Final = ("product.html", "profile.html")
# A service worker is a script too; its URL must be allowed by the page's policy.
_WITH_WORKER: Final = {
    "Content-Security-Policy": SECURITY_HEADERS["Content-Security-Policy"].replace(
        "trusted-types 'none'", "trusted-types chat-worker"
    )
}


@dataclass(frozen=True, slots=True)
class Seller:
    """The seller whose listings the pages show."""

    number: int
    name: str


class Demo:
    """Serves the pages. The seller and the first question are made when the server starts."""

    def __init__(self, context: Context, market: Market, embeds: Embeds) -> None:
        self._accounts: Accounts = context.hs.accounts.accounts
        self._around = context.around
        self._market = market
        self._embeds = embeds
        self._seller = Seller(0, "")
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE),
            autoescape=True,
            auto_reload=False,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[web.RouteDef]:
        """The two pages."""
        return [web.get(f"/{name}", self._page) for name in _PAGES]

    async def load(self, _: web.Application) -> None:
        """Find the seller, send the buyer's first message, and read the templates."""
        try:
            seller = (await self._accounts.find_by_email(SELLER_EMAIL)).person
            buyer = (await self._accounts.find_by_email(BUYER_EMAIL)).person
        except NotFound:
            return  # the demo's accounts were deactivated; its pages then have no seller
        self._seller = Seller(seller.number, seller.display_name)
        await self._first_question(buyer, seller)
        await asyncio.to_thread(self._read_templates)

    def _read_templates(self) -> None:
        for name in _PAGES:
            self._templates.get_template(name)

    async def _first_question(self, buyer: Person, seller: Person) -> None:
        link = Link(self._market.settings.service, str(LISTINGS[0].number))
        asker = Requester(
            user_id=buyer.user_id, number=buyer.number, session_key=f"demo market {buyer.number}"
        )
        if await self._market.enquiries.find(asker, link) is not None:
            return
        found = await self._market.enquiries.open(asker, buyer, link=link, owner=seller)
        room = await self._market.access.room(asker, found.room_id)
        await self._market.messages.send(room, text=TEXTS["en"]["first_question"])

    async def _page(self, request: web.Request) -> web.Response:
        wished = request.query.get("lang", "")
        language = choose_language(
            wished, request.cookies.get("lang", ""), request.headers.get(hdrs.ACCEPT_LANGUAGE, "")
        )
        name = request.path.lstrip("/")
        chosen = request.query.get("id", "")
        listing = next((one for one in LISTINGS if str(one.number) == chosen), LISTINGS[0])
        text = self._templates.get_template(name).render(
            config={
                "messengerPrefix": self._around.messenger.prefix,
                "sellerId": self._seller.number,
                "listings": {one.number: one.title[language] for one in LISTINGS},
            },
            embed=f"/embed/{await self._embeds.build()}",
            lang=language,
            languages=LANGUAGES,
            listing=listing,
            listings=LISTINGS,
            seller=self._seller,
            server=self._around.server,
            text=TEXTS[language],
        )
        response = web.Response(text=text, content_type="text/html")
        response.headers.update(SECURITY_HEADERS | _WITH_WORKER)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        response.headers[hdrs.CONTENT_LANGUAGE] = language
        response.headers[hdrs.VARY] = f"{hdrs.ACCEPT_LANGUAGE}, {hdrs.COOKIE}"
        return response

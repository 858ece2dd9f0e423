"""The demonstration's pages as a buyer and a seller use them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect

from homeserver.lifecycle import Running
from tests.bridges.marketplace.people import Shopper
from tests.web.browsers import Browsers

LISTING = 101
OTHER_LISTING = 102


def demo_login(server: Running, email: str) -> dict[str, str]:
    """The account of the demonstration that has this address."""
    text = (Path(server.hs.settings.server.data_dir) / "demo.json").read_text()
    logins: list[dict[str, str]] = json.loads(text)
    return next(one for one in logins if one["email"] == email)


class ThreadPage:
    """One chat in a widget."""

    def __init__(self, page: Page, frame: Locator) -> None:
        self.page = page
        self.frame = frame
        self.composer = frame.get_by_role("textbox", name="Message text")
        self.log = frame.get_by_role("log")

    async def write(self, text: str) -> None:
        await self.composer.fill(text)
        await self.composer.press("Enter")

    def message(self, text: str) -> Locator:
        return self.log.locator(".message", has=self.page.locator(".text", has_text=text))

    async def sees(self, text: str, *, timeout_ms: int = 30_000) -> None:
        """Wait until a message that the server has is here, once; beside it one that is tried again may stand."""
        stored = self.message(text).and_(self.page.locator("[data-message-id]"))
        await expect(stored).to_have_count(1, timeout=timeout_ms)

    async def texts(self) -> list[str]:
        return await self.log.locator(".text").all_inner_texts()


class BuyerPage(ThreadPage):
    """The page of a listing, with the window of the chat."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, page.locator(".chat-buyer"))
        self.launcher = self.frame.locator(".launcher")

    async def ask(self) -> None:
        """Open the chat with the seller."""
        await self.page.get_by_role("button", name="Message the seller").click()
        await expect(self.log).to_be_visible()


class SellerPage(ThreadPage):
    """The seller's own page, with the inbox."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, page.locator(".chat-inbox"))
        self.count = self.frame.locator(".inbox-count")
        self.search = self.frame.get_by_role("searchbox")

    def row(self, name: str) -> Locator:
        """A chat in the list."""
        return self.frame.locator(".item-frame", has=self.page.get_by_text(name, exact=True))

    def group(self, listing: int) -> Locator:
        return self.frame.locator(f".group[data-listing='{listing}']")

    async def enter(self, name: str) -> None:
        await self.row(name).locator(".item").click()
        await expect(self.frame.locator(".pane-title h3")).to_have_text(name)
        await expect(self.composer).to_be_visible()

    async def has_unread(self, count: int) -> None:
        """So many in the head of the list, and in the tab's title."""
        if count:
            await expect(self.count).to_contain_text(str(count))
            await expect(self.page).to_have_title(re.compile(rf"^\({count}\) "))
        else:
            await expect(self.count).to_be_empty()
            await expect(self.page).to_have_title(re.compile(r"^[^(]"))


class Shop:
    """The pages of one server."""

    def __init__(self, server: Running, browsers: Browsers, seller: Shopper) -> None:
        self._server = server
        self._browsers = browsers
        self._seller = seller

    async def buyer(
        self,
        listing: int = LISTING,
        *,
        fragment: str = "",
        stored: Sequence[dict[str, str]] = (),
        **options: Any,
    ) -> BuyerPage:
        """Somebody without an account looks at a listing. `stored`: what their browser has kept."""
        base_url = options.get("url") or self._server.url
        options["storage_state"] = {"origins": [{"origin": base_url, "localStorage": list(stored)}]}
        page = (await self._browsers.open(**options)).page
        await page.goto(f"/product.html?id={listing}#{fragment}")
        return BuyerPage(page)

    async def seller(self, path: str = "/profile.html", **options: Any) -> SellerPage:
        """The seller, already signed in, looks at the inbox."""
        token = self._seller.headers["Authorization"].removeprefix("Bearer ")
        auth = {"access": token, "refresh": "", "user_id": int(self._seller.name)}
        entry = {"name": "auth_data", "value": json.dumps(auth)}
        base_url = options.get("url") or self._server.url
        options["storage_state"] = {"origins": [{"origin": base_url, "localStorage": [entry]}]}
        page = (await self._browsers.open(**options)).page
        await page.goto(path)
        theirs = SellerPage(page)
        await expect(theirs.frame.locator(".item").first).to_be_visible()
        return theirs

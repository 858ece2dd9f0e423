"""Opening pages as somebody, and the words in which the tests speak of what is on them."""

import json
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.web.person import Person

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
expect.set_options(timeout=30_000)  # the pages of two workers and their browsers may share one busy core


class Browsers:
    """Each `open` is a browser of its own, with its own store."""

    def __init__(self, chromium: Browser, base_url: str) -> None:
        self._chromium = chromium
        self._base_url = base_url
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        self.expected: list[str] = []

    async def open(
        self, person: Person | None = None, *, phone: bool = False, url: str | None = None, **options: Any
    ) -> "ChatPage":
        """A page; signed in as `person`, if given. `url` is another way to the server."""
        base_url = url or self._base_url
        if person is not None:
            entry = {"name": "auth_data", "value": json.dumps(person.auth_data)}
            options["storage_state"] = {"origins": [{"origin": base_url, "localStorage": [entry]}]}
        defaults: dict[str, Any] = {
            "base_url": base_url,
            "viewport": PHONE if phone else DESKTOP,
            "has_touch": phone,
            "is_mobile": phone,
            "locale": "en-GB",
        }
        context = await self._chromium.new_context(**{**defaults, **options})
        context.set_default_timeout(30_000)
        self._contexts.append(context)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(f"exception: {error.error}"))
        page = await context.new_page()
        chat = ChatPage(page)
        if person is not None:
            await page.goto("/chat")
            await expect(page.locator(".sidebar-title")).to_be_visible()
        return chat

    def expect_complaint(self, text: str) -> None:
        """A complaint with this text is part of the story: a broken connection, a refused request."""
        self.expected.append(text)

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()
        self.complaints = [one for one in self.complaints if not any(text in one for text in self.expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")


class ChatPage:
    """What a person does and sees in the chat."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.composer = page.get_by_role("textbox", name="Message text")
        self.log = page.get_by_role("log")
        self.toasts = page.locator(".toast")

    def item(self, title: str) -> Locator:
        """A conversation in the list."""
        return self.page.locator(".item", has=self.page.locator(".item-title", has_text=title))

    async def enter(self, title: str) -> None:
        """Open a conversation from the list."""
        await self.item(title).click()
        await expect(self.page.locator(".conversation-title")).to_have_text(title)
        await expect(self.page.locator(".skeletons")).to_have_count(0)

    async def write(self, text: str) -> None:
        """Type a message and send it."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    def message(self, text: str) -> Locator:
        """A message that says `text`."""
        return self.log.locator(".row", has=self.page.locator(".text", has_text=text))

    async def sees(self, text: str, *, timeout_ms: int = 30_000) -> None:
        """Wait until a message that the server has is here, once."""
        stored = self.message(text).and_(self.page.locator("[data-message-id]"))
        await expect(stored).to_have_count(1, timeout=timeout_ms)
        await expect(self.message(text)).to_have_count(1)  # what was only being sent gives way to it

    async def act(self, text: str, action: str) -> None:
        """Choose an action of a message: Reply, Edit, Delete."""
        await self.message(text).hover()
        await self.message(text).get_by_role("button", name=action, exact=True).click()

    async def texts(self) -> list[str]:
        """All messages on the page, in order."""
        return await self.log.locator(".text").all_inner_texts()

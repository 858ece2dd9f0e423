"""Notifications: turned on by a click, shown by the worker, and back to the chat."""

import asyncio
import json
from typing import Any

from playwright.async_api import CDPSession, Page, expect

from homeserver.lifecycle import Running
from tests.bridges.marketplace.people import Shopper, guest
from tests.bridges.marketplace.web.host import Host
from tests.bridges.marketplace.web.pages import LISTING, SellerPage, Shop
from tests.web.browsers import Browsers

# A browser without a push service, as here, cannot subscribe; this stands for one that can.
SUBSCRIBE = """() => {
    let made = null;
    PushManager.prototype.getSubscription = async () => made;
    PushManager.prototype.subscribe = async function ({applicationServerKey, userVisibleOnly}) {
        const pair = await crypto.subtle.generateKey({name: "ECDH", namedCurve: "P-256"}, true, ["deriveBits"]);
        const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
            .replace(/[+]/g, "-").replace(/[/]/g, "_").replace(/=/g, "");
        const keys = {
            p256dh: text(await crypto.subtle.exportKey("raw", pair.publicKey)),
            auth: text(crypto.getRandomValues(new Uint8Array(16))),
        };
        const endpoint = "https://push.example/of-this-browser";
        made = {
            endpoint,
            options: {applicationServerKey: applicationServerKey.buffer, userVisibleOnly},
            toJSON: () => ({endpoint, keys}),
            unsubscribe: async () => { made = null; return true; },
        };
        return made;
    };
}"""
UNTIL_SHOWN = """async ([wanted, most]) => {
    const end = Date.now() + most;
    const registration = await navigator.serviceWorker.ready;
    for (;;) {
        const found = (await registration.getNotifications()).find(({title}) => title === wanted);
        if (found) return {title: found.title, body: found.body, tag: found.tag, data: found.data};
        if (Date.now() > end) return null;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}"""
TRIES, TRY_MS = 6, 6000
BAD = ("", "nonsense", "[]", "null", "5", '{"type": "other"}', '{"type": "message", "chat_id": "1"}')


class Pushes:
    """Delivers pushes to the worker of a page, as the browser's push service does."""

    def __init__(self, devtools: CDPSession, page: Page) -> None:
        self._devtools = devtools
        self._page = page
        self._id = ""
        self._is_known = asyncio.Event()
        devtools.on("ServiceWorker.workerRegistrationUpdated", self._registered)

    def _registered(self, event: dict[str, Any]) -> None:
        for registration in event["registrations"]:
            here = self._page.url.startswith(registration["scopeURL"].rstrip("/"))
            if here and not registration["isDeleted"]:
                self._id = registration["registrationId"]
                self._is_known.set()

    async def deliver(self, data: str) -> None:
        async with asyncio.timeout(30):
            await self._is_known.wait()
        origin = await self._page.evaluate("location.origin")
        await self._devtools.send(
            "ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": self._id, "data": data}
        )

    async def shown(self) -> list[dict[str, Any]]:
        """The notifications that are on the screen."""
        found: list[dict[str, Any]] = await self._page.evaluate(
            """async () => {
                const {ready} = navigator.serviceWorker;
                const all = await (await ready).getNotifications();
                return all.map(({title, body, tag, data}) => ({title, body, tag, data}));
            }"""
        )
        return found

    async def show(self, told: dict[str, Any]) -> dict[str, Any]:
        """Deliver a push, and return its notification once it is on the screen.

        A busy browser may lose a push while it starts the worker anew. A push service would deliver it again, and the
        notification of the same chat takes the place of the one before, so here it is delivered again, too.
        """
        for _ in range(TRIES):
            await self.deliver(json.dumps(told))
            found: dict[str, Any] | None = await self._page.evaluate(UNTIL_SHOWN, [told["title"], TRY_MS])
            if found is not None:
                return found
        raise AssertionError(f"{told['title']!r} is not shown by {self._id}, but {await self.shown()}")


async def test_pushes(shop: Shop, seller: Shopper, server: Running) -> None:
    asker = guest(seller.session)
    chat = await asker.open(LISTING, int(seller.name))
    await asker.say(chat, "Still there?")
    theirs = await shop.seller(permissions=["notifications"])
    devtools = await theirs.page.context.new_cdp_session(theirs.page)
    pushes = Pushes(devtools, theirs.page)
    await devtools.send("ServiceWorker.enable")
    await _turn_on(theirs)
    told = {
        "type": "message",
        "chat_id": chat["id"],
        "listing": LISTING,
        "title": "Guest <b>1</b>",
        "body": "Still there?",
        "url": f"/profile.html#chat={chat['id']}",
        "tag": f"chat-{chat['id']}",
    }
    await _are_shown(pushes, told, server.url)
    await _lead_to_the_chat(pushes, theirs)
    await _reached_by_link(shop, chat, asker)
    await _turn_off(theirs)


async def test_a_seller_on_another_site(
    server: Running, browsers: Browsers, seller: Shopper, host: Host
) -> None:
    """The inbox under the site's hostile styles, and its own worker with the one line."""
    host.chat, host.seller = server.url, seller.name
    page = (await browsers.open(permissions=["notifications"])).page
    await page.goto(f"{host.origin}/profile")
    theirs = SellerPage(page)
    await expect(theirs.frame.get_by_text("You are not signed in")).to_be_in_viewport()
    token = seller.headers["Authorization"].removeprefix("Bearer ")
    await page.evaluate("(token) => localStorage.setItem('access_token', token)", token)
    await page.evaluate("sellerChatsManager.refresh()")
    await theirs.enter("Bob")
    await theirs.write("Yes, it is")
    await theirs.sees("Yes, it is")
    devtools = await page.context.new_cdp_session(page)
    pushes = Pushes(devtools, page)
    await devtools.send("ServiceWorker.enable")
    await _turn_on(theirs)
    told = {"type": "message", "chat_id": 5, "title": "Bob", "body": "Thanks", "url": "/profile#chat=5"}
    shown = await pushes.show(told)
    assert shown["data"]["chat"]["url"] == f"{host.origin}/profile#chat=5"


async def _turn_on(theirs: SellerPage) -> None:
    await theirs.page.evaluate(SUBSCRIBE)
    async with theirs.page.expect_response("**/push/subscribe") as subscribed:
        await theirs.frame.get_by_role("button", name="Turn on notifications").click()
    assert (await (await subscribed.value).json())["success"]
    off = theirs.frame.get_by_role("button", name="Turn off notifications")
    await expect(off).to_have_attribute("aria-pressed", "true")


async def _are_shown(pushes: Pushes, told: dict[str, Any], own_url: str) -> None:
    """Nothing foreign is shown, and no notification leads to another site."""
    for data in BAD:
        await pushes.deliver(data)
    shown = await pushes.show(told)
    assert (shown["body"], shown["tag"]) == (told["body"], told["tag"])
    assert shown["data"]["chat"]["url"] == own_url + told["url"]
    shown = await pushes.show({**told, "title": "Again", "url": "https://elsewhere.example/"})
    assert shown["data"]["chat"]["url"] == f"{own_url}/"
    assert len(await pushes.shown()) == 1, "one for each chat"
    await pushes.show(told)


async def _lead_to_the_chat(pushes: Pushes, theirs: SellerPage) -> None:
    (worker,) = theirs.page.context.service_workers
    await worker.evaluate(
        """async () => {
            const [notification] = await registration.getNotifications();
            dispatchEvent(new NotificationEvent("notificationclick", {notification}));
        }"""
    )
    await expect(theirs.frame.locator(".pane-title h3")).to_have_text("Guest 1")
    assert await pushes.shown() == []


async def _reached_by_link(shop: Shop, chat: Any, asker: Shopper) -> None:
    """A guest's notification leads to the listing's page: it opens the chat there, and offers notifications, too."""
    entry = {"name": "anonymous_user_id", "value": asker.name}
    hers = await shop.buyer(fragment=f"chat={chat['id']}", stored=[entry])
    await hers.sees("Still there?")
    await expect(hers.frame.get_by_role("button", name="Turn on notifications")).to_be_visible()


async def _turn_off(theirs: SellerPage) -> None:
    async with theirs.page.expect_request("**/push/unsubscribe") as unsubscribed:
        await theirs.frame.get_by_role("button", name="Turn off notifications").click()
    assert (await unsubscribed.value).post_data_json == {"endpoint": "https://push.example/of-this-browser"}
    await expect(theirs.frame.get_by_role("button", name="Turn on notifications")).to_be_enabled()

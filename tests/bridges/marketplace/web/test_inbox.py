"""The seller's inbox: what it shows of very many chats, of hostile words, and to whom."""

import asyncio
import re
from typing import Any

import aiohttp
from playwright.async_api import Route, expect

from tests.bridges.marketplace.people import Shopper, guest
from tests.bridges.marketplace.web.pages import LISTING, OTHER_LISTING, Shop
from tests.web.browsers import Browsers
from tests.web.person import register
from tests.web.test_accessibility import violations
from tests.web.test_safety import PAYLOADS


async def _guests_ask(seller: Shopper, count: int, listing: int = LISTING) -> list[Any]:
    chats = []
    for number in range(count):
        asker = guest(seller.session)
        chats.append(await asker.open(listing, int(seller.name)))
        await asker.say(chats[-1], f"Question {number}")
    return chats


async def _buyer(session: aiohttp.ClientSession, name: str) -> Shopper:
    person = await register(session, name)
    return Shopper(session, str(person.number), {"Authorization": f"Bearer {person.tokens['access_token']}"})


async def test_many_chats_are_shown_as_they_are_scrolled_to(shop: Shop, seller: Shopper) -> None:
    await _guests_ask(seller, 45)
    chats = await _guests_ask(seller, 2, OTHER_LISTING)
    theirs = await shop.seller()
    rows = theirs.frame.locator(".item")
    await expect(rows).to_have_count(40)
    await theirs.has_unread(48)
    titles = theirs.frame.locator(".group-title")
    await expect(titles).to_have_text(["iPhone 13, 128 GB, green", "iPhone 15 Pro, 256 GB, natural"])
    await theirs.frame.locator(".groups-end").scroll_into_view_if_needed()
    await expect(rows).to_have_count(48)

    # One that was hidden is there again with its next message, and its listing stands first.
    late = guest(seller.session)
    chat = await late.open(LISTING, int(seller.name))
    await late.say(chat, "Is it there?")
    await expect(titles.first).to_have_text("iPhone 15 Pro, 256 GB, natural")
    await theirs.row("Guest 48").hover()
    await theirs.frame.get_by_role("button", name="Hide the chat with Guest 48").click()
    await expect(theirs.row("Guest 48")).to_have_count(0)
    await expect(titles.first).to_have_text("iPhone 13, 128 GB, green")
    await theirs.has_unread(48)
    await late.say(chat, "Hello?")
    await expect(theirs.row("Guest 48").locator(".badge")).to_contain_text("2")
    await theirs.has_unread(50)

    # What another window of the seller's reads is read here too.
    await seller.post(chats[0], "read")
    await theirs.has_unread(49)
    await theirs.search.fill("green")
    await expect(rows).to_have_count(2)
    await theirs.search.fill("question 44")
    await expect(rows).to_have_count(1)
    await theirs.search.fill("none has said this")
    await expect(theirs.frame.get_by_text("Nothing found")).to_be_visible()


async def test_what_is_said_while_the_list_loads_counts_once(shop: Shop, seller: Shopper) -> None:
    """One message before the server makes the list and one after, both heard on the socket before the list arrives."""
    asker = guest(seller.session)
    chat = await asker.open(LISTING, int(seller.name))
    theirs = await shop.seller()
    await theirs.has_unread(1)
    page, heard = theirs.page, asyncio.Queue[str]()
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda data: heard.put_nowait(str(data))),
    )

    async def hold(route: Route) -> None:
        await _until(heard, "connected")
        await asker.say(chat, "Before")
        made = await route.fetch()
        await asker.say(chat, "After")
        await _until(heard, "After")
        await route.fulfill(response=made)
        await page.unroute("**/grouped")

    await page.route("**/grouped", hold)
    await page.reload()
    await expect(theirs.row("Guest 1").locator(".item-last")).to_have_text("After")
    await expect(theirs.row("Guest 1").locator(".badge")).to_contain_text("2")
    await theirs.has_unread(3)


async def test_what_is_said_while_a_chat_loads_is_shown(shop: Shop, seller: Shopper) -> None:
    """The seller writes, the buyer writes and edits, all before the first page of messages arrives."""
    bert = await _buyer(seller.session, "Bert")
    chat = await bert.open(LISTING, int(seller.name))
    first = await bert.say(chat, "Frist")
    theirs = await shop.seller()
    page, heard = theirs.page, asyncio.Queue[str]()
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: heard.put_nowait(str(data))))

    is_held = False

    async def hold(route: Route) -> None:
        nonlocal is_held
        if is_held or route.request.method != "GET":
            await route.continue_()
            return
        is_held = True
        made = await route.fetch()
        async with page.expect_response(lambda answer: answer.request.method == "POST"):
            await theirs.write("Mine")
        url = f"/api/v1/messages/{first['id']}"
        await bert.session.patch(url, json={"content": "First"}, headers=bert.headers)
        await bert.say(chat, "Theirs")
        await _until(heard, "Theirs")
        await route.fulfill(response=made)

    await page.route("**/messages?*", hold)
    await theirs.enter("Bert")
    await expect(theirs.log.locator(".text")).to_have_text(["First", "Mine", "Theirs"])


async def _until(heard: asyncio.Queue[str], text: str) -> None:
    async with asyncio.timeout(30):
        while text not in await heard.get():
            pass


async def test_what_is_changed_or_deleted_is_so_in_the_list(
    shop: Shop, seller: Shopper, browsers: Browsers
) -> None:
    browsers.expect_complaint("404")  # what the open chat asks for may be gone before it hears so
    bert = await _buyer(seller.session, "Bert")
    chat = await bert.open(LISTING, int(seller.name))
    await bert.say(chat, "First")
    said = await bert.say(chat, "Secnd")
    theirs = await shop.seller()
    row, last = theirs.row("Bert"), theirs.row("Bert").locator(".item-last")
    await expect(last).to_have_text("Secnd")
    url = f"/api/v1/messages/{said['id']}"
    await bert.session.patch(url, json={"content": "Second"}, headers=bert.headers)
    await expect(last).to_have_text("Second")
    await bert.session.delete(url, headers=bert.headers)
    await expect(last).to_have_text("First")
    await expect(row.locator(".badge")).to_contain_text("1")
    await theirs.enter("Bert")
    await bert.call("DELETE", f"chats/{chat['id']}")
    await expect(row).to_have_count(0)
    await expect(theirs.frame.get_by_text("Choose a chat")).to_be_visible()


async def test_markup_stays_text(shop: Shop, seller: Shopper) -> None:
    title = "document.title"
    for number, payload in enumerate(PAYLOADS):
        mallory = await _buyer(seller.session, payload)
        chat = await mallory.open(LISTING + number % 2, int(seller.name))
        await mallory.say(chat, payload)
    file: dict[str, Any] = {
        "file_url": "https://elsewhere.example/x.png",
        "file_name": PAYLOADS[0],
        "message_type": "image",
    }
    nobody = guest(seller.session)
    await nobody.say(await nobody.open(LISTING, int(seller.name)), "", **file)
    theirs = await shop.seller()
    names = await theirs.frame.locator(".item-title").all_inner_texts()
    assert set(PAYLOADS) < set(names)
    for payload in PAYLOADS:
        await expect(theirs.row(payload).locator(".item-last")).to_have_text(payload)
        await theirs.enter(payload)
        await theirs.sees(payload)
    await theirs.enter("Guest 1")
    await expect(theirs.log.locator("a.file")).to_have_attribute("href", file["file_url"])
    assert await theirs.frame.locator("img, script, svg[onload]").count() == 0
    assert "owned" not in await theirs.page.evaluate(title)


async def test_by_keyboard_until_signed_out(shop: Shop, seller: Shopper, browsers: Browsers) -> None:
    """Nothing is left on the page of who signs out, and they do not become a guest."""
    browsers.expect_complaint("401")  # what was under way when they signed out
    (chat, *_) = await _guests_ask(seller, 2)
    theirs = await shop.seller(f"/profile.html#chat={chat['id']}")
    keyboard = theirs.page.keyboard
    await expect(theirs.frame.locator(".pane-title h3")).to_have_text("Guest 1")
    await expect(theirs.composer).to_be_focused()
    await keyboard.type("Yes")
    await keyboard.press("Enter")
    await theirs.sees("Yes")
    await expect(theirs.frame.locator(".item-frame").first).to_contain_text("Yes")  # it goes to the top
    await keyboard.press("Escape")
    await expect(theirs.row("Guest 1").locator(".item")).to_be_focused()
    await keyboard.press("ArrowDown")
    await expect(theirs.row("Guest 2").locator(".item")).to_be_focused()
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(theirs.row("Guest 2")).to_have_count(0)
    await expect(theirs.row("Guest 1").locator(".item")).to_be_focused()
    await keyboard.press("ArrowUp")
    await expect(theirs.search).to_be_focused()
    await theirs.page.get_by_role("button", name="Sign out").click()
    await expect(theirs.frame.get_by_text("You are not signed in")).to_be_visible()
    await expect(theirs.frame.locator(".item, .message")).to_have_count(0)
    await theirs.has_unread(0)
    sign_in = theirs.frame.get_by_role("link", name="Sign in")
    await expect(sign_in).to_have_attribute("href", re.compile("next=%2Fprofile.html"))
    assert await theirs.page.evaluate("localStorage.getItem('anonymous_user_id')") is None


async def test_a_phone_and_axe(shop: Shop, seller: Shopper) -> None:
    """One thing at a time on a phone; nothing wrong for axe, in both languages and colours."""
    await _guests_ask(seller, 3)
    options = {"color_scheme": "dark", "reduced_motion": "reduce", "locale": "ru-RU"}
    phone = await shop.seller(phone=True, **options)
    await expect(phone.frame.get_by_role("heading", name="Сообщения")).to_be_visible()
    assert await violations(phone.page) == []
    await phone.row("Гость 3").locator(".item").tap()
    pane = phone.frame.locator(".inbox-pane")
    await expect(pane).to_be_in_viewport(ratio=0.99)
    await expect(phone.log.locator(".text")).to_have_text(["Question 2"])
    assert await violations(phone.page) == []
    assert await phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await phone.frame.get_by_role("button", name="Назад к списку").tap()
    await expect(pane).to_be_hidden()
    desktop = await shop.seller(color_scheme="light", reduced_motion="reduce")
    await desktop.enter("Guest 3")
    await expect(desktop.log.locator(".text")).to_have_text(["Question 2"])
    assert await violations(desktop.page) == []


async def test_an_answer_while_the_list_loads_is_in_the_list(shop: Shop, seller: Shopper) -> None:
    """The list that arrives is older than what the seller has just sent from the open chat."""
    (chat, *_) = await _guests_ask(seller, 2)
    theirs = await shop.seller(f"/profile.html#chat={chat['id']}")
    page = theirs.page
    await expect(theirs.composer).to_be_focused()

    is_held = False

    async def hold(route: Route) -> None:
        nonlocal is_held
        if is_held:
            await route.continue_()
            return
        is_held = True
        made = await route.fetch()
        await theirs.write("Yes")
        await theirs.sees("Yes")
        await route.fulfill(response=made)

    await page.route("**/grouped", hold)
    async with page.expect_response("**/grouped"):
        # Back after a long time, the page looks at the whole list again.
        await page.evaluate(
            """() => {
                Date.now = () => performance.timeOrigin + performance.now() + 600_000;
                document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
    await expect(theirs.frame.locator(".item-frame").first).to_contain_text("Yes")
    await expect(theirs.row("Guest 1").locator(".item-last")).to_contain_text("Yes")

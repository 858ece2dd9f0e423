"""A buyer without an account and a seller talk about a listing, in two browsers; at last the buyer gets an account."""

import base64
from pathlib import Path

from playwright.async_api import expect

from homeserver.lifecycle import Running
from homeserver.services.demo import SELLER_EMAIL
from tests.bridges.marketplace.web.pages import BuyerPage, SellerPage, Shop, demo_login
from tests.web.browsers import Browsers
from tests.web.test_network import BROKEN
from tests.web.wire import Wire, wire_to

GIF = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=")


async def test_a_guest_and_a_seller(server: Running, shop: Shop, browsers: Browsers, tmp_path: Path) -> None:
    for text in BROKEN:
        browsers.expect_complaint(text)
    async with wire_to(server.url) as wire:
        theirs = await _sign_in(server, browsers)
        hers = await shop.buyer(url=wire.url)
        await _first_words(hers, theirs)
        await _picture(hers, theirs, tmp_path)
        await _support(hers, theirs)
        await _reload(hers, theirs)
        await _cut(hers, theirs, wire)
        await _get_an_account(hers, theirs)


async def _sign_in(server: Running, browsers: Browsers) -> SellerPage:
    """From the profile over the login page and back; the demonstration's buyer has asked something already."""
    page = (await browsers.open()).page
    await page.goto("/profile.html")
    theirs = SellerPage(page)
    await expect(theirs.frame.get_by_text("You are not signed in")).to_be_visible()
    await page.get_by_role("banner").get_by_role("link", name="Sign in").click()
    await expect(page.locator("#login-email")).to_be_focused()  # the page's script is at work
    await page.locator(".demo-account", has_text=demo_login(server, SELLER_EMAIL)["email"]).click()
    await expect(theirs.row("Bob")).to_contain_text("Is the iPhone still for sale?")
    await theirs.has_unread(1)
    return theirs


async def _first_words(hers: BuyerPage, theirs: SellerPage) -> None:
    await hers.ask()
    await hers.write("Does it have scratches?")
    await hers.sees("Does it have scratches?")
    await expect(theirs.row("Guest 1").locator(".badge")).to_contain_text("1")
    await theirs.has_unread(2)
    await theirs.enter("Guest 1")
    await theirs.sees("Does it have scratches?")
    await theirs.has_unread(1)
    await expect(hers.message("Does it have scratches?").locator(".mark-read")).to_be_visible()
    await expect(theirs.row("Guest 1").locator(".is-online")).to_be_visible()

    await hers.composer.press_sequentially("And")
    await expect(theirs.frame.locator(".presence")).to_have_text("typing…")
    await hers.composer.fill("")
    await theirs.composer.press_sequentially("None")
    await expect(hers.frame.locator(".presence")).to_have_text("typing…")
    await theirs.composer.press("Enter")
    await hers.sees("None")
    await expect(theirs.row("Guest 1").locator(".item-last")).to_have_text("None")

    await hers.composer.press("Escape")
    await theirs.write("Anything else?")
    await expect(hers.launcher).to_have_accessible_name("Open the chat, 1 unread message")
    await hers.launcher.click()
    await hers.sees("Anything else?")


async def _picture(hers: BuyerPage, theirs: SellerPage, tmp_path: Path) -> None:
    (tmp_path / "like this.gif").write_bytes(GIF)
    await hers.frame.locator("input[type=file]").set_input_files(tmp_path / "like this.gif")
    await expect(hers.frame.locator(".composer-tray .sending-preview")).to_be_visible()
    await hers.write("A scratch like this?")
    for one in (hers, theirs):
        await one.sees("A scratch like this?")
        await expect(one.log.locator(".picture img")).to_have_js_property("naturalWidth", 1)
    await theirs.frame.get_by_role("button", name="Open image like this.gif").click()
    await expect(theirs.page.get_by_role("dialog", name="like this.gif")).to_be_visible()
    await theirs.page.keyboard.press("Escape")
    await expect(theirs.page.get_by_role("dialog", name="like this.gif")).to_be_hidden()
    await expect(theirs.composer).to_be_visible()


async def _support(hers: BuyerPage, theirs: SellerPage) -> None:
    await hers.frame.get_by_role("button", name="Actions").click()
    await hers.frame.get_by_role("menuitem", name="Call support").click()
    for one in (hers, theirs):
        await expect(one.log.locator(".system")).to_have_text("Техническая поддержка приглашена в чат")


async def _reload(hers: BuyerPage, theirs: SellerPage) -> None:
    before = await hers.texts()
    await hers.page.reload()
    await hers.ask()
    await hers.sees("A scratch like this?")
    assert await hers.texts() == before
    await theirs.page.reload()
    await theirs.enter("Guest 1")
    await theirs.sees("A scratch like this?")
    assert await theirs.texts() == before


async def _cut(hers: BuyerPage, theirs: SellerPage, wire: Wire) -> None:
    """What was said meanwhile on both sides is there afterwards, once."""
    wire.cut()
    await expect(hers.frame.locator(".connection")).to_be_visible()
    await hers.write("Written in the dark")
    for number in range(3):
        await theirs.write(f"Answer {number}")
    await theirs.sees("Answer 2")
    wire.mend()
    await hers.sees("Answer 2", timeout_ms=40_000)
    await hers.sees("Written in the dark", timeout_ms=40_000)
    await theirs.sees("Written in the dark")
    await expect(hers.frame.locator(".connection")).to_be_hidden()
    said = await theirs.texts()
    assert said[-4:] == [*(f"Answer {number}" for number in range(3)), "Written in the dark"]
    assert await hers.texts() == said


async def _get_an_account(hers: BuyerPage, theirs: SellerPage) -> None:
    """The chat is the same; the seller sees a name instead of a number."""
    page, said = hers.page, await hers.texts()
    await hers.frame.get_by_role("link", name="Sign in or register to keep this chat").click()
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.get_by_label("Name").fill("Rita Guest")
    view = page.locator("#register-view")
    await view.get_by_label("E-mail").fill("rita@example.org")
    await view.get_by_label("Password", exact=True).fill("correct horse battery")
    await view.get_by_role("button", name="Create an account").click()
    await hers.ask()
    await hers.sees(said[-1])
    assert await hers.texts() == said
    assert await page.evaluate("localStorage.getItem('anonymous_user_id')") is None
    await hers.write("It is me again")
    await theirs.sees("It is me again")
    await theirs.page.reload()
    await theirs.enter("Rita Guest")
    await theirs.sees("It is me again")
    assert await theirs.texts() == await hers.texts()

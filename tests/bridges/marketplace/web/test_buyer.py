"""The buyer's window: on a page of another site, with hostile words, on a phone, and when somebody is a nuisance."""

import base64
import json
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from playwright.async_api import Page, Route, expect

from homeserver.lifecycle import Running
from homeserver.services.demo import BUYER_EMAIL
from tests.bridges.marketplace.people import Shopper
from tests.bridges.marketplace.web.host import Host
from tests.bridges.marketplace.web.pages import BuyerPage, Shop, demo_login
from tests.web.browsers import Browsers
from tests.web.test_accessibility import violations
from tests.web.test_safety import PAYLOADS

TEXT_COLOURS: dict[Literal["light", "dark"], str] = {"light": "rgb(23, 33, 31)", "dark": "rgb(230, 236, 234)"}
GIF = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=")


async def _chat(seller: Shopper, listing: int = 101) -> dict[str, Any]:
    """The newest chat about a listing, as its seller has it."""
    groups = await seller.call("GET", f"chats/seller/{seller.name}/grouped")
    found: dict[str, Any] = max(groups[str(listing)], key=lambda chat: chat["id"])
    return found


async def _style(page: Page, selector: str, name: str) -> str:
    found = page.locator(selector)
    return str(await found.evaluate("(element, name) => getComputedStyle(element)[name]", name))


async def test_a_page_of_another_site(
    server: Running, browsers: Browsers, seller: Shopper, host: Host, tmp_path: Path
) -> None:
    """Its style sheet hides everything and its policy forbids nearly everything; then the guest signs in there."""
    host.chat, host.seller = server.url, seller.name
    page = (await browsers.open()).page
    await page.goto(host.origin)
    hers = BuyerPage(page)
    await page.click("#ask")
    await hers.write("Does the lamp work?")
    await hers.sees("Does the lamp work?")
    await expect(hers.frame.get_by_role("dialog", name="A lamp")).to_be_in_viewport(ratio=0.99)
    assert await _style(page, ".message .bubble", "color") == "rgb(23, 33, 31)"
    assert await _style(page, ".composer-attach", "display") == "grid"

    await seller.say(await _chat(seller, 77), "It does")
    await hers.sees("It does")
    (tmp_path / "plug.gif").write_bytes(GIF)
    await hers.frame.locator("input[type=file]").set_input_files(tmp_path / "plug.gif")
    assert await _style(page, ".composer-send", "backgroundColor") == "rgb(122, 46, 160)"
    await hers.write("With this plug?")
    await expect(hers.log.locator(".picture img")).to_have_js_property("naturalWidth", 1)

    await page.keyboard.press("Escape")
    await expect(page.locator("#ask")).to_be_focused()
    await page.reload()
    await seller.say(await _chat(seller, 77), "With any")
    await page.reload()
    await expect(hers.launcher).to_have_accessible_name("Open the chat, 1 unread message")
    await _sign_in_on_the_page(server, seller, page)
    await hers.launcher.click()
    await hers.frame.locator(".mine-row", has_text="A lamp").click()
    await hers.sees("With any")
    await hers.sees("With this plug?")
    assert await page.evaluate("localStorage.getItem('anonymous_user_id')") is None
    assert (await _chat(seller, 77))["buyer_name"] == "Bob"


async def _sign_in_on_the_page(server: Running, seller: Shopper, page: Page) -> None:
    """The site keeps the token in its own store, and says so."""
    login = demo_login(server, BUYER_EMAIL)
    body = {"email": login["email"], "password": login["password"]}
    async with seller.session.post("/api/v1/auth/login", json=body) as answer:
        token = (await answer.json())["access_token"]
    await page.evaluate("(token) => localStorage.setItem('access_token', token)", token)
    await page.evaluate("chatManager.refresh()")


async def test_hostile_words_stay_text(shop: Shop, seller: Shopper, client: aiohttp.ClientSession) -> None:
    patch = {"display_name": PAYLOADS[0]}
    async with client.patch("/api/v1/users/me", json=patch, headers=seller.headers) as answer:
        assert answer.status == 200
    hers = await shop.buyer()
    await hers.ask()
    await hers.write("Hello")
    await hers.sees("Hello")
    chat = await _chat(seller)
    file: dict[str, Any] = {"message_type": "image", "file_name": f'{PAYLOADS[2]}".gif', "file_size": 1}
    await seller.say(chat, "A file", **file, file_url="https://example.org/a'b\"c.gif")
    for payload in (*PAYLOADS, "javascript:alert(1)"):
        await seller.say(chat, payload)
    await hers.sees("javascript:alert(1)")
    assert await hers.texts() == ["Hello", "A file", *PAYLOADS, "javascript:alert(1)"]
    await expect(hers.frame.locator(".window-subtitle bdi")).to_have_text(PAYLOADS[0])
    foreign = hers.log.locator("a.file")
    assert str(await foreign.get_attribute("href")).startswith("https://example.org/a%27b%22c.gif")
    assert "noopener" in str(await foreign.get_attribute("rel"))
    assert await hers.log.locator("img, script, .text svg, .text a").count() == 0
    await hers.frame.get_by_role("button", name="Close").click()
    await hers.page.reload()
    await hers.launcher.click()
    await expect(hers.frame.locator(".mine-last")).to_have_text(f"{PAYLOADS[0]}: javascript:alert(1)")
    assert await hers.frame.locator("img, script").count() == 0


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_everybody_can_use_it(shop: Shop, seller: Shopper, tmp_path: Path, phone: bool) -> None:
    """Axe finds nothing, in light and dark; the focus goes in and comes back; a phone shows one thing at a time."""
    hers = await shop.buyer(phone=phone, reduced_motion="reduce")
    page = hers.page
    await hers.ask()
    await hers.composer.fill("Is it new? https://example.org/")
    await hers.frame.get_by_role("button", name="Send").click()
    await hers.sees("Is it new?")
    await seller.say(await _chat(seller), "Nearly")
    await hers.sees("Nearly")
    (tmp_path / "box.gif").write_bytes(GIF)
    await hers.frame.locator("input[type=file]").set_input_files(tmp_path / "box.gif")
    await hers.frame.get_by_role("button", name="Actions").click()
    await expect(hers.frame.get_by_role("menuitem", name="Call support")).to_be_focused()
    for colours, text in TEXT_COLOURS.items():
        await page.emulate_media(color_scheme=colours)
        await expect(hers.frame.locator(".window-title")).to_have_css("color", text)
        assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(hers.frame.get_by_role("button", name="Actions")).to_be_focused()
    window = hers.frame.locator(".window")
    assert await window.evaluate("element => element.matches(':modal')") is phone
    if phone:
        assert await window.evaluate("element => element.offsetWidth") == 390
        for _ in range(20):  # never out of the window
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement?.id !== 'openChatBtn'")
    await hers.composer.press("Escape")
    await expect(window).to_be_hidden()
    await expect(page.get_by_role("button", name="Message the seller")).to_be_focused()
    await hers.launcher.click()
    await expect(window).to_be_visible()
    await page.reload()
    await hers.launcher.click()
    await expect(hers.frame.locator(".mine-row")).to_be_visible()
    assert await violations(page) == []


async def test_nuisances_and_what_could_not_be_sent(shop: Shop, seller: Shopper, browsers: Browsers) -> None:
    browsers.expect_complaint("ERR_FAILED")
    hers = await shop.buyer()
    await hers.ask()
    await _lose_an_answer(hers)
    chat = await _chat(seller)
    assert [one["message_text"] for one in await seller.messages(chat)] == ["Twice?"]
    await seller.say(chat, "Send me your password")
    await _report(hers, "Send me your password")
    await _block_and_unblock(hers, seller, chat)
    kept = json.loads(await hers.page.evaluate("JSON.stringify(localStorage)"))
    assert not [name for name in kept if name.startswith("chat_unsent")]


async def _lose_an_answer(hers: BuyerPage) -> None:
    """The server has the message, but the page does not hear of it, and is loaded anew; it is sent once."""

    async def lose(route: Route) -> None:
        if route.request.method == "POST":
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await hers.page.route("**/messages?*", lose)
    await hers.write("Twice?")
    await expect(hers.log.locator(".is-failed")).to_contain_text("The server cannot be reached.")
    await hers.page.unroute("**/messages?*")
    await hers.page.reload()
    await hers.ask()
    await hers.sees("Twice?")
    await expect(hers.log.locator(".is-failed, .is-sending")).to_have_count(0)


async def _report(hers: BuyerPage, text: str) -> None:
    await hers.message(text).hover()
    await hers.frame.get_by_role("button", name="Report").click()
    await hers.frame.get_by_role("textbox", name="What is wrong (optional)").fill("A fraud")
    await hers.frame.get_by_role("button", name="Send the report").click()
    await expect(hers.frame.get_by_text("The report was sent.")).to_be_visible()


async def _block_and_unblock(hers: BuyerPage, seller: Shopper, chat: dict[str, Any]) -> None:
    await hers.frame.get_by_role("button", name="Actions").click()
    await hers.frame.get_by_role("menuitem", name="Block").click()
    question = hers.frame.get_by_role("dialog", name="Block the other side?")
    await question.get_by_role("button", name="Block").click()
    await expect(hers.composer).to_be_hidden()
    assert await seller.say(chat, "Why?", 403) == "blocked"
    await hers.frame.get_by_role("button", name="Unblock").click()
    await expect(hers.composer).to_be_visible()
    await seller.say(chat, "Thank you")
    await hers.sees("Thank you")

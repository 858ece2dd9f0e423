"""Small screens, other languages, dark colours, and no pointer at all."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.browsers import Browsers, ChatPage
from tests.web.conftest import People


async def test_a_phone_shows_one_thing_at_a_time(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.private(bob)
    await bob.say(conversation_id, "On the go?")
    hers = await browsers.open(alice, phone=True)
    page = hers.page
    await expect(hers.composer).to_be_hidden()
    await page.locator(".item").tap()
    await hers.sees("On the go?")
    await expect(page.get_by_role("searchbox")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await hers.composer.fill("Yes, on the train")
    await page.get_by_role("button", name="Send").tap()
    await hers.sees("Yes, on the train")
    await hers.message("On the go?").tap()
    await page.get_by_role("button", name="Reply", exact=True).tap()
    await expect(page.get_by_text("Replying to Bob")).to_be_visible()
    await page.get_by_role("button", name="Do not reply").tap()

    await page.get_by_role("button", name="Details and members").tap()
    await expect(page.get_by_role("region", name="Details")).to_be_in_viewport(ratio=0.99)
    await page.locator(".panel-close").tap()
    await page.get_by_role("button", name="Back").tap()
    await expect(page.get_by_role("searchbox")).to_be_visible()
    await expect(hers.composer).to_be_hidden()
    assert page.url.endswith("/chat")

    await page.locator(".item").tap()
    await hers.sees("Yes, on the train")
    await page.go_back()
    await expect(page.get_by_role("searchbox")).to_be_visible()
    await page.get_by_role("button", name="New conversation").tap()
    await expect(page.get_by_role("dialog")).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize(
    "options", [{"locale": "ru-RU"}, {"path": "/chat?lang=ru"}], ids=["browser", "address"]
)
async def test_russian(people: People, browsers: Browsers, options: dict[str, Any]) -> None:
    alice, bob, carol = await people("Алиса", "Боб", "Карл")
    conversation_id = await alice.group("Чаепитие", bob, carol)
    for number in range(5):
        await bob.say(conversation_id, f"Сообщение {number}")
    path = options.pop("path", None)
    hers = await browsers.open(alice, **options)
    page = hers.page
    if path:
        await page.goto(path)
        await page.goto("/chat")
    await expect(page.get_by_role("heading", name="Чаты")).to_be_visible()
    await expect(page.locator(".badge")).to_have_attribute("aria-label", "5 непрочитанных сообщений")
    await hers.enter("Чаепитие")
    await expect(page.locator(".conversation-subtitle")).to_have_text("3 участника")
    await expect(page.get_by_role("separator", name="Сегодня")).to_be_visible()
    await expect(page.get_by_role("separator", name="Новые сообщения")).to_be_visible()
    await page.get_by_role("textbox", name="Текст сообщения").fill("Привет!")
    await page.get_by_role("textbox", name="Текст сообщения").press("Enter")
    await hers.sees("Привет!")
    await page.get_by_role("button", name="Профиль и настройки").click()
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="Chats")).to_be_visible()
    await expect(page.locator(".conversation-title")).to_have_text("Чаепитие")
    await expect(page.locator(".conversation-subtitle")).to_have_text("3 members")


async def _background(page: Page) -> str:
    return str(await page.evaluate("getComputedStyle(document.querySelector('.sidebar')).backgroundColor"))


async def test_light_and_dark(people: People, browsers: Browsers) -> None:
    """As the system wants; or as the reader chose, from the first moment of the next visit."""
    (alice,) = await people("Alice")
    hers = await browsers.open(alice, color_scheme="dark")
    page = hers.page
    dark = await _background(page)
    await page.emulate_media(color_scheme="light")
    light = await _background(page)
    assert light == "rgb(255, 255, 255)" != dark
    await page.get_by_role("button", name="Profile and settings").click()
    await page.get_by_role("radio", name="Dark").check()
    assert await _background(page) == dark
    await page.reload()
    await expect(page.locator(".sidebar")).to_be_visible()
    assert await _background(page) == dark
    await page.get_by_role("button", name="Profile and settings").click()
    await page.get_by_role("radio", name="As the system").check()
    assert await _background(page) == light


async def _press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def _tab_to(page: Page, target: Locator, *, key: str = "Tab", most: int = 30) -> None:
    for _ in range(most):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press(key)
    await expect(target).to_be_focused()


async def test_everything_by_keyboard(people: People, browsers: Browsers) -> None:
    """Make a group, talk, edit, reply, delete, leave: without a pointer."""
    alice, _bob = await people("Alice", "Bob")
    hers = await browsers.open(alice)
    await _make_a_group(hers)
    await _talk_and_edit(hers)
    await _reply(hers)
    await _delete(hers)
    await _look_at_the_details(hers)


async def _make_a_group(hers: ChatPage) -> None:
    page, keyboard = hers.page, hers.page.keyboard
    await _tab_to(page, page.locator(".create-open"))
    await _press(page, "Enter")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await expect(page.get_by_role("option")).to_have_count(1)
    await _tab_to(page, page.get_by_role("radio", name="Private"), key="Shift+Tab")
    await _press(page, "ArrowRight")
    await expect(page.get_by_role("radio", name="Group")).to_be_checked()
    await _press(page, "Tab")
    await keyboard.type("By hand")
    await _press(page, "Tab")
    await keyboard.type("Bo")
    await expect(page.get_by_role("option")).to_have_count(1)
    await _press(page, "Enter")
    await expect(page.get_by_role("option", name="Bob")).to_have_attribute("aria-selected", "true")
    await _tab_to(page, page.get_by_role("button", name="Create"))
    await _press(page, "Enter")
    await expect(page.locator(".conversation-title")).to_have_text("By hand")


async def _talk_and_edit(hers: ChatPage) -> None:
    page, keyboard = hers.page, hers.page.keyboard
    await expect(hers.composer).to_be_focused()
    await keyboard.type("One")
    await _press(page, "Shift+Enter")
    await keyboard.type("Two")
    await _press(page, "Enter")
    await hers.sees("One\nTwo")
    await _press(page, "ArrowUp")
    await expect(page.get_by_text("Editing a message")).to_be_visible()
    await keyboard.type(" Three")
    await _press(page, "Enter")
    await hers.sees("Two Three")
    await expect(hers.message("Two Three").locator(".edited")).to_be_visible()
    await _press(page, "ArrowUp", "Escape")
    await expect(page.get_by_text("Editing a message")).to_be_hidden()
    await expect(hers.composer).to_have_value("")


async def _reply(hers: ChatPage) -> None:
    page, keyboard = hers.page, hers.page.keyboard
    await _tab_to(page, hers.log, key="Shift+Tab")
    await _press(page, "ArrowUp")
    await expect(hers.message("Two Three")).to_be_focused()
    await _tab_to(page, page.get_by_role("button", name="Reply", exact=True))
    await _press(page, "Enter")
    await expect(page.get_by_text("Replying to You")).to_be_visible()
    await expect(hers.composer).to_be_focused()
    await keyboard.type("To myself")
    await _press(page, "Enter")
    await hers.sees("To myself")


async def _delete(hers: ChatPage) -> None:
    page = hers.page
    await _tab_to(page, hers.log, key="Shift+Tab")
    await _press(page, "End")
    await expect(hers.message("To myself")).to_be_focused()
    await _tab_to(page, hers.message("To myself").get_by_role("button", name="Delete"))
    await _press(page, "Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await _press(page, "Tab", "Enter")
    await expect(hers.message("To myself")).to_have_count(0)
    await expect(hers.composer).to_be_focused()


async def _look_at_the_details(hers: ChatPage) -> None:
    page, dialog = hers.page, hers.page.get_by_role("dialog")
    await _tab_to(page, page.get_by_role("button", name="Details and members"), key="Shift+Tab")
    await _press(page, "Enter")
    await expect(page.locator(".panel-close")).to_be_focused()
    await _tab_to(page, page.get_by_role("button", name="Leave the group"))
    await _press(page, "Enter")
    await expect(dialog).to_be_visible()
    await _press(page, "Escape")
    await expect(page.get_by_role("button", name="Leave the group")).to_be_focused()
    await _press(page, "Escape")
    await expect(page.get_by_role("button", name="Details and members")).to_be_focused()


async def test_the_list_by_keyboard(people: People, browsers: Browsers) -> None:
    alice, bob, carol = await people("Alice", "Bob", "Carol")
    await alice.private(bob)
    await alice.private(carol)
    hers = await browsers.open(alice)
    page = hers.page
    await _tab_to(page, page.get_by_role("searchbox"))
    await page.keyboard.type("car")
    await expect(page.locator(".item")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(page.locator(".item")).to_have_count(2)
    await _press(page, "ArrowDown", "ArrowDown")
    await expect(page.locator(".item").nth(1)).to_be_focused()
    await _press(page, "Enter")
    await expect(page.locator(".conversation-title")).to_have_text("Bob")
    await expect(hers.composer).to_be_focused()


async def test_searching_finds_what_is_not_loaded(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.group("Needle", bob)
    for number in range(55):
        await alice.group(f"Haystack {number}", bob)
    hers = await browsers.open(alice)
    await expect(hers.item("Haystack 54")).to_be_visible()
    await hers.page.get_by_role("searchbox").fill("needle")
    await hers.enter("Needle")
    await hers.page.get_by_role("searchbox").fill("nothing like this")
    await expect(hers.page.get_by_text("Nothing found")).to_be_visible()
    await hers.page.get_by_role("searchbox").fill("")
    await hers.page.locator(".items-end").scroll_into_view_if_needed()
    await expect(hers.page.locator(".item")).to_have_count(56)


async def test_drafts_and_pasted_pictures(people: People, browsers: Browsers) -> None:
    alice, bob, carol = await people("Alice", "Bob", "Carol")
    await alice.private(bob)
    await alice.private(carol)
    hers = await browsers.open(alice)
    await hers.enter("Bob")
    await hers.composer.fill("Not finished")
    await hers.enter("Carol")
    await expect(hers.composer).to_have_value("")
    await expect(hers.item("Bob").locator(".item-last")).to_have_text(re.compile("Draft: Not finished"))
    await hers.enter("Bob")
    await expect(hers.composer).to_have_value("Not finished")

    await hers.composer.evaluate(
        """field => {
            const transfer = new DataTransfer();
            const base64 = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=";
            const picture = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
            transfer.items.add(new File([picture], "pasted.gif", {type: "image/gif"}));
            const options = {clipboardData: transfer, bubbles: true, cancelable: true};
            field.dispatchEvent(new ClipboardEvent("paste", options));
        }"""
    )
    await expect(hers.page.locator(".composer-tray .upload")).to_contain_text("pasted.gif")
    await hers.page.locator(".conversation").evaluate(
        """element => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["words"], "dropped.txt", {type: "text/plain"}));
            for (const type of ["dragenter", "dragover", "drop"]) {
                element.dispatchEvent(new DragEvent(type, {dataTransfer, bubbles: true, cancelable: true}));
            }
        }"""
    )
    await expect(hers.page.locator(".composer-tray .upload")).to_have_count(2)
    await hers.page.get_by_role("button", name="Remove pasted.gif").click()
    await hers.page.get_by_role("button", name="Send").click()
    await hers.sees("Not finished")
    await expect(hers.page.get_by_role("link", name="Download dropped.txt")).to_be_visible()


async def test_the_status_page(browsers: Browsers) -> None:
    page = (await browsers.open()).page
    await page.goto("/")
    await expect(page.locator("#health")).to_have_text("Working")
    await expect(page.locator("#latency")).to_have_text(re.compile(r"^[\d,]+ ms$"))
    await expect(page.get_by_text("test.example").first).to_be_visible()
    for name, path in {"Open the chat": "/chat", "API reference": "/docs"}.items():
        await expect(page.get_by_role("link", name=name).first).to_have_attribute("href", path)
    await page.route("**/health", lambda route: route.fulfill(status=503))
    browsers.expect_complaint("503")
    await page.reload()
    await expect(page.locator("#health")).to_have_text("Not reachable")

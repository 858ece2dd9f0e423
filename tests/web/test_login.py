"""Signing in, making an account, and leaving nothing behind."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.browsers import Browsers, ChatPage
from tests.web.conftest import People
from tests.web.person import PASSWORD, Person


async def _sign_in(page: Page, person: Person, password: str = PASSWORD) -> None:
    await page.get_by_role("textbox", name="E-mail").fill(person.email)
    await page.locator("input[name=password]:visible").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_new_person_makes_an_account(browsers: Browsers) -> None:
    page = (await browsers.open()).page
    await page.goto("/chat")
    await expect(page).to_have_url(re.compile("/login"))
    await page.get_by_role("button", name="Create an account").click()
    await page.get_by_role("textbox", name="Your name").fill("Dora Explorer")
    await page.get_by_role("textbox", name="E-mail").fill("dora@example.org")
    await page.locator("input[name=password]:visible").fill("short")
    browsers.expect_complaint("400")
    await page.get_by_role("button", name="Create an account").click()
    await expect(page.get_by_role("alert")).to_contain_text(re.compile("password", re.IGNORECASE))
    await page.locator("input[name=password]:visible").fill(PASSWORD)
    await page.get_by_role("button", name="Create an account").click()
    await expect(page.get_by_text("No conversations yet")).to_be_visible()
    await page.get_by_role("button", name="Profile and settings").click()
    await expect(page.get_by_text("dora@example.org")).to_be_visible()
    stored = await page.evaluate("JSON.parse(localStorage.getItem('auth_data'))")
    assert set(stored) == {"access", "refresh", "user_id"}
    assert isinstance(stored["user_id"], int)


async def test_wrong_and_missing_words_are_explained(people: People, browsers: Browsers) -> None:
    (alice,) = await people("Alice")
    page = (await browsers.open()).page
    await page.goto("/login")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Please fill in this field.")).to_have_count(2)
    await expect(page.get_by_role("textbox", name="E-mail")).to_be_focused()
    await expect(page.get_by_role("textbox", name="E-mail")).to_have_attribute("aria-invalid", "true")
    browsers.expect_complaint("401")
    await _sign_in(page, alice, "not the password")
    await expect(page.get_by_role("alert")).to_have_text("The e-mail or the password is not right.")
    await page.get_by_role("button", name="Show password").click()
    await expect(page.locator("input[name=password]:visible")).to_have_attribute("type", "text")
    await _sign_in(page, alice)
    await expect(page).to_have_url(re.compile("/chat"))


async def test_the_login_leads_back_to_the_conversation(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.group("Deep link", bob)
    page = (await browsers.open()).page
    await page.goto(f"/chat#c={conversation_id}")
    await expect(page).to_have_url(re.compile("/login"))
    await _sign_in(page, alice)
    await expect(page.locator(".conversation-title")).to_have_text("Deep link")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/chat/../docs", "javascript:alert(1)"]
)
async def test_the_login_leads_nowhere_else(people: People, browsers: Browsers, target: str) -> None:
    (alice,) = await people("Alice")
    page = (await browsers.open()).page
    await page.goto(f"/login?next={target}")
    await _sign_in(page, alice)
    await expect(page).to_have_url(re.compile(r"^http://127\.0\.0\.1:\d+/chat$"))


async def test_two_people_share_a_browser(people: People, browsers: Browsers) -> None:
    """Alice signs out; nothing of hers is there for Bob: not in the store, not by Back, not in another tab."""
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.group("Secret plans")
    await alice.say(conversation_id, "The treasure is under the oak")
    hers = await browsers.open()
    page = hers.page
    await page.goto("/login")
    await _sign_in(page, alice)
    await hers.enter("Secret plans")
    await hers.sees("The treasure is under the oak")
    await hers.composer.fill("a draft that stays unsent")
    token = await page.evaluate("JSON.parse(localStorage.getItem('auth_data')).access")
    other_tab = ChatPage(await page.context.new_page())
    await other_tab.page.goto("/chat")
    await other_tab.enter("Secret plans")

    await page.get_by_role("button", name="Profile and settings").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(re.compile("/login"))
    await expect(other_tab.page).to_have_url(re.compile("/login"))
    assert await page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    browsers.expect_complaint("401")
    old = await page.evaluate(
        "token => fetch('/api/v1/users/me', {headers: {Authorization: `Bearer ${token}`}}).then(r => r.status)",
        token,
    )
    assert old == 401
    await page.go_back()
    await expect(page).to_have_url(re.compile("/login"))
    await expect(page.get_by_text("treasure")).to_have_count(0)

    await page.goto("/login")
    await _sign_in(page, bob)
    await expect(page.get_by_text("No conversations yet")).to_be_visible()
    await expect(page.get_by_text("Secret plans")).to_have_count(0)
    await page.goto(f"/chat#c={conversation_id}")
    browsers.expect_complaint("404")
    await expect(page.locator(".toast")).to_contain_text("not available")
    await expect(page.get_by_text("treasure")).to_have_count(0)


async def test_a_session_that_was_ended_elsewhere(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("401")
    await hers.enter("Bob")
    headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
    async with alice.session.post("/api/v1/auth/logout", headers=headers) as response:
        assert response.status == 204
    await expect(hers.page).to_have_url(re.compile("/login"))
    await expect(hers.page.get_by_role("alert")).to_have_text("Your session has ended. Please sign in again.")
    assert await hers.page.evaluate("localStorage.length") == 0

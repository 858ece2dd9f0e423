"""The documentation in a browser: it shows all calls, tries one, and breaks no rule of its own policy."""

import pytest
from playwright.async_api import Browser, expect

from homeserver.lifecycle import Running
from tests.api.driver import User, email


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


async def test_the_calls_are_shown_and_can_be_tried(server: Running, alice: User, chromium: Browser) -> None:
    complaints: list[str] = []
    async with await chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        hosts = set()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        await page.goto(f"{server.url}/docs")
        await expect(page.locator(".opblock").first).to_be_visible(timeout=20_000)
        await expect(page.get_by_role("heading", name="University chat")).to_be_visible()
        await page.locator(".auth-wrapper .authorize").first.click()
        await page.get_by_label("auth-bearer-value").fill(alice.token)
        await page.locator(".modal-ux .authorize").click()
        await page.locator(".modal-ux .btn-done").click()
        await page.locator("#operations-Auth-messenger_get_auth_me .opblock-summary-control").click()
        await page.locator("#operations-Auth-messenger_get_auth_me .execute").click()
        answer = page.locator("#operations-Auth-messenger_get_auth_me .live-responses-table")
        await expect(answer).to_contain_text(email("Alice"))
    assert complaints == []
    assert hosts == {server.url.removeprefix("http://")}, "nothing comes from anywhere else"

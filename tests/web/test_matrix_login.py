"""The page by which Matrix clients log in that do not know how (client-server API, "Login Fallback")."""

from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from homeserver.lifecycle import Running
from tests.web.browsers import Browsers
from tests.web.conftest import People
from tests.web.person import PASSWORD, Person
from tests.web.test_accessibility import violations

PATH = "/_matrix/static/client/login/"
LISTEN = "window.told = []; window.onLogin = (answer) => window.told.push(answer);"
LISTEN_AS_OF_OLD = "window.told = []; window.matrixLogin = {onLogin: (answer) => window.told.push(answer)};"


async def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    await page.get_by_role("textbox", name="User name or e-mail").fill(name)
    await page.locator("input[name=password]").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def told(page: Page) -> dict[str, Any]:
    """What the client was told, once."""
    await expect(page.get_by_text("You are signed in")).to_be_visible()
    answers = await page.evaluate("window.told")
    assert len(answers) == 1
    return dict(answers[0])


async def who(server: Running, answer: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    async with (
        ClientSession(server.url, headers=headers) as session,
        session.get("/_matrix/client/v3/account/whoami") as found,
    ):
        return await found.json()


async def user_id_of(server: Running, person: Person) -> str:
    (found,) = (await server.hs.accounts.profiles.by_numbers([person.number])).values()
    return found.user_id


async def test_a_client_is_told_who_signed_in(people: People, browsers: Browsers, server: Running) -> None:
    (alice,) = await people("Alice")
    page = (await browsers.open(reduced_motion="reduce")).page
    await page.add_init_script(LISTEN)
    await page.goto(
        f"{PATH}?device_id=TABLET&initial_device_display_name=Her+tablet&refresh_token=true&type=bad"
    )
    assert await violations(page) == []
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Please fill in this field.")).to_have_count(2)
    browsers.expect_complaint("403")
    await sign_in(page, alice.email, "not the password")
    await expect(page.get_by_role("alert")).to_have_text("The name or the password is not right.")
    assert await page.evaluate("window.told") == []
    await sign_in(page, alice.email)
    answer = await told(page)
    assert await violations(page) == []
    user_id = await user_id_of(server, alice)
    assert (answer["user_id"], answer["device_id"], "refresh_token" in answer) == (user_id, "TABLET", True)
    assert await who(server, answer) == {"user_id": user_id, "device_id": "TABLET", "is_guest": False}


async def test_old_clients_and_other_languages(people: People, browsers: Browsers, server: Running) -> None:
    (alice,) = await people("Alice")
    user_id = await user_id_of(server, alice)
    page = (await browsers.open()).page
    await page.add_init_script(LISTEN_AS_OF_OLD)
    await page.goto(f"{PATH}?device_id=PHONE")
    await page.get_by_role("link", name="Русский").click()
    await expect(page.get_by_role("heading", name="Вход в приложение")).to_be_visible()
    await page.get_by_role("link", name="English").click()
    await sign_in(page, user_id.removeprefix("@").partition(":")[0])
    assert (await told(page))["device_id"] == "PHONE"
    await page.goto(PATH)
    await page.evaluate("delete window.matrixLogin")
    await sign_in(page, user_id)
    await expect(page.get_by_text("You can close this page")).to_be_visible()


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": False}}])
async def test_without_matrix_there_is_no_such_page(server: Running) -> None:
    async with ClientSession(server.url) as session, session.get(PATH) as answer:
        assert answer.status == 404

"""The pages on which people pass what their Matrix client does not know (client-server API, "Fallback")."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from homeserver.lifecycle import Running
from tests.api.matrix.driver import PASSWORD, Client, new
from tests.names import fresh, user_id
from tests.web.browsers import Browsers
from tests.web.test_accessibility import violations

TERMS, TOKEN = "m.login.terms", "m.login.registration_token"
APP = "http://app.example/"
ADDRESSES = [{"language": code, "url": f"https://example.org/{code}"} for code in ("de", "en")]
OPEN = """address => {
  window.told = [];
  addEventListener("message", ({ origin, data }) => window.told.push([origin, data]));
  window.open(address);
}"""


@pytest.fixture
def overrides() -> dict[str, object]:
    policies = [{"id": "terms", "version": "1", "name": "The terms", "addresses": ADDRESSES}]
    return {"matrix": {"enabled": True, "registration_needs_token": True, "policies": policies}}


@pytest.fixture
async def nobody(server: Running) -> AsyncIterator[Client]:
    async with ClientSession(server.url) as session:
        yield Client(session)


def page_of(stage: str, session: str, version: str = "v3") -> str:
    return f"/_matrix/client/{version}/auth/{stage}/fallback/web?session={session}"


async def begun(nobody: Client) -> str:
    asked = await nobody.call(
        "POST", "register", 401, body={"username": fresh("alice"), "password": PASSWORD}
    )
    return str(asked["session"])


async def test_a_registration_is_completed_by_the_pages(
    nobody: Client, browsers: Browsers, server: Running
) -> None:
    token = (await server.hs.auth.registration_tokens.create(uses=1)).token
    session = await begun(nobody)
    await by_token(browsers, page_of(TOKEN, session, "r0"), token)
    app = (await browsers.open()).page
    await app.route(APP, lambda route: route.fulfill(content_type="text/html", body="<title>App</title>"))
    await app.goto(APP)
    async with app.expect_popup() as opened:
        await app.evaluate(OPEN, server.url + page_of(TERMS, session))
    page = await opened.value
    await expect(page.get_by_role("link", name="The terms")).to_have_attribute("href", ADDRESSES[1]["url"])
    assert await violations(page) == []
    going_on = await nobody.call("POST", "register", 401, body={"auth": {"session": session}})
    assert going_on["completed"] == [TOKEN]
    await page.get_by_role("button", name="I agree").click()
    await expect(page.get_by_text("That is done")).to_be_visible()
    await app.wait_for_function("window.told.length")
    assert await app.evaluate("window.told") == [[server.url, "authDone"]]
    made = await nobody.call("POST", "register", body={"auth": {"session": session}})
    assert made["user_id"] == user_id("alice")
    await over(browsers, page, page_of(TERMS, session))


async def by_token(browsers: Browsers, address: str, token: str) -> None:
    """In a view of a client, which gives the page a function to call."""
    page = (await browsers.open(reduced_motion="reduce")).page
    await page.add_init_script("window.told = 0; window.onAuthDone = () => { window.told += 1; };")
    await page.goto(address)
    assert await violations(page) == []
    browsers.expect_complaint("401")
    field, go_on = page.get_by_role("textbox", name="Registration token"), page.get_by_role("button")
    await go_on.click()
    await expect(page.get_by_text("Please fill in this field.")).to_be_visible()
    await field.fill("a guess")
    await go_on.click()
    await expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
    assert await page.evaluate("window.told") == 0
    await field.fill(token)
    await go_on.click()
    await expect(page.get_by_text("You can close this page")).to_be_visible()
    assert await page.evaluate("window.told") == 1


async def over(browsers: Browsers, page: Page, address: str) -> None:
    """A page that was used says so, in the reader's language."""
    browsers.expect_complaint("404")
    await page.goto(address)
    await expect(page.get_by_role("heading", name="This page is no longer valid")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("link", name="Русский").click()
    await expect(page.get_by_role("heading", name="Эта страница больше не действует")).to_be_visible()


async def test_pages_that_are_refused(nobody: Client, server: Running) -> None:
    session = await begun(nobody)
    created = await nobody.call("POST", "account/deactivate", 401, body={})
    for stage, one, status, errcode in (
        (TERMS, "unknown", 400, "M_UNKNOWN"),
        (TERMS, "", 400, "M_UNKNOWN"),
        (TERMS, "%00", 400, "M_INVALID_PARAM"),
        (TERMS, created["session"], 403, "M_FORBIDDEN"),
        ("m.login.password", created["session"], 404, "M_UNRECOGNIZED"),  # no page may ask for it
        ("m.login.dummy", session, 404, "M_UNRECOGNIZED"),  # not of this registration
        (TOKEN, session, 401, "M_FORBIDDEN"),
    ):
        address = page_of(stage, one)
        assert await nobody.errcode("POST", address, status, body={"token": "a guess"}) == errcode
        async with nobody.session.get(address) as answer:
            assert (answer.status, answer.content_type) == (200 if stage == TOKEN else 404, "text/html")
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert await nobody.errcode("POST", page_of(TERMS, "")[:-9], 400, body={}) == "M_MISSING_PARAM"
    assert (await nobody.call("POST", page_of(TOKEN, session), 401, body={}))["errcode"] == "M_MISSING_PARAM"
    refused: Any = await nobody.call("POST", "register", 401, body=new("alice", auth={"session": session}))
    assert refused["completed"] == []

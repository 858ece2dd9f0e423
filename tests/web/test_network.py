"""The chat on a network that breaks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Response, Route, WebSocketRoute, expect

from homeserver.lifecycle import Running
from tests.web.browsers import Browsers
from tests.web.conftest import People
from tests.web.wire import Wire, wire_to

FIRST, AGAIN = 1, 5
BROKEN = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_SOCKET", "WebSocket connection to")


@pytest.fixture
async def wire(server: Running, browsers: Browsers) -> AsyncIterator[Wire]:
    for text in BROKEN:
        browsers.expect_complaint(text)
    async with wire_to(server.url) as one:
        yield one


async def test_a_cut_loses_and_doubles_nothing(people: People, browsers: Browsers, wire: Wire) -> None:
    """While Alice's wire is cut, Bob writes more than a page, edits and deletes; hers waits. Then all is equal."""
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.private(bob)
    edited = await bob.say(conversation_id, "To be edited")
    deleted = await bob.say(conversation_id, "To be deleted")
    hers = await browsers.open(alice, url=wire.url)
    await hers.enter("Bob")
    await hers.sees("To be deleted")

    wire.cut()
    await expect(hers.page.locator(".connection")).to_contain_text("Connecting")
    await hers.write("Written in the dark")
    failed = hers.log.locator(".row-failed", has_text="Written in the dark")
    await expect(failed).to_contain_text("The server cannot be reached.")
    for number in range(70):
        await bob.say(conversation_id, f"Line {number}")
    await bob.call("PUT", f"messages/{edited}", json={"text": "Has been edited"})
    await bob.call("DELETE", f"messages/{deleted}")

    wire.mend()
    await hers.sees("Line 69", timeout_ms=40_000)
    await hers.sees("Written in the dark")
    await expect(hers.page.locator(".connection")).to_be_hidden()
    await expect(hers.message("To be deleted")).to_have_count(0)
    texts = await hers.texts()
    assert texts[-71:] == [f"Line {number}" for number in range(70)] + ["Written in the dark"]
    assert texts == await bob.texts(conversation_id)


async def test_five_attempts_then_a_button(people: People, browsers: Browsers, wire: Wire) -> None:
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.private(bob)
    hers = await browsers.open(alice, url=wire.url)
    attempts: list[str] = []

    async def break_off(socket: WebSocketRoute) -> None:
        attempts.append(socket.url)
        if len(attempts) <= FIRST + AGAIN:
            await socket.close(code=1011)
        else:
            socket.connect_to_server()

    await hers.enter("Bob")
    await hers.page.route_web_socket("**/ws/**", break_off)
    await hers.page.clock.install()
    await hers.page.reload()
    await expect(hers.composer).to_be_visible()

    wire.cut()
    retry = hers.page.get_by_role("button", name="Connect again")
    for _ in range(20):
        await hers.page.clock.run_for(5000)
        if await retry.is_visible():
            break
    await expect(retry).to_be_visible()
    assert len(attempts) == FIRST + AGAIN
    await hers.page.clock.run_for(10_000)
    assert len(attempts) == FIRST + AGAIN

    wire.mend()
    await bob.say(conversation_id, "Missed you")
    await retry.click()
    await hers.page.clock.resume()
    await hers.sees("Missed you")


async def test_a_lost_answer_does_not_double_the_message(people: People, browsers: Browsers) -> None:
    """The server has the message but the answer is lost: trying again sends the same client_id."""
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("ERR_FAILED")
    browsers.expect_complaint("WebSocket")
    await hers.page.route_web_socket("**/ws/**", lambda socket: socket.close(code=1000))
    await hers.page.reload()
    await hers.enter("Bob")

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await hers.page.route("**/messages/", lose)
    await hers.write("Only once")
    failed = hers.log.locator(".row-failed", has_text="Only once")
    await expect(failed).to_be_visible()
    await hers.page.unroute("**/messages/")
    await failed.get_by_role("button", name="Try again").click()
    await hers.sees("Only once")
    await expect(failed).to_have_count(0)
    assert await bob.texts(conversation_id) == ["Only once"]


async def test_a_message_that_cannot_be_sent_can_be_discarded(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("413")
    await hers.enter("Bob")
    await hers.write("x" * 20_000)
    failed = hers.log.locator(".row-failed")
    await expect(failed.get_by_role("alert")).to_contain_text("This is too large for the server.")
    await failed.get_by_role("button", name="Discard").click()
    await expect(hers.log.locator(".row")).to_have_count(0)
    await hers.write("Short")
    await hers.sees("Short")


async def test_too_fast_waits_and_tries_again(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("429")
    await hers.enter("Bob")
    refused: list[str] = []

    async def refuse_once(route: Route) -> None:
        if refused:
            await route.continue_()
            return
        refused.append(route.request.url)
        await route.fulfill(
            status=429,
            headers={"Retry-After": "1"},
            json={"detail": "too many messages", "code": "rate_limited"},
        )

    await hers.page.route("**/messages/", refuse_once)
    await hers.write("Patience")
    await expect(hers.log.get_by_text("Too fast. Please wait 1 second.")).to_be_visible()
    await hers.sees("Patience")
    await expect(hers.log.locator(".row-failed")).to_have_count(0)


async def test_uploads_show_progress_and_can_be_cancelled(
    people: People, browsers: Browsers, tmp_path: Path
) -> None:
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("413")
    await hers.enter("Bob")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await hers.page.route("**/attachments/", hold)
    for name in ("first.txt", "second.txt"):
        (tmp_path / name).write_text(name)
    await hers.page.locator("input[type=file]").set_input_files(
        [tmp_path / "first.txt", tmp_path / "second.txt"]
    )
    await hers.composer.press("Enter")
    pending = hers.log.locator(".row-sending")
    await expect(pending.get_by_role("progressbar", name="Sending first.txt")).to_be_visible()
    await pending.get_by_role("button", name="Remove first.txt").click()
    await expect(pending.locator(".upload")).to_have_count(1)
    await expect(pending.get_by_role("progressbar", name="Sending second.txt")).to_be_visible()
    await held[-1].fulfill(status=413, json={"detail": "too large", "code": "too_large"})
    failed = hers.log.locator(".row-failed")
    await expect(failed).to_contain_text("This is too large for the server.")
    await hers.page.unroute("**/attachments/")
    await failed.get_by_role("button", name="Try again").click()
    await expect(hers.page.get_by_role("link", name="Download second.txt")).to_be_visible()
    page = await bob.call("GET", f"messages/{conversation_id}")
    assert [[one["name"] for one in message["attachments"]] for message in page] == [["second.txt"]]


MAKE_OLD = """() => {
    const data = JSON.parse(localStorage.getItem("auth_data"));
    localStorage.setItem("auth_data", JSON.stringify({...data, access: "no.longer.good"}));
    window.dispatchEvent(new Event("focus"));
}"""
"""Takes the access token for one that the server refuses, and lets the page look for news."""


@pytest.mark.parametrize("tabs", [2, 3])
async def test_an_old_access_token_is_renewed_by_one_tab_only(
    people: People, browsers: Browsers, tabs: int
) -> None:
    """All tabs of one browser find their token refused at the same time; the refresh token is used once."""
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("401")
    context = hers.page.context
    others = [await context.new_page() for _ in range(tabs - 1)]
    refused: set[Page] = set()
    refreshes: list[str] = []
    all_refused = asyncio.Event()

    def heard(response: Response) -> None:
        if response.status == 401:
            refused.add(response.frame.page)
        if len(refused) == tabs:
            all_refused.set()

    async def hold(route: Route) -> None:
        refreshes.append(route.request.url)
        await all_refused.wait()
        await route.continue_()

    context.on("response", heard)
    await context.route("**/auth/refresh", hold)
    # A look at the list that is still under way would have the token that was good.
    await expect(hers.page.locator(".item")).to_have_count(1)
    await hers.page.evaluate(MAKE_OLD)
    # Another tab sees what was stored a moment later; it must start with the token that is refused.
    for other in others:
        await other.goto("/static/js/api.js")
        await other.wait_for_function("() => localStorage.getItem('auth_data').includes('no.longer.good')")
        await other.goto("/chat")
    for other in others:
        await expect(other.locator(".item")).to_have_count(1)
    await hers.enter("Bob")
    await hers.write("Still here")
    await hers.sees("Still here")
    assert refused == {hers.page, *others}
    assert len(refreshes) == 1


async def test_a_renewal_whose_answer_is_lost_is_repeated(people: People, browsers: Browsers) -> None:
    """The server has exchanged the token, and the page does not know it; nobody is signed out."""
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers = await browsers.open(alice)
    browsers.expect_complaint("401")
    browsers.expect_complaint("ERR_FAILED")
    given: list[str] = []
    lost, repeated = asyncio.Event(), asyncio.Event()

    async def lose_the_first(route: Route) -> None:
        answer = await route.fetch()
        given.append((await answer.json())["refresh_token"])
        if len(given) == 1:
            await route.abort()
            lost.set()
        else:
            await route.fulfill(response=answer)
            repeated.set()

    await hers.page.route("**/auth/refresh", lose_the_first)
    await expect(hers.page.locator(".item")).to_have_count(1)
    await hers.page.evaluate(MAKE_OLD)
    async with asyncio.timeout(30):
        await lost.wait()
        await hers.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
        await repeated.wait()
    await hers.enter("Bob")
    await hers.write("Still here")
    await hers.sees("Still here")
    assert given[0] == given[1], "a repeat is the same renewal"

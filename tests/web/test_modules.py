"""The parts of the chat that hold state, tried on their own in a browser."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.browsers import Browsers

TIMELINE = """
    const {Timeline} = await import("/static/js/chat/timeline.js");
    const message = (name, more = {}) => ({
        id: name, sender_id: 1, text: name, reply_to: null, is_edited: false, attachments: [],
        created_at: "2026-01-01T00:00:00.000Z", read_by_count: 0, client_id: null, ...more,
    });
    const page = (...names) => names.map((name) => message(name));
    const timeline = new Timeline();
    const shown = () => timeline.messages.map((one) => one.text).join(" ");
"""


@pytest.fixture
async def page(browsers: Browsers) -> Page:
    opened = (await browsers.open()).page
    await opened.goto("/login")
    return opened


async def _run(page: Page, body: str, setup: str = "") -> Any:
    return await page.evaluate(f"async () => {{ {setup} {body} }}")


async def test_live_messages_wait_for_a_page(page: Page) -> None:
    body = """
        timeline.hold();
        timeline.add(message("c"));
        timeline.add(message("d"));
        timeline.reset(page("a", "b", "c"), false);
        timeline.release();
        return shown();
    """
    assert await _run(page, body, TIMELINE) == "a b c d"


async def test_an_edit_is_newer_than_the_page_that_was_asked_for(page: Page) -> None:
    body = """
        timeline.hold();
        timeline.update(message("b", {text: "B"}));
        timeline.update(message("older", {text: "Not on the page"}));
        timeline.reset(page("a", "b", "c"), true);
        timeline.release();
        return shown();
    """
    assert await _run(page, body, TIMELINE) == "a B c"


async def test_a_page_brings_changes_and_deletions(page: Page) -> None:
    body = """
        timeline.reset(page("a", "b", "c", "d"), true);
        const joined = timeline.merge([message("b"), message("d", {text: "D"}), message("e")], null, true);
        return [joined, shown(), timeline.hasOlder];
    """
    assert await _run(page, body, TIMELINE) == [True, "a b D e", True]


async def test_a_page_that_reaches_further_back_goes_before(page: Page) -> None:
    """After deletions a newest page begins earlier than what was loaded."""
    body = """
        timeline.reset(page("c", "d", "e"), true);
        const joined = timeline.merge(page("a", "b", "c", "e"), null, false);
        return [joined, shown(), timeline.hasOlder];
    """
    assert await _run(page, body, TIMELINE) == [True, "a b c e", False]


async def test_a_page_with_a_gap_changes_nothing(page: Page) -> None:
    body = """
        timeline.reset(page("a", "b"), false);
        return [timeline.merge(page("x", "y"), null, true), shown()];
    """
    assert await _run(page, body, TIMELINE) == [False, "a b"]


async def test_an_older_stretch_is_checked(page: Page) -> None:
    body = """
        timeline.reset(page("a", "b", "c", "d", "e"), false);
        timeline.merge([message("a"), message("c", {text: "C"})], "d", false);
        return shown();
    """
    assert await _run(page, body, TIMELINE) == "a C d e"


async def test_a_deleted_message_does_not_come_back(page: Page) -> None:
    """A page that was asked for before the deletion arrives after it."""
    body = """
        timeline.reset(page("a", "b"), false);
        timeline.remove("b");
        timeline.merge(page("a", "b"), null, false);
        timeline.add(message("b"));
        return shown();
    """
    assert await _run(page, body, TIMELINE) == "a"


async def test_a_pending_message_is_settled_once(page: Page) -> None:
    body = """
        timeline.reset(page("a"), false);
        const start = {text: "b", replyTo: null, createdAt: "", state: "sending", error: "", files: []};
        timeline.addPending({...start, clientId: "k", messageId: null, message: null});
        timeline.add(message("b", {client_id: "k"}));
        timeline.add(message("b", {client_id: "k"}));
        return [timeline.pending.length, shown()];
    """
    assert await _run(page, body, TIMELINE) == [0, "a b"]


async def test_readers_are_counted_once(page: Page) -> None:
    """Of a reader of whom nothing is known yet the counts must be asked for; afterwards they are counted here."""
    body = """
        timeline.reset(page("a", "b", "c"), false);
        const known = ["a", "c", "b"].map((name) => timeline.markRead(7, name, 1, 5));
        return [known, timeline.messages.map((one) => one.read_by_count)];
    """
    assert await _run(page, body, TIMELINE) == [[False, True, True], [0, 1, 1]]


async def test_times_are_shown_by_their_distance(page: Page) -> None:
    body = """
        const {shortMoment, dayName, fileSize} = await import("/static/js/format.js");
        const now = new Date(2026, 4, 20, 15, 0);
        const at = (...parts) => shortMoment(new Date(...parts).toISOString(), now);
        return [
            at(2026, 4, 20, 9, 5), at(2026, 4, 19, 23, 59), at(2026, 4, 15), at(2026, 0, 2), at(2025, 0, 2),
            dayName(new Date(2026, 4, 20).toISOString(), now), fileSize(0), fileSize(1536), fileSize(5 * 2 ** 20),
        ];
    """
    shown = await _run(page, body)
    assert shown == ["09:05", "Yesterday", "Fri", "2 Jan", "02/01/25", "Today", "0 byte", "1.5 kB", "5 MB"]


async def test_without_locks_one_tab_waits_for_the_other(page: Page) -> None:
    """On plain http browsers have no locks; two tabs still never renew a token at the same time."""
    other = await page.context.new_page()
    await other.goto("/login")
    contend = """async (name) => {
        Object.defineProperty(navigator, "locks", {value: undefined});
        const {exclusive} = await import("/static/js/client/exclusive.js");
        const note = (what) => localStorage.setItem("story", `${localStorage.getItem("story") ?? ""}${what}`);
        await Promise.all([1, 2, 3].map(() => exclusive("test", async () => {
            note("(");
            await new Promise((resolve) => setTimeout(resolve, 20));
            note(")");
        })));
    }"""
    await asyncio.gather(page.evaluate(contend), other.evaluate(contend))
    assert await page.evaluate("localStorage.getItem('story')") == "()" * 6
    assert await page.evaluate("localStorage.getItem('lock:test')") is None


async def test_emoji_alone_are_recognised(page: Page) -> None:
    body = """
        const {isEmojiOnly} = await import("/static/js/client/linkify.js");
        return ["👍", "👍🏽 ❤️", "🇰🇬", "👨‍👩‍👧", "1", "ok 👍", "🎉🎉🎉🎉", ""].map(isEmojiOnly);
    """
    assert await _run(page, body) == [True, True, True, True, False, False, False, False]

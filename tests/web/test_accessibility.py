"""What axe finds wrong on each screen, in light and dark: nothing."""

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.async_api import Page, expect

from tests.web.browsers import Browsers
from tests.web.conftest import People

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE)
    found: list[dict[str, Any]] = await page.evaluate(
        """async (rules) => {
            await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)));
            return (await axe.run({runOnly: {type: "tag", values: rules}})).violations;
        }""",
        RULES,
    )
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_status_and_login(browsers: Browsers, colours: str) -> None:
    page = (await browsers.open(color_scheme=colours, reduced_motion="reduce")).page
    await page.goto("/")
    await expect(page.locator("#health")).to_have_text("Working")
    assert await violations(page) == []
    await page.goto("/login")
    await page.get_by_role("button", name="Sign in").click()
    assert await violations(page) == []
    await page.get_by_role("button", name="Create an account").click()
    assert await violations(page) == []


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_chat(people: People, browsers: Browsers, tmp_path: Path, colours: str, phone: bool) -> None:
    alice, bob, carol = await people("Alice", "Bob", "Carol")
    conversation_id = await alice.group("Everything", bob, carol)
    first = await bob.say(conversation_id, "See https://example.org/ for the plan")
    await alice.say(conversation_id, "Thank you", reply_to=first)
    await carol.private(alice)
    await carol.say(await carol.private(alice), "Unread")
    hers = await browsers.open(alice, phone=phone, color_scheme=colours, reduced_motion="reduce")
    page = hers.page
    await expect(page.locator(".badge").first).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Profile and settings").click()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="New conversation").click()
    await page.get_by_role("dialog").get_by_role("radio", name="Group").check()
    await page.get_by_role("option", name="Bob").click()
    assert await violations(page) == []
    await page.keyboard.press("Escape")

    await hers.enter("Everything")
    (tmp_path / "plan.txt").write_text("plan")
    await page.locator("input[type=file]").set_input_files(tmp_path / "plan.txt")
    await hers.message("Thank you").focus()
    assert await violations(page) == []
    await hers.message("Thank you").get_by_role("button", name="Delete").click()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Details and members").click()
    await expect(page.locator(".person")).to_have_count(3)
    assert await violations(page) == []

"""Reporting a message, and blocking somebody, as it is done in the browser."""

from playwright.async_api import expect

from homeserver.lifecycle import Running
from homeserver.model import Page
from tests.web.browsers import Browsers
from tests.web.conftest import People


async def test_a_message_is_reported_and_its_author_blocked(
    server: Running, people: People, browsers: Browsers
) -> None:
    browsers.expect_complaint("403")  # what a refused message leaves on the console
    alice, bob = await people("Alice", "Bob")
    await bob.say(await bob.private(alice), "Something rude")
    hers, his = await browsers.open(alice), await browsers.open(bob)
    await hers.enter("Bob")
    await his.enter("Alice")
    await his.message("Something rude").hover()
    await expect(his.message("Something rude").get_by_role("button", name="Report")).to_have_count(0)

    await hers.act("Something rude", "Report")
    dialog = hers.page.get_by_role("dialog")
    await dialog.get_by_label("What is wrong with it?").fill("He is rude to me")
    await dialog.get_by_role("button", name="Send the report").click()
    await expect(hers.toasts).to_contain_text("The administrators will look at it.")
    (report,) = await server.hs.moderation.reports.listing(Page(9))
    assert (report.text, report.row.reason) == ("Something rude", "He is rude to me")

    await hers.page.get_by_role("button", name="Details and members").click()
    panel = hers.page.get_by_role("region", name="Details")
    await panel.get_by_role("button", name="Block", exact=True).click()
    await hers.page.get_by_role("dialog").get_by_role("button", name="Block", exact=True).click()
    await expect(panel.get_by_role("button", name="Unblock")).to_be_visible()
    await his.write("And now?")
    await expect(his.log).to_contain_text("You cannot write to each other.")

    await hers.page.reload()
    await hers.page.get_by_role("button", name="Details and members").click()
    await panel.get_by_role("button", name="Unblock").click()
    await expect(panel.get_by_role("button", name="Block", exact=True)).to_be_visible()
    await his.log.get_by_role("button", name="Try again").click()
    await hers.sees("And now?")

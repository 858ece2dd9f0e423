"""Two people and their browsers: the whole chat as it is used."""

import re
from pathlib import Path

from PIL import Image
from playwright.async_api import expect

from tests.web.browsers import Browsers
from tests.web.conftest import People


def _picture(folder: Path, name: str = "sea.png") -> Path:
    path = folder / name
    Image.new("RGB", (640, 400), (40, 120, 150)).save(path)
    return path


async def test_two_people_meet_in_a_group(people: People, browsers: Browsers) -> None:
    """Alice makes a group in the dialog; Bob finds it, and they talk."""
    alice, bob = await people("Alice Liddell", "Bob Dodgson")
    hers, his = await browsers.open(alice), await browsers.open(bob)

    await hers.page.get_by_role("button", name="New conversation").first.click()
    dialog = hers.page.get_by_role("dialog")
    await dialog.get_by_role("radio", name="Group").check()
    await dialog.get_by_label("Name of the group").fill("Tea party")
    await dialog.get_by_role("combobox").fill("bob")
    await dialog.get_by_role("option", name="Bob Dodgson").click()
    await dialog.get_by_role("button", name="Create").click()
    await expect(hers.page.locator(".conversation-title")).to_have_text("Tea party")
    await expect(hers.page.locator(".conversation-subtitle")).to_have_text("2 members")
    await expect(hers.page.get_by_text("Write the first message to this group.")).to_be_visible()
    await hers.write("Hello from Alice")
    await hers.sees("Hello from Alice")

    await his.page.evaluate("window.dispatchEvent(new Event('focus'))")
    await expect(his.item("Tea party").locator(".badge")).to_have_text("1")
    await expect(his.page).to_have_title(re.compile(r"^\(1\) "))
    await his.enter("Tea party")
    await his.sees("Hello from Alice")
    await expect(his.page.get_by_role("separator", name="New messages")).to_be_visible()
    await his.write("Hello from Bob")
    await hers.sees("Hello from Bob")
    await his.sees("Hello from Bob")
    await expect(his.page).to_have_title(re.compile(r"^Tea party"))
    assert await hers.texts() == await his.texts() == ["Hello from Alice", "Hello from Bob"]
    await expect(hers.page.locator("#announcer")).to_contain_text("Bob Dodgson: Hello from Bob")
    await expect(hers.item("Tea party").locator(".item-last")).to_contain_text("Hello from Bob")


async def test_read_marks_and_typing(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers, his = await browsers.open(alice), await browsers.open(bob)
    await hers.enter("Bob")
    await hers.write("Are you there?")
    await hers.sees("Are you there?")
    await expect(hers.message("Are you there?").locator(".mark-sent")).to_be_visible()

    await his.enter("Alice")
    await expect(hers.message("Are you there?").locator(".mark-read")).to_be_visible()
    await expect(hers.page.locator(".conversation-subtitle")).to_have_text("online")

    await his.composer.press_sequentially("Yes")
    await expect(hers.page.locator(".conversation-subtitle")).to_have_text("typing…")
    await expect(hers.item("Bob").locator(".item-last")).to_have_text("typing…")
    await his.composer.press("Enter")
    await hers.sees("Yes")
    await expect(hers.page.locator(".conversation-subtitle")).to_have_text("online")


async def test_a_group_counts_its_readers(people: People, browsers: Browsers) -> None:
    alice, bob, carol = await people("Alice", "Bob", "Carol")
    await alice.group("Three", bob, carol)
    hers = await browsers.open(alice)
    await hers.enter("Three")
    await hers.write("Read this")
    await hers.sees("Read this")
    his = await browsers.open(bob)
    await his.enter("Three")
    mark = hers.message("Read this").locator(".mark-read")
    await expect(mark).to_have_attribute("title", "Read by 1")
    carols = await browsers.open(carol)
    await carols.enter("Three")
    await expect(mark).to_have_attribute("title", "Read by 2")
    await hers.write("And this")
    await expect(hers.message("And this").locator(".mark-read")).to_have_attribute("title", "Read by 2")


async def test_edit_and_delete(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.group("Notes", bob)
    hers, his = await browsers.open(alice), await browsers.open(bob)
    await hers.enter("Notes")
    await his.enter("Notes")
    await hers.write("First verson")
    await his.sees("First verson")

    await hers.act("First verson", "Edit")
    await expect(hers.page.get_by_text("Editing a message")).to_be_visible()
    await expect(hers.composer).to_have_value("First verson")
    await hers.write("First version")
    await his.sees("First version")
    await expect(his.message("First version").locator(".edited")).to_have_text("edited")
    await expect(hers.message("First version").locator(".edited")).to_have_text("edited")
    await his.message("First version").hover()
    await expect(his.message("First version").get_by_role("button", name="Delete")).to_have_count(0)

    await hers.act("First version", "Delete")
    await hers.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await hers.sees("First version")
    await hers.act("First version", "Delete")
    await hers.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(hers.message("First version")).to_have_count(0)
    await expect(his.message("First version")).to_have_count(0)
    await expect(his.item("Notes").locator(".item-last")).to_have_text("No messages yet")


async def test_reply_leads_to_the_original(people: People, browsers: Browsers) -> None:
    """The original is far above, on a page that is not loaded yet."""
    alice, bob = await people("Alice", "Bob")
    conversation_id = await alice.group("Long", bob)
    first = await alice.say(conversation_id, "The very first question")
    for number in range(120):
        await alice.say(conversation_id, f"Line {number}")
    await bob.say(conversation_id, "The late answer", reply_to=first)

    hers = await browsers.open(alice)
    await hers.enter("Long")
    await expect(hers.message("The very first question")).to_have_count(0)
    answer = hers.message("The late answer")
    await expect(answer.locator(".quote")).to_contain_text("Show the original message")
    await answer.locator(".quote").click()
    await hers.sees("The very first question")
    await expect(hers.message("The very first question")).to_be_in_viewport()
    await expect(hers.message("The very first question")).to_be_focused()
    assert (await hers.texts())[:3] == ["The very first question", "Line 0", "Line 1"]
    await hers.page.get_by_role("button", name="To the newest message").click()
    await expect(answer).to_be_in_viewport()
    await expect(answer.locator(".quote")).to_contain_text("The very first question")

    await hers.act("The late answer", "Reply")
    await expect(hers.page.get_by_text("Replying to Bob")).to_be_visible()
    await hers.write("Thank you")
    await hers.sees("Thank you")
    await expect(hers.message("Thank you").locator(".quote")).to_contain_text("The late answer")


async def test_pictures_and_files(people: People, browsers: Browsers, tmp_path: Path) -> None:
    """Two files in one message, with a caption; the picture opens in full size, the other can be taken."""
    alice, bob = await people("Alice", "Bob")
    await alice.group("Pictures", bob)
    hers, his = await browsers.open(alice), await browsers.open(bob)
    await hers.enter("Pictures")
    await his.enter("Pictures")
    notes = tmp_path / "notes.txt"
    notes.write_text("only a few words")

    await hers.page.locator("input[type=file]").set_input_files([_picture(tmp_path), notes])
    tray = hers.page.get_by_role("group", name="Files to send")
    await expect(tray.locator(".upload")).to_have_count(2)
    await hers.composer.fill("From the coast")
    await hers.composer.press("Enter")
    for chat in (hers, his):
        await chat.sees("From the coast")
        message = chat.message("From the coast")
        # Until all files are there, the rest of them is a row of its own.
        await expect(message).to_have_count(1)
        await expect(message.locator(".picture img")).to_have_count(1)
        await expect(message.get_by_role("link", name="Download notes.txt")).to_be_visible()
        await expect(message.locator(".edited")).to_have_count(0)
        await expect(message.locator(".picture img")).to_have_js_property("complete", True)
        assert await message.locator(".picture img").evaluate("image => image.naturalWidth") > 0

    await his.page.get_by_role("button", name="Open the picture sea.png").click()
    full = his.page.get_by_role("dialog").get_by_role("img", name="sea.png")
    await expect(full).to_be_visible()
    assert await full.evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    await his.page.keyboard.press("Escape")
    await expect(his.page.get_by_role("dialog")).to_have_count(0)

    async with his.page.expect_download() as download:
        await his.page.get_by_role("link", name="Download notes.txt").click()
    path = await (await download.value).path()
    assert path.read_text() == "only a few words"


async def test_a_picture_alone(people: People, browsers: Browsers, tmp_path: Path) -> None:
    alice, bob = await people("Alice", "Bob")
    await alice.private(bob)
    hers, his = await browsers.open(alice), await browsers.open(bob)
    await hers.enter("Bob")
    await hers.page.locator("input[type=file]").set_input_files(_picture(tmp_path, "hill.png"))
    await hers.page.get_by_role("button", name="Send").click()
    await expect(hers.page.get_by_role("button", name="Open the picture hill.png")).to_be_visible()
    await his.enter("Alice")
    await expect(his.page.get_by_role("button", name="Open the picture hill.png")).to_be_visible()


async def test_members_come_and_go(people: People, browsers: Browsers) -> None:
    alice, bob, carol = await people("Alice", "Bob", "Carol")
    await alice.group("Club", bob)
    hers, carols, his = await browsers.open(alice), await browsers.open(carol), await browsers.open(bob)
    await hers.enter("Club")
    await his.enter("Club")

    await hers.page.get_by_role("button", name="Details and members").click()
    panel = hers.page.get_by_role("region", name="Details")
    await panel.get_by_role("button", name="Add people").click()
    await hers.page.get_by_role("dialog").get_by_role("option", name="Carol").click()
    await hers.page.get_by_role("dialog").get_by_role("button", name="Add people").click()
    await expect(panel.locator(".person")).to_have_count(3)
    await expect(his.page.locator(".conversation-subtitle")).to_have_text("3 members")
    await carols.page.evaluate("window.dispatchEvent(new Event('focus'))")
    await carols.enter("Club")

    await panel.get_by_role("button", name="Edit the group").click()
    await hers.page.get_by_role("dialog").get_by_label("Name of the group").fill("Chess club")
    await hers.page.get_by_role("dialog").get_by_label("Description").fill("Mondays at six")
    await hers.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(panel.get_by_text("Mondays at six")).to_be_visible()
    await expect(his.page.locator(".conversation-title")).to_have_text("Chess club")

    await panel.get_by_role("button", name="Remove Carol from the group").click()
    await hers.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(panel.locator(".person")).to_have_count(2)
    await expect(carols.item("Chess club")).to_have_count(0)
    await expect(carols.toasts).to_contain_text("no longer available")

    await his.page.get_by_role("button", name="Details and members").click()
    await his.page.get_by_role("button", name="Leave the group").click()
    await his.page.get_by_role("dialog").get_by_role("button", name="Leave", exact=True).click()
    await expect(his.item("Chess club")).to_have_count(0)
    await expect(panel.locator(".person")).to_have_count(1)

"""What people write stays text, and nothing foreign is loaded."""

import re

from playwright.async_api import expect

from tests.web.browsers import Browsers
from tests.web.conftest import People

PAYLOADS = (
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "\"><svg onload=document.title='owned'>",
    "{{constructor.constructor('document.title=1')()}}",
)


async def test_markup_in_names_and_messages_stays_text(people: People, browsers: Browsers) -> None:
    alice, mallory = await people("Alice", PAYLOADS[0])
    conversation_id = await mallory.group(PAYLOADS[1], alice)
    patch = {"description": PAYLOADS[2]}
    await mallory.call("PATCH", f"conversations/{conversation_id}", json=patch)
    for payload in PAYLOADS:
        await mallory.say(conversation_id, payload)
    hers = await browsers.open(alice)
    await expect(hers.item(PAYLOADS[1])).to_be_visible()
    await hers.enter(PAYLOADS[1])
    assert await hers.texts() == list(PAYLOADS)
    await expect(hers.page.locator(".bubble-name").first).to_have_text(PAYLOADS[0])
    await hers.act(PAYLOADS[1], "Reply")
    await hers.write("Quoted")
    await hers.sees("Quoted")
    await expect(hers.message("Quoted").locator(".quote-text")).to_have_text(PAYLOADS[1])
    await hers.page.get_by_role("button", name="Details and members").click()
    panel = hers.page.get_by_role("region", name="Details")
    await expect(panel.locator(".panel-description")).to_have_text(PAYLOADS[2])
    await expect(panel.locator(".person-name").first).to_have_text(PAYLOADS[0])
    assert await hers.page.title() == f"{PAYLOADS[1]} · Chat"
    assert await hers.page.locator("#chat script, #chat img, #chat svg[onload]").count() == 0


async def test_only_web_addresses_become_links(people: People, browsers: Browsers) -> None:
    alice, bob = await people("Alice", "Bob")
    conversation_id = await bob.private(alice)
    text = (
        "See https://example.org/a_(b)?x=1&y=2, http://example.org. Not javascript:alert(1), "
        "data:text/html,x, ftp://example.org or https://"
    )
    await bob.say(conversation_id, text)
    hers = await browsers.open(alice)
    await hers.enter("Bob")
    assert await hers.texts() == [text]
    links = hers.log.locator(".text a")
    assert await links.evaluate_all("all => all.map(a => a.getAttribute('href'))") == [
        "https://example.org/a_(b)?x=1&y=2",
        "http://example.org/",
    ]
    for link in await links.all():
        await expect(link).to_have_attribute("rel", re.compile("noopener"))
        await expect(link).to_have_attribute("target", "_blank")


async def test_foreign_files_are_linked_not_loaded(people: People, browsers: Browsers) -> None:
    """A picture on somebody else's server would tell them who reads it and when."""
    alice, bob = await people("Alice", "Bob")
    conversation_id = await bob.private(alice)
    message_id = await bob.say(conversation_id, "Look at this")
    url = "https://elsewhere.example/pixel.png"
    body = {"message_id": message_id, "file_url": url, "file_type": "image", "file_size": 68}
    await bob.call("POST", "attachments/", json=body)
    hers = await browsers.open(alice)
    foreign: list[str] = []
    hers.page.on(
        "request", lambda sent: foreign.append(sent.url) if "elsewhere.example" in sent.url else None
    )
    await hers.enter("Bob")
    link = hers.message("Look at this").locator("a.file")
    await expect(link).to_have_attribute("href", url)
    await expect(link).to_have_attribute("rel", re.compile("noopener"))
    assert foreign == []


async def test_the_policy_stops_inline_code(people: People, browsers: Browsers) -> None:
    """The tests' own eyes: an inline handler and injected markup are stopped, and the complaint is heard."""
    (alice,) = await people("Alice")
    hers = await browsers.open(alice)
    outcomes = await hers.page.evaluate(
        """async () => {
            const button = document.createElement("button");
            const attempts = [
                () => { document.body.innerHTML = "<b>markup</b>"; },
                () => button.setAttribute("onclick", "document.title = 'owned'"),
                () => fetch("https://elsewhere.example/"),
            ];
            const outcomes = [];
            for (const attempt of attempts) {
                try { await attempt(); outcomes.push("done"); } catch (error) { outcomes.push(error.name); }
            }
            return outcomes;
        }"""
    )
    assert outcomes == ["TypeError"] * 3
    heard = " ".join(browsers.complaints)
    assert "TrustedHTML" in heard
    assert "TrustedScript" in heard
    assert "Content Security Policy" in heard
    for text in ("TrustedHTML", "TrustedScript", "Content Security Policy"):
        browsers.expect_complaint(text)

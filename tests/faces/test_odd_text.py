"""Odd strings in every field that people write in, at every API: what is no text is refused, and a name is a name."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from unicodedata import normalize

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.model import LogPosition
from homeserver.storage import rooms
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import picture
from tests.api.matrix.roomkit import create
from tests.api.messenger.wire import line, v1
from tests.api.university.test_attachments import form
from tests.faces.fields import FIELDS, HOST, Refused, Rule, Story
from tests.faces.hands import place
from tests.faces.strings import FILES, INVISIBLE, LINES
from tests.faces.world import OVERRIDES, World, make_world


@pytest.fixture
def overrides(overrides: dict[str, object]) -> dict[str, object]:
    return {**overrides, **OVERRIDES, "sockets": {"frames_burst": 10_000}}


@pytest.fixture
async def world(server: Running, client: aiohttp.ClientSession) -> World:
    return await make_world(server, client)


@pytest.fixture
async def story(world: World) -> AsyncIterator[Story]:
    alice, anna = world.users[0], world.clients[0]
    own = await alice.say(world.conversation, "to be edited")
    nobody = Client(world.session)
    body = {"type": "org.matrix.login.jwt", "token": alice.token}
    matrix = nobody.of(await nobody.call("POST", "login", body=body))
    async with world.server.hs.core.db.read() as conn:
        room_id = await rooms.room_at(conn, LogPosition(place(world.conversation["id"])))
    # Where nothing is said but by the sockets.
    university, messenger, chat = await alice.group(), await alice.group(), await world.shoppers[1].open(2)
    things = {
        "talk": place(messenger["id"]),
        "university": own["id"],
        "matrix": matrix,
        "room": str(room_id),
        "bans": await create(anna),
        "visitor": await world.account(),
    }
    async with AsyncExitStack() as stack:
        sockets = {
            "university": await stack.enter_async_context(alice.socket(university)),
            "messenger": await stack.enter_async_context(line(alice)),
            "marketplace": await stack.enter_async_context(world.shoppers[1].socket(chat)),
        }
        yield Story(world, sockets, things)


def strings(rule: Rule, refusal: str) -> Iterator[tuple[str, str]]:
    """What is written, and what must be shown, or be the code of the refusal."""
    if rule == "file":
        yield from FILES.items()
        yield from ((text, "file") for text in INVISIBLE.values())
    elif rule == "alias":
        for text, wanted in LINES.items():
            is_plain = normalize("NFC", text) == wanted and " " not in wanted
            yield text, text if is_plain else refusal
    else:
        empty = {"text": refusal, "line": refusal, "optional line": ""}
        yield from ((text, empty.get(rule, text)) for text in INVISIBLE.values())
        as_typed = rule in ("text", "data")
        yield from ((text, text if as_typed else wanted) for text, wanted in LINES.items())


@pytest.mark.timeout(300)
async def test_odd_strings_in_every_field(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """All strings in the first field of each rule, a third of them in turn in each other."""
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for at, (name, (rule, write, refusal)) in enumerate(FIELDS.items()):
        first = rule not in [one.rule for one in [*FIELDS.values()][:at]]
        for number, (text, wanted) in enumerate(strings(rule, refusal)):
            if not first and (number + at) % 3:
                continue
            shown = await write(story, text)
            is_refused = isinstance(shown, Refused)
            if (shown.code if is_refused else shown) != wanted or (is_refused and shown.status >= 500):
                wrong.append(f"{name}: {text[:50]!a}: {str(shown)[:80]!a} instead of {wanted[:50]!a}")
            counts["strings"] += 1
    with capsys.disabled():
        print(f"\nodd text: {counts['strings']} strings in {len(FIELDS)} fields, {story.calls} calls")
    assert wrong == [], "\n".join(wrong)


async def test_nul_is_no_part_of_a_text(story: Story) -> None:
    """It is refused, but where it is decoded from the name in a URL: there it is left out, as from a path."""
    for name, (rule, write, _) in FIELDS.items():
        if "as products show" not in name and name != "Matrix: file":
            shown = await write(story, "a\0b")
            assert shown == "a b" if "linked" in name else isinstance(shown, Refused), (name, shown)
            if isinstance(shown, Refused):
                assert shown.status in (400, 404, 422), (name, rule, shown)


async def test_limits_count_what_is_kept(story: Story) -> None:
    alice, anna = story.alice, story.anna
    for title, wanted in (
        (f"  {'x' * 200}\n\n", "x" * 200),
        ("e\u0301" * 200, "é" * 200),
        ("\u200bx" * 200, "x" * 200),
        ("x" * 201, "title_too_long"),
        ("😀" * 201, "title_too_long"),
        ("x" + " " * 2000, "title_too_long"),  # so much is not even looked at
    ):
        shown = await FIELDS["university: title"].write(story, title)
        assert (shown.code if isinstance(shown, Refused) else shown) == wanted, title[:20]
    long = "y" * story.world.server.hs.settings.rooms.max_message_chars
    assert (await alice.say(story.world.conversation, long))["text"] == long
    refused = await FIELDS["university: message"].write(story, f"{long}y")
    assert (refused.status, refused.code) == (413, "text_too_long")
    await anna.call("PUT", f"profile/{anna.user_id}/displayname", body={"displayname": "  A \u202e B "})
    shown = await anna.call("GET", f"profile/{anna.user_id}/displayname")
    assert shown == {"displayname": "A B"}


async def test_a_file_that_is_sent_without_a_text_to_be_seen_has_none(story: Story) -> None:
    conversation, chat = story.world.conversation, story.world.chat
    for text in (" ", "\u3164\u200b", "\u2800"):
        fields = {"conversation_id": conversation["id"], "text": text}
        await story.alice.chat("POST", "attachments/", data=form(picture(8, 8), "a.png", **fields))
        payload = {"url": f"{HOST}/b.png"}
        body = {"chat_id": place(conversation["id"]), "type": "image", "content": text, "payload": payload}
        await v1(story.alice, "POST", "messages", 201, json=body)
        linked = {"message_type": "image", "file_url": f"{HOST}/c.png", "message_text": text}
        sent = await story.world.shoppers[1].call("POST", f"chats/{chat['id']}/messages", json=linked)
        assert (sent["message_text"], sent["file_name"]) == (None, "c.png")
    page = (await story.alice.chat("GET", f"messages/{conversation['id']}"))[-6:]
    assert [(one["text"], one["attachments"][0]["name"]) for one in page] == [
        (None, "a.png"),
        (None, "b.png"),
    ] * 3


async def test_odd_names_of_uploaded_files(story: Story) -> None:
    """As browsers write them into forms: with the quote and the ends of lines as escapes."""
    shopper, conversation = story.world.shoppers[1], story.world.conversation
    for given, wanted in FILES.items():
        if "%" in given or "\x07" in given:  # another name then, and no header
            continue
        name = given.replace("\n", "%0A")
        fields = {"conversation_id": conversation["id"]}
        sent = await story.alice.chat("POST", "attachments/", data=form(picture(8, 8), name, **fields))
        market = await shopper.call("POST", "upload-file", data=form(picture(8, 8), name))
        assert (sent["name"], market["file_name"]) == (wanted, wanted), given

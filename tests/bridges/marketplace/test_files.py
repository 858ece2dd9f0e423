"""Files: taken in, found again, named in messages; and addresses that could hurt whoever looks at them."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest

from bridges.marketplace import schemas, shape
from tests.api.university.test_attachments import browser_form, form, picture
from tests.api.university.test_conversations import conforms
from tests.bridges.marketplace.people import API, Shopper, guest

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n" + bytes(100)


async def upload(who: Shopper, data: bytes, name: str, status: int = 200, query: str | None = None) -> Any:
    path = f"upload-file?{f'user_id={who.name}' if query is None else query}"
    return await who.call("POST", path, status, data=form(data, name))


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def test_a_picture_is_sent_and_seen(visitor: Shopper, seller: Shopper) -> None:
    chat = await visitor.open()
    file = await upload(visitor, picture(), "фото.png")
    conforms(schemas.File, file)
    sent = await visitor.say(
        chat, "", message_type="image", file_url=file["public_url"], file_name="фото.png", file_size=1
    )
    assert (sent["message_type"], sent["file_name"], sent["file_size"]) == (
        "image",
        "фото.png",
        file["file_size"],
    )
    shown = (await seller.messages(chat))[0]
    async with seller.session.get(path_of(shown["file_url"])) as answer:
        assert (answer.status, await answer.read()) == (200, picture())
    assert (await seller.mine(is_seller=True))[0]["last_message"] == "фото.png"


async def test_a_file_without_a_text_has_none(visitor: Shopper, seller: Shopper) -> None:
    """The widgets in use send null for the text that nobody typed, by REST and by the socket."""
    chat = await visitor.open()
    file = await upload(visitor, picture(), "a.png")
    named = {"message_type": "image", "file_url": file["public_url"], "file_name": None, "file_size": None}
    body = {"message_text": None, **named, "sender_is_registered": None, "client_id": None}
    sent = await visitor.call(
        "POST", f"chats/{chat['id']}/messages", json={**body, "sender_id": visitor.name}
    )
    assert (sent["message_text"], sent["message_type"], sent["file_name"]) == (None, "image", "a.png")
    conforms(schemas.Message, sent)
    async with seller.socket(chat) as ear, visitor.socket(chat) as own:
        await own.say("message", **body, sender_id=None)
        heard = (await ear.until("message"))["message"]
        assert (heard["message_text"], heard["file_name"]) == (None, "a.png")
        await own.say("message", message_text="words", message_type=None, file_url=None)
        assert (await ear.until("message"))["message"]["message_text"] == "words"
    assert [one["message_text"] for one in await seller.messages(chat)] == [None, None, "words"]


async def test_names_and_files_that_were_not_chosen(buyer: Shopper) -> None:
    path = f"upload-file?user_id={buyer.name}"
    for sent, name in ((r"C:\fakepath\a%22b.png", "a_b.png"), ("..%2f..%2Fa.png", "a.png")):
        body, headers = browser_form(sent, picture(8, 8))
        assert (await buyer.call("POST", path, data=body, headers=headers))["file_name"] == name
    body, headers = browser_form("", b"")
    assert await buyer.call("POST", path, 422, data=body, headers=headers) == "missing_param"


async def test_types_are_seen_by_their_bytes(buyer: Shopper) -> None:
    assert (await upload(buyer, PDF, "a.pdf"))["file_name"] == "a.pdf"
    for data, name in (
        (b"<html><script>alert(1)</script>", "a.png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg"),
        (b"MZ\x90\x00" + bytes(100), "a.jpg"),
        (b"just text", "a.pdf"),
    ):
        assert await upload(buyer, data, name, 415) == "bad_file_type"


@pytest.mark.parametrize("market", [{"max_upload_bytes": 2048}])
async def test_large_files_are_refused(buyer: Shopper) -> None:
    assert await upload(buyer, PDF + bytes(4000), "a.pdf", 413) == "file_too_large"


async def test_who_is_nobody_sends_nothing(client: aiohttp.ClientSession, buyer: Shopper) -> None:
    nobody = Shopper(client, "")
    assert await upload(nobody, PDF, "a.pdf", 401, query="") == "missing_token"
    assert await upload(nobody, PDF, "a.pdf", 401, query="user_id=7") == "missing_token"
    assert await buyer.call("POST", "upload-file", 422, json={}) == "missing_param"
    empty = aiohttp.FormData(default_to_multipart=True)
    empty.add_field("other", "x")
    assert await buyer.call("POST", "upload-file", 422, data=empty) == "missing_param"


@pytest.mark.parametrize("who", ["guest", "buyer"])
@pytest.mark.both
async def test_a_file_by_an_address_of_its_own(
    client: aiohttp.ClientSession, buyer: Shopper, who: str
) -> None:
    person = buyer if who == "buyer" else guest(client)
    query = f"file_name=a.pdf&content_type=application/pdf&user_id={person.name}"
    place = await person.call("POST", f"upload-url?{query}")
    conforms(schemas.UploadPlace, place)
    assert place["method"] == "server_upload"
    done = f"file-uploaded?file_id={place['id']}&file_name=a.pdf&file_size={len(PDF)}&user_id={person.name}"
    assert await person.call("POST", done, 404) == "file_not_found"
    address = path_of(place["upload_url"]).removeprefix(f"{API}/")
    stranger = guest(client)
    stolen = address.replace(f"user_id={person.name}", f"user_id={stranger.name}")
    assert await stranger.call("POST", stolen, 403, data=form(PDF, "a.pdf")) == "bad_ticket"
    changed = address.replace(place["id"], "a" * len(place["id"]))
    assert await person.call("POST", changed, 403, data=form(PDF, "a.pdf")) == "bad_ticket"
    sent = await person.call("POST", address, data=form(PDF, "a.pdf"))
    assert sent["file_id"] == place["id"]
    assert await person.call("POST", address, 409, data=form(PDF, "a.pdf")) == "file_exists"
    found = await person.call("POST", done)
    assert (found["file_id"], found["file_size"]) == (place["id"], len(PDF))
    async with client.get(path_of(found["public_url"])) as answer:
        assert await answer.read() == PDF
    for other in (stranger.name, str(uuid4())):
        status = 404 if other == stranger.name else 401
        path = f"file-uploaded?file_id={place['id']}&user_id={other}"
        assert await Shopper(client, other).call("POST", path, status)
    assert await person.call(
        "POST", f"upload-url?file_name=x&content_type=text/html&user_id={person.name}", 415
    )


async def test_addresses_that_are_refused(buyer: Shopper) -> None:
    chat = await buyer.open()
    for url in (
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example/x.png",
        "/\\evil.example/x.png",
        "http:evil",
        "https://",
        "blob:https://x/y",
        "x.png",
    ):
        assert await buyer.say(chat, "look", 400, message_type="image", file_url=url) == "bad_file_url", url
    for path in ("/media/nothing/x?e=1&s=2", "/media/../keys/x", "/media/a/b?e=x&s=", "/media/a"):
        assert await buyer.say(chat, "look", 404, message_type="image", file_url=path) == "file_not_found"
    assert await buyer.say(chat, "look", 422, message_type="image") == "missing_param"
    assert await buyer.messages(chat) == []


async def test_quotes_and_brackets_are_neutral_in_addresses_and_names(buyer: Shopper) -> None:
    chat = await buyer.open()
    sent = await buyer.say(
        chat,
        "",
        message_type="image",
        file_url="https://cdn.example/a\"onerror='alert(1)'<b>.png",
        file_name="\"><img src=x onerror='alert(1)'>.png",
        file_size=5,
    )
    for char in "\"'<>`":
        assert char not in sent["file_url"]
        assert char not in sent["file_name"]
    assert sent["file_url"].startswith("https://cdn.example/a%22onerror=")
    assert (sent["file_size"], sent["message_type"]) == (5, "image")
    file = await upload(buyer, picture(), "a'b<c>.png")
    assert file["file_name"] == "a_b_c_.png"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTP://a.example/x", "HTTP://a.example/x"),
        ("/static/x.png", "/static/x.png"),
        ("javascript:alert(1)", None),
        ("JAVASCRIPT://a/%0aalert(1)", None),
        ("//evil.example", None),
        ("https://a/\x00", None),
        ("", None),
    ],
)
def test_which_addresses_are_shown(url: str, safe: str | None) -> None:
    assert shape.neutral_url(url) == safe


async def test_the_name_of_a_linked_file_is_no_path(visitor: Shopper) -> None:
    """Not one that is encoded either, as a browser's form or a script sends it."""
    chat = await visitor.open()
    for name in ("../../a.png", "..%2F..%2Fa.png", "..\\..\\a.png", "%2e%2e%5Ca.png", "C:\\fakepath\\a.png"):
        file = {"message_type": "file", "file_url": "https://files.example/a", "file_name": name}
        assert (await visitor.say(chat, "", 200, **file))["file_name"] == "a.png", name

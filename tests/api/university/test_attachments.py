"""Files of messages: uploaded, linked, seen by others, gone with their message."""

from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image
from yarl import URL

from homeserver.api.university import schemas
from homeserver.lifecycle import Running
from tests.api.driver import CHAT, User
from tests.api.university.test_conversations import conforms

LINK = {"file_url": "https://files.example/a%20b.pdf?x=1", "file_type": "file", "file_size": 123}


def picture(width: int = 800, height: int = 600) -> bytes:
    made = BytesIO()
    Image.new("RGB", (width, height), "teal").save(made, "PNG")
    return made.getvalue()


def form(
    data: bytes, name: str = "picture.png", *, fields_last: bool = False, **fields: str
) -> aiohttp.FormData:
    made = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if not fields_last:
        for key, value in fields.items():
            made.add_field(key, value)
    made.add_field("file", BytesIO(data), filename=name, content_type="application/octet-stream")
    if fields_last:
        for key, value in fields.items():
            made.add_field(key, value)
    return made


def browser_form(file_name: str, data: bytes, **fields: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a form, with the name of a file as it stands in the request."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(f'name="file"; filename="{file_name}"\r\nContent-Type: image/png\r\n\r\n'.encode() + data)
    body = b"".join(b"--B\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    return body + b"--B--\r\n", {"Content-Type": "multipart/form-data; boundary=B"}


async def get(user: User, url: str, **options: Any) -> aiohttp.ClientResponse:
    """A file by its whole address, from wherever the test's server listens, without a token."""
    answer = await user.session.get(URL(url).relative(), **options)
    await answer.read()
    return answer


@pytest.mark.parametrize("fields_last", [False, True], ids=["fields first", "file first"])
async def test_a_file_becomes_a_message(alice: User, bob: User, fields_last: bool) -> None:
    group = await alice.group(bob)
    data = picture()
    async with bob.socket(group) as ear:
        sent = form(
            data,
            "снимок.png",
            conversation_id=group["id"],
            text="look",
            client_id="c1",
            fields_last=fields_last,
        )
        added = await alice.chat("POST", "attachments/", data=sent)
        conforms(schemas.Attachment, added)
        heard = (await ear.next())["payload"]
    assert heard["id"] == added["message_id"]
    assert (heard["text"], heard["client_id"], heard["sender_id"]) == ("look", "c1", alice.id)
    assert heard["attachments"] == [added]
    assert (added["name"], added["file_type"], added["content_type"]) == ("снимок.png", "image", "image/png")
    assert (added["file_size"], added["width"], added["height"]) == (len(data), 800, 600)
    file = await get(bob, added["file_url"])
    assert (file.status, await file.read(), file.content_type) == (200, data, "image/png")
    small = await get(bob, added["thumbnail_url"])
    assert small.status == 200
    assert max(Image.open(BytesIO(await small.read())).size) <= 640
    assert await bob.chat("GET", f"messages/{group['id']}") == [heard]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("say %22hi%22.png", 'say "hi".png'),
        (r"C:\fakepath\x.png", "x.png"),
        (r"..\..\etc\passwd", "passwd"),
        ("..%2F..%2Fa.png", "a.png"),
        ("a%0D%0Ab.png", "a b.png"),
    ],
)
async def test_a_file_has_the_name_that_its_sender_sees(alice: User, sent: str, name: str) -> None:
    group = await alice.group()
    body, headers = browser_form(sent, picture(8, 8), conversation_id=group["id"])
    added = await alice.chat("POST", "attachments/", data=body, headers=headers)
    assert added["name"] == name
    assert (await alice.chat("GET", f"messages/{group['id']}"))[0]["attachments"][0]["name"] == name


async def test_a_form_without_a_chosen_file_makes_no_message(alice: User) -> None:
    group = await alice.group()
    body, headers = browser_form("", b"", conversation_id=group["id"], text="no file")
    path = f"{CHAT}/attachments/"
    assert await alice.code("POST", path, 422, data=body, headers=headers) == "missing_param"
    assert await alice.texts(group) == []


async def test_a_repeated_upload_is_one_message_with_one_file(alice: User) -> None:
    group = await alice.group()
    answers = [
        await alice.chat(
            "POST", "attachments/", data=form(picture(), conversation_id=group["id"], client_id="c1")
        )
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(await alice.texts(group)) == 1


async def test_a_file_answers_a_message(alice: User, bob: User) -> None:
    group, other = await alice.group(bob), await alice.group(bob)
    question, elsewhere = await bob.say(group, "what does it look like?"), await bob.say(other, "here?")
    asked = {"conversation_id": group["id"], "text": "like this", "reply_to": question["id"]}
    await alice.chat("POST", "attachments/", data=form(picture(), **asked))
    shown = (await bob.chat("GET", f"messages/{group['id']}"))[-1]
    assert (shown["reply_to"], shown["text"], len(shown["attachments"])) == (question["id"], "like this", 1)
    path = f"{CHAT}/attachments/"
    for last in (False, True):
        wrong = form(b"x", fields_last=last, **{**asked, "reply_to": elsewhere["id"]})
        assert await alice.code("POST", path, 400, data=wrong) == "reply_elsewhere"
        unknown = form(b"x", fields_last=last, **{**asked, "reply_to": group["id"]})
        assert await alice.code("POST", path, 404, data=unknown) == "message_not_found"
    assert await alice.texts(group) == ["what does it look like?", "like this"]


@pytest.mark.both
async def test_files_are_added_to_ones_own_message(alice: User, bob: User) -> None:
    group = await alice.group(bob)
    message = await alice.say(group, "two files")
    async with bob.socket(group) as ear:
        first = await alice.chat("POST", "attachments", data=form(picture(), message_id=message["id"]))
        assert first["message_id"] == message["id"]
        edited = (await ear.next())["payload"]
        assert (edited["id"], edited["attachments"]) == (message["id"], [first])
        second = await alice.chat("POST", "attachments/", json={"message_id": message["id"], **LINK})
        conforms(schemas.Attachment, second)
        assert (await ear.next())["payload"]["attachments"] == [first, second]
    assert (second["file_url"], second["file_type"], second["file_size"]) == (LINK["file_url"], "file", 123)
    assert (second["name"], second["thumbnail_url"], second["width"]) == ("a b.pdf", None, None)
    (shown,) = await bob.chat("GET", f"messages/{group['id']}")
    assert shown["attachments"] == [first, second]
    assert shown["is_edited"] is False, "files are no edit of the text"
    path = f"{CHAT}/attachments/"
    assert await bob.code("POST", path, 403, json={"message_id": message["id"], **LINK}) == "not_author"
    assert await bob.code("POST", path, 403, data=form(b"x", message_id=message["id"])) == "not_author"


HARMFUL_ADDRESSES = (
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://x/y",
    "//evil.example/x",
    "https://",
    "x.png",
    "",
    'https://x/"onload=',
    "https://x/<b>",
    "https://x/a b",
    "/\\evil",
    "https://x/\u0000",
)


async def test_addresses_that_could_harm_are_refused(alice: User) -> None:
    message = await alice.say(await alice.group(), "x")
    for url in HARMFUL_ADDRESSES:
        body = {"message_id": message["id"], **LINK, "file_url": url}
        await alice.chat("POST", "attachments/", 422, json=body)


async def test_bad_links(alice: User) -> None:
    message = await alice.say(await alice.group(), "x")
    body = {"message_id": message["id"], **LINK}
    for bad in ({"file_type": "virus"}, {"file_size": -1}, {"file_size": "1"}, {"message_id": "x"}):
        await alice.chat("POST", "attachments/", 422, json={**body, **bad})
    own = await alice.chat(
        "POST", "attachments/", json={**body, "file_url": "/media/x/y.png", "file_type": "image"}
    )
    assert own["file_url"].endswith("/media/x/y.png")
    assert own["file_url"].startswith("http")


@pytest.mark.own_server
async def test_forms_that_are_refused_leave_nothing(
    server: Running, alice: User, bob: User, carol: User
) -> None:
    group = await alice.group(bob)
    message = await alice.say(group, "x")
    unknown = "0190163d-8694-8390-9f4f-0a9b8c7d6e5f"
    for fields, status in (
        ({}, 422),
        ({"conversation_id": group["id"], "message_id": message["id"]}, 422),
        ({"conversation_id": "nonsense"}, 422),
        ({"conversation_id": unknown}, 404),
        ({"message_id": unknown}, 404),
        ({"conversation_id": group["id"], "text": "x" * 10_001}, 413),
    ):
        for last in (False, True):
            await alice.chat("POST", "attachments/", status, data=form(b"data", **fields, fields_last=last))
    for last in (False, True):
        sent = form(b"data", conversation_id=group["id"], fields_last=last)
        await carol.chat("POST", "attachments/", 404, data=sent)
    two = form(b"one", conversation_id=group["id"])
    two.add_field("file", BytesIO(b"two"), filename="two")
    await alice.chat("POST", "attachments/", 422, data=two)
    none = aiohttp.FormData({"conversation_id": group["id"]}, default_to_multipart=True)
    await alice.chat("POST", "attachments/", 422, data=none)
    await alice.chat("POST", "attachments/", 400, data=b"x", headers={"Content-Type": "multipart/form-data"})
    assert await alice.texts(group) == ["x"]
    # What was taken in before the refusal is given up: the sweep finds nothing that is kept.
    async with server.hs.core.db.read() as conn:
        from sqlalchemy import select

        from homeserver.storage.schema.people import media

        kept = (await conn.execute(select(media.c.media_id).where(media.c.delete_after_ms.is_(None)))).all()
    assert kept == []


@pytest.mark.parametrize("overrides", [{"media": {"max_upload_bytes": 100_000}}])
async def test_a_file_may_be_so_large_and_no_larger(alice: User) -> None:
    group = await alice.group()
    await alice.chat("POST", "attachments/", data=form(b"\x01" * 100_000, conversation_id=group["id"]))
    large = form(b"\x01" * 100_001, conversation_id=group["id"])
    assert await alice.code("POST", f"{CHAT}/attachments/", 413, data=large) == "file_too_large"
    assert len(await alice.texts(group)) == 1


async def test_a_file_larger_than_json_bodies_may_be(alice: User) -> None:
    group = await alice.group()
    data = bytes(range(256)) * 20_000
    added = await alice.chat("POST", "attachments/", data=form(data, "big.bin", conversation_id=group["id"]))
    file = await get(alice, added["file_url"])
    assert await file.read() == data


async def test_what_could_run_is_never_shown_inline(alice: User) -> None:
    group = await alice.group()
    for name, data in (
        ("x.html", b"<!doctype html><script>alert(1)</script>"),
        ("x.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("picture.png", b"<html><script>alert(1)</script></html>"),
    ):
        added = await alice.chat("POST", "attachments/", data=form(data, name, conversation_id=group["id"]))
        assert (added["file_type"], added["thumbnail_url"]) == ("file", None)
        file = await get(alice, added["file_url"])
        assert file.headers["Content-Disposition"].startswith("attachment")
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in file.headers["Content-Security-Policy"]
        assert file.content_type not in {"text/html", "image/svg+xml"}


@pytest.mark.both
async def test_files_go_with_their_message(server: Running, alice: User, bob: User) -> None:
    group = await alice.group(bob)
    added = await alice.chat("POST", "attachments/", data=form(picture(), conversation_id=group["id"]))
    await alice.chat("DELETE", f"messages/{added['message_id']}", 204)
    assert (await get(bob, added["file_url"])).status == 404
    assert (await get(bob, added["thumbnail_url"])).status == 404

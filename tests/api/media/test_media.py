"""Files by their signed addresses."""

from io import BytesIO
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.api.driver import User
from tests.api.university.test_attachments import form, picture

DATA = bytes(range(256)) * 40


async def upload(user: User, data: bytes = DATA, name: str = "данные.bin") -> Any:
    group = await user.group()
    return await user.chat("POST", "attachments/", data=form(data, name, conversation_id=group["id"]))


async def test_a_file_with_its_headers(alice: User, client: aiohttp.ClientSession) -> None:
    address = URL((await upload(alice))["file_url"]).relative()
    async with client.get(address) as answer:
        assert (answer.status, await answer.read()) == (200, DATA)
        headers = answer.headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "filename*=UTF-8''%D0%B4%D0%B0%D0%BD%D0%BD%D1%8B%D0%B5.bin" in headers["Content-Disposition"]
    assert "private" in headers["Cache-Control"]
    age = int(headers["Cache-Control"].split("max-age=")[1].split(",")[0])
    assert 0 < age <= 86_400
    async with client.head(address) as head:
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(DATA)))
    async with client.get(address, headers={"If-None-Match": headers["ETag"]}) as again:
        assert (again.status, await again.read()) == (304, b"")


@pytest.mark.both
async def test_parts_of_a_file(alice: User, client: aiohttp.ClientSession) -> None:
    address = URL((await upload(alice))["file_url"]).relative()
    async with client.get(address, headers={"Range": "bytes=100-199"}) as part:
        assert (part.status, await part.read()) == (206, DATA[100:200])
        assert part.headers["Content-Range"] == f"bytes 100-199/{len(DATA)}"
    async with client.get(address, headers={"Range": "bytes=-5"}) as tail:
        assert await tail.read() == DATA[-5:]
    async with client.get(address, headers={"Range": f"bytes={len(DATA)}-"}) as beyond:
        assert beyond.status == 416


async def test_an_address_changed_in_any_way_names_nothing(
    alice: User, client: aiohttp.ClientSession
) -> None:
    added = await upload(alice, picture(), "p.png")
    file, small = (URL(added[name]).relative() for name in ("file_url", "thumbnail_url"))
    other = URL((await upload(alice))["file_url"]).relative()
    bad = [
        file.with_query(None),
        file.update_query(e=int(file.query["e"]) + 1),
        file.update_query(e=1),
        file.update_query(e="x"),
        file.update_query(s=other.query["s"]),
        file.update_query(s="é"),
        file.update_query(s=""),
        file.update_query(s="x" * 500),
        URL(f"/media/{other.parts[2]}/p.png").with_query(file.query),
        URL("/media/..%2F..%2Fkeys/p.png", encoded=True).with_query(file.query),
        small.update_query(w=2000),
        small.update_query(w="x"),
        small.update_query(s=file.query["s"]),
    ]
    for address in bad:
        async with client.get(address) as answer:
            assert answer.status == 404, address
            assert (await answer.json())["code"] == "file_not_found"
    async with client.get(file.with_name("other name.html").with_query(file.query)) as renamed:
        assert renamed.status == 200, "the name is for people; what the file is stays"
        assert renamed.content_type == "image/png"


async def test_small_pictures(alice: User, client: aiohttp.ClientSession) -> None:
    added = await upload(alice, picture(1200, 900), "p.png")
    async with client.get(URL(added["thumbnail_url"]).relative()) as small:
        assert (small.status, small.content_type) == (200, "image/webp")
        assert len(await small.read()) < len(picture(1200, 900))
        assert small.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_file_that_is_called_thumb(alice: User, client: aiohttp.ClientSession) -> None:
    added = await upload(alice, DATA, "thumb")
    async with client.get(URL(added["file_url"]).relative()) as answer:
        assert (answer.status, await answer.read()) == (200, DATA)


@pytest.mark.parametrize("name", ["a/b\\c.txt", "..", '"quoted".txt', "a" * 300 + ".txt", " "])
async def test_odd_names(alice: User, client: aiohttp.ClientSession, name: str) -> None:
    group = await alice.group()
    made = aiohttp.FormData(default_to_multipart=True)
    made.add_field("conversation_id", group["id"])
    made.add_field("file", BytesIO(b"text"), filename=name, content_type="text/plain")
    added = await alice.chat("POST", "attachments/", data=made)
    async with client.get(URL(added["file_url"]).relative()) as answer:
        assert (answer.status, await answer.read()) == (200, b"text")

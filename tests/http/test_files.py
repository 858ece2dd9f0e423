"""Files: ranges and conditions, as RFC 9110 has them."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from homeserver.http.files import FileResponse
from homeserver.http.routes import Call, Route
from tests.http.kit import site

DATA = random.Random(1).randbytes(768_000)
TAG = '"abc"'
SIZE = len(DATA)


def app(path: Path) -> web.Application:
    async def get(_call: Call[Any, Any]) -> web.StreamResponse:
        size = path.stat().st_size if path.exists() else 0
        return FileResponse(path, size=size, etag=TAG, headers={"Content-Type": "image/png", "X-Own": "1"})

    return site([Route("GET", "/file", get, "Get a file", public=True)], origins=["*"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(DATA)
    return made


@pytest.mark.parametrize(
    ("headers", "status", "wanted"),
    [
        ({}, 200, DATA),
        ({"Range": "bytes=0-0"}, 206, DATA[:1]),
        ({"Range": "BYTES = 10-19"}, 206, DATA[10:20]),
        ({"Range": "bytes=300000-"}, 206, DATA[300000:]),
        ({"Range": "bytes=-5"}, 206, DATA[-5:]),
        ({"Range": f"bytes=-{SIZE + 5}"}, 206, DATA),
        ({"Range": f"bytes=5-{10**17}"}, 206, DATA[5:]),
        ({"Range": "bytes=0-0,"}, 206, DATA[:1]),
        ({"Range": f"bytes={SIZE}-"}, 416, b""),
        ({"Range": "bytes=-0"}, 416, b""),
        ({"Range": "items=0-1"}, 200, DATA),
        ({"Range": "bytes=0-0,5-6"}, 200, DATA),
        ({"Range": "bytes=5-4"}, 200, DATA),
        ({"Range": "bytes=a-b"}, 200, DATA),
        ({"Range": "bytes=-"}, 200, DATA),
        ({"Range": "bytes=" + "9" * 50 + "-"}, 200, DATA),
        ({"Range": ""}, 200, DATA),
        ({"Range": "bytes=0-9", "If-Range": TAG}, 206, DATA[:10]),
        ({"Range": "bytes=0-9", "If-Range": '"old"'}, 200, DATA),
        ({"Range": "bytes=0-9", "If-Range": f"W/{TAG}"}, 200, DATA),
        ({"Range": "bytes=0-9", "If-Range": "Sat, 29 Oct 1994 19:43:31 GMT"}, 200, DATA),
        ({"If-None-Match": TAG}, 304, b""),
        ({"If-None-Match": f'"x", W/{TAG}'}, 304, b""),
        ({"If-None-Match": "*"}, 304, b""),
        ({"If-None-Match": '"x"'}, 200, DATA),
        ({"If-None-Match": TAG, "Range": "bytes=0-9"}, 304, b""),
        ({"If-Match": TAG}, 200, DATA),
        ({"If-Match": '"x"'}, 412, b""),
        ({"If-Match": f"W/{TAG}"}, 412, b""),
    ],
)
async def test_ranges_and_conditions(
    aiohttp_client: AiohttpClient, path: Path, headers: Mapping[str, str], status: int, wanted: bytes
) -> None:
    client = await aiohttp_client(app(path))
    answer = await client.get("/api/file", headers={**headers, "Origin": "https://a.example"})
    assert (answer.status, await answer.read()) == (status, wanted)
    assert answer.headers["ETag"] == TAG
    assert answer.headers["X-Own"] == "1"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    if status in {200, 206}:
        assert (answer.headers["Accept-Ranges"], answer.headers["Content-Type"]) == ("bytes", "image/png")
    if status == 206:
        first = DATA.index(wanted)
        assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{SIZE}"
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    head = await client.head("/api/file", headers=headers)
    assert (head.status, await head.read()) == (200 if status in {206, 416} else status, b"")


async def test_an_empty_file_and_one_that_is_gone(aiohttp_client: AiohttpClient, path: Path) -> None:
    client = await aiohttp_client(app(path))
    path.write_bytes(b"")
    for asked, status in (("", 200), ("bytes=0-", 416), ("bytes=-5", 200)):
        answer = await client.get("/api/file", headers={"Range": asked})
        assert (answer.status, await answer.read()) == (status, b"")
    path.unlink()
    assert (await client.get("/api/file")).status == 404

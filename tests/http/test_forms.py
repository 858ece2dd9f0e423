"""Forms with files, read as a stream."""

import asyncio
import time
from io import BytesIO
from typing import Any

import pytest
from aiohttp import FormData
from pytest_aiohttp.plugin import AiohttpClient

from homeserver.http.forms import FormFile, form_parts
from homeserver.http.routes import Call, Route
from tests.http.kit import site

FORM_IN_A_FORM = (
    b"--B\r\nContent-Type: multipart/mixed; boundary=C\r\n"
    b'Content-Disposition: form-data; name="a"\r\n\r\n--C--\r\n--B--\r\n'
)
ALICE = {"Authorization": "Bearer alice"}


async def read(call: Call[Any, Any]) -> list[list[object]]:
    parts: list[list[object]] = []
    async for part in form_parts(call.request, 100):
        if isinstance(part, FormFile):
            size, largest = 0, 0
            async for chunk in part.chunks:
                size += len(chunk)
                largest = max(largest, len(chunk))
            assert largest <= 64 * 1024
            parts.append([part.name, part.file_name, part.content_type, size])
        else:
            parts.append([part.name, part.value])
    return parts


APP_ROUTES = (Route("POST", "/form", read, "Read a form"),)


async def test_fields_and_files_arrive_in_order(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    form = FormData(quote_fields=False)  # as browsers send it
    form.add_field("before", "1")
    form.add_field("file", BytesIO(b"x" * 3_000_000), filename="отчёт.bin", content_type="application/x-test")
    form.add_field("after", "Привет")
    answer = await client.post("/api/form", headers=ALICE, data=form)
    assert await answer.json() == [
        ["before", "1"],
        ["file", "отчёт.bin", "application/x-test", 3_000_000],
        ["after", "Привет"],
    ]


async def test_what_is_no_form_is_refused(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    kind = "multipart/form-data; boundary=B"
    for content_type, data in (
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        (kind, b"no boundary here"),
        (kind, b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n"),
        (kind, b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--B--\r\n'),
        (kind, b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n\x00\r\n--B--\r\n'),
        (kind, b'--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\ncut o'),
        (
            kind,
            b'--B\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"x" * 40 + b"\r\n--B--\r\n",
        ),
        (kind, b'--B\r\nContent-Disposition: form-data; name="\x12"\r\n\r\nx\r\n--B--\r\n'),
        (kind, b"--B\r\nContent-Disposition: " + b"x" * 10_000 + b"\r\n\r\nx\r\n--B--\r\n"),
        (
            kind,
            FORM_IN_A_FORM,
        ),
    ):
        headers = {**ALICE, "Content-Type": content_type}
        answer = await client.post("/api/form", headers=headers, data=data)
        assert answer.status == 400, data
        assert (await answer.json())["code"] in {"bad_form", "invalid_param"}


async def test_fields_are_bounded_in_size_and_number(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    assert (await client.post("/api/form", headers=ALICE, data=FormData({"a": "x" * 101}))).status in {
        400,
        413,
    }
    large = FormData(default_to_multipart=True)
    large.add_field("a", "x" * 101)
    assert (await client.post("/api/form", headers=ALICE, data=large)).status == 413
    many = FormData(default_to_multipart=True)
    for number in range(30):
        many.add_field(f"f{number}", "x")
    answer = await client.post("/api/form", headers=ALICE, data=many)
    assert (answer.status, (await answer.json())["code"]) == (400, "bad_form")


async def test_a_client_that_goes_away_in_the_middle_harms_nobody(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = b"POST /api/form HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nContent-Length: 1000\r\n"
    writer.write(head + b"Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\nContent-Dis")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    answer = await client.post(
        "/api/form", headers=ALICE, data=FormData({"a": "1"}, default_to_multipart=True)
    )
    assert answer.status == 200
    del reader


def named(disposition: str, data: bytes = b"x", *, kind: str = "application/octet-stream") -> bytes:
    head = f"--B\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode() + data + b"\r\n"


BEFORE = b'--B\r\nContent-Disposition: form-data; name="before"\r\n\r\n1\r\n'
FORM_KIND = {**ALICE, "Content-Type": "multipart/form-data; boundary=B"}


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ('"say %22hi%22.png"', 'say "hi".png'),
        ('"a%0d%0Ab.png"', "a\r\nb.png"),  # the store makes one line of it
        (r'"C:\fakepath\x.png"', r"C:\fakepath\x.png"),  # and takes the last part
        (r'"..\..\etc\passwd"', r"..\..\etc\passwd"),
        (r'"say \"hi\".png"', 'say "hi".png'),
        (r'"C:\\fakepath\\x.png"', r"C:\fakepath\x.png"),
        ('"folder\\"', "folder\\"),
        ('"%2e%2F..%2fa.png"', "%2e/../a.png"),
        ('"100%25 of a%20b.png"', "100%25 of a%20b.png"),
        ('"100%.png"', "100%.png"),
        ('"a;b; filename=c.png"', "a;b; filename=c.png"),
        ('"it\'s.png"', "it's.png"),
        ("plain.png", "plain.png"),
        ('"отчёт.png"', "отчёт.png"),
        ("\"x.png\"; filename*=UTF-8''%D0%BE%20%22%22.png", 'о "".png'),
        ("\"x.png\"; filename*=cp500''%D0%BE.png", "x.png"),
    ],
)
async def test_the_name_of_a_file_is_what_the_browser_meant(
    aiohttp_client: AiohttpClient, sent: str, name: str
) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    data = BEFORE + named(f'form-data; name="file"; filename={sent}') + b"--B--\r\n"
    answer = await client.post("/api/form", headers=FORM_KIND, data=data)
    assert (await answer.json())[1:] == [["file", name, "application/octet-stream", 1]]


async def test_a_file_input_that_was_left_alone_is_no_file(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    kind = "application/octet-stream"
    for parts, files in (
        ([named('form-data; name="file"; filename=""', b"")], []),
        ([named('form-data; name="file"; filename=', b"")], []),
        (
            [named('form-data; name="file"; filename=""', b"data")],
            [["file", "", kind, 4]],
        ),  # a blob of a script
        ([named('form-data; name="file"; filename="empty.txt"', b"")], [["file", "empty.txt", kind, 0]]),
        (
            [named('form-data; name="a"; filename=""', b""), named('form-data; name="b"; filename="b"')],
            [["b", "b", kind, 1]],
        ),
    ):
        answer = await client.post(
            "/api/form", headers=FORM_KIND, data=BEFORE + b"".join(parts) + b"--B--\r\n"
        )
        assert (answer.status, (await answer.json())[1:]) == (200, files)


async def test_a_header_full_of_backslashes_takes_no_time(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(APP_ROUTES))
    for rest in ("\\" * 7000, '\\"' * 3500, "; " * 3500, "; a=" * 2000):
        data = BEFORE + named(f'form-data; name="file"; filename="{rest}') + b"--B--\r\n"
        began = time.perf_counter()
        answer = await client.post("/api/form", headers=FORM_KIND, data=data)
        assert answer.status in {200, 400}
        assert time.perf_counter() - began < 2

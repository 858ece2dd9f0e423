"""Forms with files, read as a stream."""

import asyncio
from io import BytesIO
from typing import Any

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

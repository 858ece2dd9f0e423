"""The table of routes as clients meet it."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from homeserver.errors import RateLimited
from homeserver.http.body import Body, Number, Query, QueryInt
from homeserver.http.routes import Call, Dispatcher, Handler, Route
from homeserver.settings.models import ListenSettings
from tests.http.kit import admit, places, site

ALICE = {"Authorization": "Bearer alice"}
UUID = "6f1c2f1e-7a43-8f0a-9c7d-2f9f6a1b3c4d"


class Note(Body):
    id: Number


class Listing(Query):
    limit: QueryInt = 10


async def echo(call: Call[Any, Any]) -> dict[str, object]:
    return {
        "who": call.requester.user_id,
        "path": {name: str(value) for name, value in call.path.items()},
        "body": call.body and call.body.model_dump(),
        "limit": call.query and call.query.limit,
    }


async def nothing(_call: Call[Any, Any]) -> None:
    return None


async def asks_for_nobody(call: Call[Any, Any]) -> object:
    return call.requester


ROUTES = (
    Route("GET", "/notes", echo, "List", query=Listing),
    Route("POST", "/notes", echo, "Make", body=Note, status=201),
    Route("DELETE", "/notes/{note_id:uuid}", nothing, "Delete", status=204),
    Route("GET", "/notes/{note_id:uuid}", echo, "Get"),
    Route("GET", "/people/{number:int}/{name}", echo, "Person"),
    Route("GET", "/open", asks_for_nobody, "A mistake of ours", public=True),
)


async def test_with_and_without_the_last_slash_no_redirect(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    for path in ("/api/notes", "/api/notes/"):
        got = await client.get(path, headers=ALICE, allow_redirects=False)
        assert (got.status, (await got.json())["limit"]) == (200, 10)
        made = await client.post(path, headers=ALICE, json={"id": 3}, allow_redirects=False)
        assert (made.status, (await made.json())["body"]) == (201, {"id": 3})
        assert made.headers["Cache-Control"] == "no-store"
    for path in (f"/api/notes/{UUID}", f"/api/notes/{UUID}/"):
        gone = await client.delete(path, headers=ALICE, allow_redirects=False)
        assert (gone.status, await gone.read()) == (204, b"")


async def test_head_is_get_without_the_body(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    answer = await client.head("/api/notes", headers=ALICE)
    assert (answer.status, await answer.read()) == (200, b"")


async def test_ids_are_typed_and_malformed_ones_are_unknown(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    good = await client.get(f"/api/notes/{UUID.upper()}", headers=ALICE)
    assert (await good.json())["path"] == {"note_id": UUID}
    person = await client.get(f"/api/people/{2**63 - 1}/%D0%90%2Fb", headers=ALICE)
    assert (await person.json())["path"] == {"number": str(2**63 - 1), "name": "А/b"}
    bad = ["1", "nonsense", UUID[:-1], UUID.replace("-", ""), "{" + UUID + "}", "%00", "urn:uuid:" + UUID]
    for path in (
        *(f"/api/notes/{one}" for one in bad),
        *(f"/api/people/{one}/x" for one in ("0", "-1", "01", "1.5", "a", str(2**63), "9" * 50, "%D9%A1")),
    ):
        answer = await client.get(path, headers=ALICE)
        assert (answer.status, (await answer.json())["code"]) == (404, "not_found"), path


async def test_the_token_comes_before_everything_else(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    for method, path in (
        ("GET", "/api/notes?limit=x"),
        ("POST", "/api/notes"),
        ("GET", "/api/notes/nonsense"),
    ):
        answer = await client.request(method, path, data=b"{")
        assert (answer.status, (await answer.json())["code"]) == (401, "missing_token")


async def test_bad_bodies_and_queries(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    for data, status in ((b"{", 400), (b"{}", 400), (b'{"id": "1"}', 400), (b" " * 10_001, 413)):
        answer = await client.post("/api/notes", headers=ALICE, data=data)
        assert answer.status == status
        assert set(await answer.json()) >= {"detail", "code"}
    answer = await client.get("/api/notes?limit=x", headers=ALICE)
    assert (await answer.json())["code"] == "invalid_param"


async def test_a_body_without_a_length_is_bounded_too(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))

    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 1000
            await asyncio.sleep(0)

    answer = await client.post("/api/notes", headers=ALICE, data=endless())
    assert answer.status == 413


async def test_who_has_no_token_sends_little(aiohttp_client: AiohttpClient) -> None:
    route = Route("POST", "/login", nothing, "Log in", body=Note, status=204, public=True)
    small = ListenSettings(max_public_body_bytes=4096)
    client = await aiohttp_client(site([*ROUTES, route], listen=small))
    for size, status in ((4000, 204), (5000, 413)):
        body = b'{"id": 7, "x": "' + b"x" * (size - 18) + b'"}'
        assert (await client.post("/api/login", data=body)).status == status
    assert (await client.post("/api/notes", headers=ALICE, data=body)).status == 201


async def test_a_compressed_bomb_is_bounded(aiohttp_client: AiohttpClient) -> None:
    import gzip

    client = await aiohttp_client(site(ROUTES))
    bomb = gzip.compress(b" " * 3_000_000)
    assert len(bomb) < 10_000
    answer = await client.post("/api/notes", headers={**ALICE, "Content-Encoding": "gzip"}, data=bomb)
    assert answer.status == 413


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("Expect", "200-foo", 417, "expectation_failed"),
        ("Expect", "100-Continue", 201, ""),
        ("Content-Encoding", "br", 415, "unsupported_encoding"),
        ("Content-Encoding", "foo", 415, "unsupported_encoding"),
        ("Content-Encoding", "gzip, gzip", 415, "unsupported_encoding"),
        ("Content-Encoding", "Identity", 201, ""),
    ],
)
async def test_what_is_expected_and_cannot_be_is_told_in_the_form_of_the_face(
    aiohttp_client: AiohttpClient, header: str, value: str, status: int, code: str
) -> None:
    client = await aiohttp_client(site(ROUTES, origins=["*"]))
    headers = {**ALICE, header: value, "Origin": "https://a.example"}
    answer = await client.post("/api/notes", headers=headers, data=b'{"id": 7}')
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.status == status, await answer.text()
    if code:
        assert (await answer.json())["code"] == code


async def test_bodies_that_are_broken_as_http(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    for headers, body in (
        (b"Transfer-Encoding: chunked", b'5\r\n{"id\r\nnonsense\r\n'),
        (b"Content-Encoding: gzip\r\nContent-Length: 9", b"not gzip!"),
        (b"Content-Encoding: deflate\r\nContent-Length: 9", b"not that!"),
    ):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(
            b"POST /api/notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n"
            + headers
            + b"\r\n\r\n"
            + body
        )
        answer = await reader.read(1000)
        assert b" 400 Bad Request" in answer.splitlines()[0]
        writer.close()
        await writer.wait_closed()


async def test_an_address_that_asks_too_often_is_told_before_its_token_is_read(
    aiohttp_client: AiohttpClient,
) -> None:
    def limit(_request: web.Request) -> None:
        raise RateLimited("slow down", retry_ms=5000)

    client = await aiohttp_client(site(ROUTES, limit=limit))
    answer = await client.get("/api/notes")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "5")


async def test_a_public_handler_that_looks_for_a_caller_fails_loudly(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    assert (await client.get("/api/open")).status == 500


async def found(client: TestClient[web.Request, web.Application], path: str, method: str = "GET") -> object:
    answer = await client.request(method, f"/api{path}")
    return await answer.json() if answer.status == 200 else answer.status


async def test_a_word_goes_before_a_parameter_wherever_the_table_has_it(
    aiohttp_client: AiohttpClient,
) -> None:
    def named(name: str) -> Handler:
        async def answer(call: Call[None, None]) -> dict[str, object]:
            return {"name": name, **call.path}

        return answer

    table = [
        Route(method, path, named(path), path, public=True)
        for method, path in [
            ("GET", "/"),
            ("GET", "/{x}"),
            ("GET", "/known"),
            ("GET", "/known/{y}"),
            ("GET", "/{x}/deep/end"),
            ("PUT", "/{x}/deep/{z}"),
        ]
    ]
    client = await aiohttp_client(site(table))
    assert await found(client, "") == await found(client, "/") == {"name": "/"}
    assert await found(client, "/known") == await found(client, "/known/") == {"name": "/known"}
    assert await found(client, "/other") == {"name": "/{x}", "x": "other"}
    assert await found(client, "/known/deep") == {"name": "/known/{y}", "y": "deep"}
    assert await found(client, "/known/deep/end") == {"name": "/{x}/deep/end", "x": "known"}
    assert await found(client, "/a/deep/end", "PUT") == {"name": "/{x}/deep/{z}", "x": "a", "z": "end"}
    assert await found(client, "/a/deep/end", "DELETE") == 405
    for path in ("//", "/known//", "/a//end", "/a/deep", "/a/deep/end/more"):
        assert await found(client, path) == 404, path


async def test_a_slash_or_a_percent_sign_within_a_parameter_stays_in_it(
    aiohttp_client: AiohttpClient,
) -> None:
    async def answer(call: Call[None, None]) -> dict[str, object]:
        return dict(call.path)

    client = await aiohttp_client(site([Route("GET", "/{x}/end", answer, "words", public=True)]))
    for coded, plain in (
        ("a%2Fb", "a/b"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("%7Bx%7D", "{x}"),
        ("%C3%A4", "ä"),
    ):
        answered = await client.get(URL(f"/api/{coded}/end", encoded=True))
        assert await answered.json() == {"x": plain}, coded


async def test_two_routes_for_one_call_are_refused() -> None:
    table = [Route("GET", "/a/{x}", echo, "one"), Route("GET", "/a/{y}", echo, "other")]
    with pytest.raises(ValueError, match=r"duplicate route GET /a/\{y\}"):
        Dispatcher(admit=admit, limit=lambda _request: None, max_body_bytes=1000, places=places()).install(
            web.Application(), table
        )


async def test_answers_do_not_tell_versions(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(site(ROUTES))
    for path in ("/api/notes", "/nothing"):
        assert (await client.get(path)).headers["Server"] == "homeserver"

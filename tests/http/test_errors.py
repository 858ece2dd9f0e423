"""Errors on the wire, in a face's own form."""

import logging

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from homeserver import errors
from homeserver.api.messenger.errors import ERRORS as MESSENGER
from homeserver.api.university.errors import ERRORS as UNIVERSITY
from homeserver.http.errors import PLAIN, ErrorTable, Failure
from homeserver.http.routes import Call, Handler, Route
from tests.http.kit import site


def tree(root: type[errors.HomeserverError]) -> list[type[errors.HomeserverError]]:
    return [kind for child in root.__subclasses__() for kind in (child, *tree(child))]


@pytest.mark.parametrize("table", [PLAIN, UNIVERSITY, MESSENGER], ids=["plain", "university", "messenger"])
def test_every_error_of_the_tree_has_a_status(table: ErrorTable) -> None:
    for kind in tree(errors.HomeserverError):
        in_table = [parent for parent in kind.__mro__ if parent in table.statuses]
        assert in_table, f"{kind.__name__} is missing in the table"
        assert 400 <= table.statuses[in_table[0]] < 600


def raises(error: BaseException) -> Handler:
    async def handler(_call: Call[None, None]) -> None:
        raise error

    return handler


def app(error: BaseException, table: ErrorTable = UNIVERSITY) -> web.Application:
    return site([Route("GET", "/x", raises(error), "Fails", public=True)], table=table)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Invalid("bad"), 400),
        (errors.Invalid("bad", code="bad_json"), 400),
        (errors.Invalid("bad", code="missing_param"), 422),
        (errors.Invalid("bad", code="invalid_param"), 422),
        (errors.Unauthenticated("who?"), 401),
        (errors.Forbidden("no"), 403),
        (errors.NotFound("none"), 404),
        (errors.Conflict("taken"), 409),
        (errors.TooLarge("big"), 413),
        (errors.RateLimited("slow", retry_ms=1200), 429),
        (errors.Unsupported("old"), 400),
        (errors.Upstream("them"), 502),
        (errors.Unavailable("later"), 503),
    ],
)
async def test_each_error_is_told_as_detail_and_code(
    aiohttp_client: AiohttpClient, error: errors.HomeserverError, status: int
) -> None:
    answer = await (await aiohttp_client(app(error))).get("/api/x")
    assert answer.status == status
    body = await answer.json()
    assert (body["detail"], body["code"]) == (error.message, error.code)


async def test_headers_that_belong_to_an_error(aiohttp_client: AiohttpClient) -> None:
    limited = await (await aiohttp_client(app(errors.RateLimited("slow", retry_ms=1200)))).get("/api/x")
    assert limited.headers["Retry-After"] == "2"
    assert (await limited.json())["retry_ms"] == 1200
    unknown = await (await aiohttp_client(app(errors.Unauthenticated("who?")))).get("/api/x")
    assert unknown.headers["WWW-Authenticate"] == "Bearer"


async def test_facts_of_an_error_cannot_hide_its_code(aiohttp_client: AiohttpClient) -> None:
    error = errors.Conflict("taken", code="tag_in_use", detail="x", tag="bob")
    body = await (await (await aiohttp_client(app(error))).get("/api/x")).json()
    assert body == {"detail": "taken", "code": "tag_in_use", "tag": "bob"}


async def test_unknown_paths_and_methods_in_the_faces_form(aiohttp_client: AiohttpClient) -> None:
    odd = ErrorTable(PLAIN.statuses, {}, lambda failure: {"errcode": failure.code})
    client = await aiohttp_client(app(errors.NotFound("x"), odd))
    unknown = await client.get("/api/unknown")
    assert (unknown.status, await unknown.json()) == (404, {"errcode": "not_found"})
    wrong = await client.post("/api/x")
    assert (wrong.status, await wrong.json()) == (405, {"errcode": "method_not_allowed"})
    assert wrong.headers["Allow"] == "GET,HEAD"
    outside = await client.get("/elsewhere")
    assert (outside.status, (await outside.json())["code"]) == (404, "not_found")


async def test_a_bug_is_a_500_with_its_trace_in_the_log_only(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = await aiohttp_client(app(ZeroDivisionError("the secret of the universe")))
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/api/x?token=abc")
    assert answer.status == 500
    text = await answer.text()
    assert "universe" not in text
    body = await answer.json()
    assert body["code"] == "internal"
    assert body["request_id"] == answer.headers["X-Request-ID"]
    trace = next(record for record in caplog.records if record.exc_info)
    assert "GET /api/x" in trace.getMessage()
    assert "abc" not in trace.getMessage()


async def test_errors_of_the_http_library_take_the_same_form(aiohttp_client: AiohttpClient) -> None:
    answer = await (await aiohttp_client(app(web.HTTPUnsupportedMediaType()))).get("/api/x")
    assert (answer.status, (await answer.json())["code"]) == (415, "unsupported_encoding")
    moved = await (await aiohttp_client(app(web.HTTPFound("/api/y")))).get("/api/x", allow_redirects=False)
    assert moved.status == 302


def test_a_subclass_is_told_like_its_parent() -> None:
    class Closed(errors.Forbidden):
        code = "closed"

    assert UNIVERSITY.failure(Closed("shut")) == Failure(403, "closed", "shut")

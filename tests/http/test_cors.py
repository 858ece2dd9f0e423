"""Cross-origin requests."""

from collections.abc import Sequence

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from homeserver.http.routes import Call, Route
from tests.http.kit import site

PORTAL = "https://portal.test"
PREFLIGHT = {
    "Origin": PORTAL,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "www-authenticate,content-type",
}


async def hello(call: Call[None, None]) -> dict[str, str]:
    return {"hello": call.requester.user_id}


def app(*origins: str) -> web.Application:
    return site([Route("GET", "/hello", hello, "Hello")], origins=origins)


async def test_a_listed_origin_may_read_and_use_its_token(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app(PORTAL))
    answer = await client.get("/api/hello", headers={"Origin": PORTAL, "Authorization": "Bearer a"})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PORTAL
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]


async def test_preflights_are_answered_for_every_path(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app(PORTAL))
    for path in ("/api/hello", "/api/hello/", "/api/unknown", "/outside"):
        answer = await client.options(path, headers=PREFLIGHT)
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == PORTAL
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"]
        for name in ("Authorization", "WWW-Authenticate", "Content-Type", "X-Request-ID"):
            assert name in allowed


async def test_errors_are_readable_too(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app(PORTAL))
    for path, status in (("/api/hello", 401), ("/api/none", 404), ("/none", 404)):
        answer = await client.get(path, headers={"Origin": PORTAL})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == PORTAL


async def test_other_origins_get_no_permission(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app(PORTAL))
    for origin in ("https://evil.test", "https://portal.test.evil.test", "null", "http://portal.test"):
        answer = await client.options("/api/hello", headers={**PREFLIGHT, "Origin": origin})
        assert (answer.status, (await answer.json())["code"]) == (403, "origin_not_allowed")
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


async def test_a_star_is_for_all_but_without_credentials(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app("*"))
    answer = await client.get(
        "/api/hello", headers={"Origin": "https://any.test", "Authorization": "Bearer a"}
    )
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_without_origins_in_the_settings_nothing_is_said(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app())
    answer = await client.get("/api/hello", headers={"Origin": PORTAL, "Authorization": "Bearer a"})
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    for path in ("/api/hello", "/api/unknown", "/outside"):
        refused = await client.options(path, headers=PREFLIGHT)
        assert (refused.status, (await refused.json())["code"]) == (403, "origin_not_allowed")
        assert not [name for name in refused.headers if name.startswith("Access-Control")]
    assert (await client.options("/api/hello")).status == 405, "no preflight"


@pytest.mark.parametrize("origins", [(), (PORTAL,)])
async def test_a_face_may_allow_more_than_the_rest(
    aiohttp_client: AiohttpClient, origins: Sequence[str]
) -> None:
    client = await aiohttp_client(
        site([Route("GET", "/hello", hello, "Hello")], origins=origins, face_origins=["*"])
    )
    answer = await client.options("/api/hello", headers={**PREFLIGHT, "Origin": "https://any.test"})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")

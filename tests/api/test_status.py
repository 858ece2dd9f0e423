"""Health, readiness and the documentation."""

from typing import Any

import aiohttp
import pytest
from sqlalchemy.engine import URL

from homeserver.lifecycle import Running
from tests.databases import Databases


async def test_health(client: aiohttp.ClientSession) -> None:
    for path in ("/health", "/health/"):
        async with client.get(path) as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "healthy", "service": "chat"})
        async with client.head(path) as head:
            assert (head.status, await head.read()) == (200, b"")


@pytest.mark.both
async def test_ready_while_the_database_is_there(
    server: Running, client: aiohttp.ClientSession, databases: Databases, database_url: URL
) -> None:
    ready = (200, {"status": "ready"})
    async with client.get("/ready") as answer:
        assert (answer.status, await answer.json()) == ready
    await server.hs.core.db.close()  # connections that are open
    with databases.away(database_url):
        async with client.get("/ready") as answer:
            assert answer.status == 503, await answer.text()
            assert (await answer.json())["code"] == "database_away"
        async with client.get("/health") as answer:
            assert answer.status == 200
    async with client.get("/ready") as answer:
        assert (answer.status, await answer.json()) == ready


async def document(client: aiohttp.ClientSession) -> Any:
    async with client.get("/openapi.json") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_the_description_names_every_row(client: aiohttp.ClientSession) -> None:
    made = await document(client)
    assert made["openapi"].startswith("3.1")
    rows = {(method.upper(), path) for path, item in made["paths"].items() for method in item}
    assert ("POST", "/api/unet-chat/messages") in rows
    assert ("PATCH", "/api/v1/users/me") in rows
    assert ("GET", "/health") in rows
    assert "ws/conversations" in made["info"]["description"]
    upload = made["paths"]["/api/unet-chat/attachments"]["post"]["requestBody"]["content"]
    assert set(upload) == {"application/json", "multipart/form-data"}
    names = [item["operationId"] for path in made["paths"].values() for item in path.values()]
    assert len(names) == len(set(names))


async def test_every_reference_in_it_leads_somewhere(client: aiohttp.ClientSession) -> None:
    made = await document(client)
    schemas = made["components"]["schemas"]

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            reference = value.get("$ref")
            if reference is not None:
                assert reference.removeprefix("#/components/schemas/") in schemas
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(made)


async def test_the_description_is_kept_by_browsers(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as answer:
        etag = answer.headers["ETag"]
    async with client.get("/openapi.json", headers={"If-None-Match": etag}) as again:
        assert again.status == 304


async def test_the_pages_of_the_documentation(client: aiohttp.ClientSession) -> None:
    async with client.get("/docs") as page:
        assert page.status == 200
        policy = page.headers["Content-Security-Policy"]
        text = await page.text()
    assert "unsafe" not in policy
    assert "<script>" not in text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "docs.css", "docs.js"):
        assert f"docs/{name}" in text
        async with client.get(f"/docs/{name}") as file:
            assert (file.status, file.headers["X-Content-Type-Options"]) == (200, "nosniff")
    async with client.get("/docs/", allow_redirects=True) as page:
        assert page.url.path == "/docs"
    for name in ("nothing.js", "index.html", "..%2F..%2Fpages.py"):
        async with client.get(f"/docs/{name}") as answer:
            assert answer.status == 404


@pytest.mark.parametrize("overrides", [{"web": {"enabled": False}, "university": {"enabled": False}}])
async def test_faces_that_are_switched_off_are_not_there(client: aiohttp.ClientSession) -> None:
    assert not [path for path in (await document(client))["paths"] if path.startswith("/api/unet-chat")]
    async with client.get("/api/unet-chat/conversations") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("overrides", [{"server": {"min_free_bytes": 2**60}}])
async def test_a_server_without_space_is_not_ready(client: aiohttp.ClientSession) -> None:
    async with client.get("/ready") as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "disk_full")
    async with client.get("/health") as answer:
        assert answer.status == 200

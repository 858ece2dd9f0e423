"""What every row of the table does with bad tokens, bad bodies, unknown ids and strangers. New rows are in at once."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from homeserver.faces import make_faces
from homeserver.http.routes import Face, Route
from homeserver.lifecycle import Running
from tests.api.driver import CHAT, User

# (method, path) of every row, with a body that is right but for the ids.
ROWS: Mapping[tuple[str, str], Any] = {
    ("POST", "conversations"): {"type": "group"},
    ("GET", "conversations"): None,
    ("GET", "conversations/{conversation_id}"): None,
    ("PATCH", "conversations/{conversation_id}"): {"title": "x"},
    ("DELETE", "conversations/{conversation_id}"): None,
    ("POST", "conversations/{conversation_id}/read"): {},
    ("GET", "conversations/{conversation_id}/participants"): None,
    ("POST", "conversations/{conversation_id}/participants"): {"user_id": 1},
    ("DELETE", "conversations/{conversation_id}/participants/{user_id}"): None,
    ("POST", "messages"): {"conversation_id": str(uuid4()), "text": "x"},
    ("GET", "messages/{conversation_id}"): None,
    ("PUT", "messages/{message_id}"): {"text": "x"},
    ("DELETE", "messages/{message_id}"): None,
    ("POST", "attachments"): {"message_id": str(uuid4()), "file_url": "https://x.example/a.png"},
    ("POST", "messages/{message_id}/report"): {"reason": "x"},
    ("GET", "users/chat-users"): None,
    ("GET", "users/blocked"): None,
    ("POST", "users/{user_id}/block"): None,
    ("DELETE", "users/{user_id}/block"): None,
}
WITH_ID = [row for row in ROWS if "{conversation_id}" in row[1] or "{message_id}" in row[1]]
WITH_BODY = [row for row, body in ROWS.items() if body is not None]


@pytest.fixture
def database_kind() -> str:
    return "sqlite"  # this is about form; the stories run on both


def test_every_documented_row_is_tried_here(server: Running) -> None:
    face = university(server)
    documented = {(route.method, route.plain_path.strip("/")) for route in face.routes if route.documented}
    assert documented == set(ROWS)


def university(server: Running) -> Face:
    return next(face for face in make_faces(server.hs, server.hub) if face.name == "University")


def fill(path: str, conversation: str, message: str, user: object) -> str:
    return path.format(conversation_id=conversation, message_id=message, user_id=user)


async def test_a_token_is_needed_and_must_hold(nobody: User) -> None:
    for row, body in ROWS.items():
        method, path = row
        for slash in ("", "/"):
            filled = f"{CHAT}/{fill(path, str(uuid4()), str(uuid4()), 1)}{slash}"
            assert await nobody.code(method, filled, 401, json=body) == "missing_token"
            for token in ("nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxfQ."):
                headers = {"Authorization": f"Bearer {token}"}
                await nobody.call(method, filled, 401, json=body, headers=headers)


async def test_ids_that_name_nothing(alice: User) -> None:
    for method, path in WITH_ID:
        for unknown in (str(uuid4()), "00000000-0000-8000-8000-000000000001", "17", "nonsense", "%00"):
            await alice.chat(method, fill(path, unknown, unknown, 1), 404, json=ROWS[method, path])


async def test_strangers_learn_nothing(alice: User, bob: User, carol: User) -> None:
    group = await alice.group(bob)
    message = await alice.say(group, "secret")
    for method, path in WITH_ID:
        theirs = fill(path, group["id"], message["id"], alice.id)
        unknown = fill(path, str(uuid4()), str(uuid4()), alice.id)
        body = ROWS[method, path]
        answers = [await carol.chat(method, one, 404, json=body) for one in (theirs, unknown)]
        assert answers[0] == answers[1], f"{method} {path}: absent and forbidden are answered alike"
    assert await bob.texts(group) == ["secret"]
    assert (await bob.chat("GET", f"conversations/{group['id']}"))["title"] == "Group"


async def test_bad_bodies(alice: User) -> None:
    group = await alice.group()
    message = await alice.say(group, "x")
    options: dict[str, Any] = {"headers": {"Content-Type": "application/json"}}
    for method, path in WITH_BODY:
        filled = fill(path, group["id"], message["id"], alice.id)
        for data in (b"{", b"[]", b'"x"', b'{"text": "\xff"}', b'{"a": 1, "a": 2}', b"\x00"):
            assert await alice.code(method, f"{CHAT}/{filled}", 400, data=data, **options) == "bad_json"
        await alice.chat(method, filled, 413, data=BytesIO(b" " * (1024 * 1024 + 1)), **options)


async def test_unknown_paths_and_methods(alice: User, client: aiohttp.ClientSession) -> None:
    await alice.chat("GET", "nothing/here", 404)
    await alice.chat("PUT", "conversations/", 405)
    async with client.put(f"{CHAT}/messages/{uuid4()}", headers=alice.headers, data=b"{") as answer:
        assert answer.status == 400
    async with client.patch(f"{CHAT}/messages/{uuid4()}") as answer:
        assert answer.status == 405
        assert {"PUT", "DELETE", "GET"} <= set(answer.headers["Allow"].split(","))


async def test_post_bodies_survive_both_kinds_of_path(alice: User) -> None:
    for path in ("conversations", "conversations/"):
        made = await alice.chat("POST", path, json={"type": "group", "title": path}, allow_redirects=False)
        assert made["title"] == path


@pytest.mark.parametrize("overrides", [{"university": {"also_at": ["/educations/api/unet-chat"]}}])
async def test_two_paths_may_lead_to_the_same(alice: User, bob: User) -> None:
    """One portal calls REST under one path and opens its sockets under another."""
    group = await alice.call("POST", "/educations/api/unet-chat/conversations/", json={"type": "group"})
    async with alice.socket(group) as ear:
        body = {"conversation_id": group["id"], "text": "by the other path"}
        sent = await alice.call("POST", "/educations/api/unet-chat/messages/", json=body)
        assert (await ear.next())["payload"] == sent
    assert await alice.chat("GET", f"messages/{group['id']}") == [sent]
    await bob.call("GET", f"/educations/api/unet-chat/conversations/{group['id']}", 404)
    described = await alice.call("GET", "/openapi.json")
    assert not [path for path in described["paths"] if path.startswith("/educations")]


def test_routes_have_a_summary_and_a_tag(server: Running) -> None:
    routes: list[Route] = [route for route in university(server).routes if route.documented]
    assert all(route.summary and route.tags for route in routes)

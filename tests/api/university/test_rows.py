"""What every row of the table does with bad tokens, bad bodies, unknown ids and strangers. New rows are in at once."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from homeserver.faces import make_faces
from homeserver.http.routes import Face, Route
from homeserver.running import Running
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
    ("GET", "users/chat-users"): None,
}
WITH_ID = [row for row in ROWS if "{" in row[1]]
WITH_BODY = [row for row, body in ROWS.items() if body is not None]


def named(row: tuple[str, str]) -> str:
    return " ".join(row)


def test_every_documented_row_is_tried_here(server: Running) -> None:
    face = university(server)
    documented = {(route.method, route.plain_path.strip("/")) for route in face.routes if route.documented}
    assert documented == set(ROWS)


def university(server: Running) -> Face:
    return next(face for face in make_faces(server.hs, server.hub) if face.name == "University")


def fill(path: str, conversation: str, message: str, user: object) -> str:
    return path.format(conversation_id=conversation, message_id=message, user_id=user)


@pytest.mark.parametrize("row", ROWS, ids=named)
@pytest.mark.parametrize("slash", ["", "/"], ids=["bare", "slash"])
async def test_a_token_is_needed_and_must_hold(nobody: User, row: tuple[str, str], slash: str) -> None:
    method, path = row
    path = f"{CHAT}/{fill(path, str(uuid4()), str(uuid4()), 1)}{slash}"
    assert await nobody.code(method, path, 401, json=ROWS[row]) == "missing_token"
    for token in ("nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxfQ."):
        await nobody.call(method, path, 401, json=ROWS[row], headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("row", WITH_ID, ids=named)
async def test_ids_that_name_nothing(alice: User, row: tuple[str, str]) -> None:
    method, path = row
    for unknown in (str(uuid4()), "0" * 8 + "-0000-8000-8000-000000000001", "17", "nonsense", "%00"):
        await alice.chat(method, fill(path, unknown, unknown, 1), 404, json=ROWS[row])


@pytest.mark.parametrize("row", WITH_ID, ids=named)
async def test_strangers_learn_nothing(alice: User, bob: User, carol: User, row: tuple[str, str]) -> None:
    method, path = row
    group = await alice.group(bob)
    message = await alice.say(group, "secret")
    stranger = fill(path, group["id"], message["id"], alice.id)
    unknown = fill(path, str(uuid4()), str(uuid4()), alice.id)
    answers = [await carol.chat(method, one, 404, json=ROWS[row]) for one in (stranger, unknown)]
    assert answers[0] == answers[1], "absent and forbidden are answered alike"
    assert await bob.texts(group) == ["secret"]


@pytest.mark.parametrize("row", WITH_BODY, ids=named)
async def test_bad_bodies(alice: User, row: tuple[str, str]) -> None:
    method, path = row
    group = await alice.group()
    message = await alice.say(group, "x")
    filled = fill(path, group["id"], message["id"], alice.id)
    json_type = {"Content-Type": "application/json"}
    for data in (b"{", b"[]", b'"x"', b'{"text": "\xff"}', b'{"a": 1, "a": 2}', b"\x00"):
        assert await alice.code(method, f"{CHAT}/{filled}", 400, data=data, headers=json_type) == "bad_json"
    await alice.chat(method, filled, 413, data=BytesIO(b" " * (1024 * 1024 + 1)), headers=json_type)


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


def test_routes_have_a_summary_and_a_tag(server: Running) -> None:
    routes: list[Route] = [route for route in university(server).routes if route.documented]
    assert all(route.summary and route.tags for route in routes)

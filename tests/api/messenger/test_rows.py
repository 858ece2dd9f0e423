"""What every row of the table does with bad tokens, bad bodies, unknown ids and strangers. New rows are in at once."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from homeserver.faces import make_faces
from homeserver.http.routes import Face
from homeserver.lifecycle import Running
from tests.api.driver import API, PASSWORD, User
from tests.api.messenger.wire import contents, group, say, v1

# (method, path) of every row, with a body that is right but for the ids.
ROWS: Mapping[tuple[str, str], Any] = {
    ("POST", "auth/logout"): None,
    ("GET", "auth/me"): None,
    ("GET", "users/me"): None,
    ("PATCH", "users/me"): {},
    ("GET", "users"): None,
    ("GET", "users/{user_id}"): None,
    ("POST", "chats/direct"): {"user_id": 999_999},
    ("POST", "chats/group"): {"title": "x", "user_ids": []},
    ("GET", "chats"): None,
    ("GET", "chats/{chat_id}"): None,
    ("POST", "chats/{chat_id}/members/{user_id}"): None,
    ("DELETE", "chats/{chat_id}/members/{user_id}"): None,
    ("POST", "chats/{chat_id}/read"): {},
    ("GET", "chats/{chat_id}/messages"): None,
    ("POST", "messages"): {"chat_id": 999_999, "type": "text", "content": "x"},
    ("PATCH", "messages/{message_id}"): {"content": "x"},
    ("DELETE", "messages/{message_id}"): None,
    ("POST", "messages/{message_id}/report"): {"reason": "x"},
    ("GET", "users/blocked"): None,
    ("POST", "users/{user_id}/block"): None,
    ("DELETE", "users/{user_id}/block"): None,
}
PUBLIC = {
    ("POST", "auth/register"): {"email": "x@test.example", "password": PASSWORD, "display_name": "X"},
    ("POST", "auth/login"): {"email": "x@test.example", "password": PASSWORD},
    ("POST", "auth/refresh"): {"refresh_token": "x"},
}
OF_CHATS = [row for row in ROWS if "{chat_id}" in row[1] or "{message_id}" in row[1]]
WITH_BODY = [row for row, body in {**ROWS, **PUBLIC}.items() if body is not None]


def named(row: tuple[str, str]) -> str:
    return " ".join(row)


def test_every_documented_row_is_tried_here(server: Running) -> None:
    face = messenger(server)
    documented = {(route.method, route.plain_path.strip("/")) for route in face.routes if route.documented}
    assert documented == set(ROWS) | set(PUBLIC)
    assert all(route.summary and route.tags for route in face.routes)


def messenger(server: Running) -> Face:
    return next(face for face in make_faces(server.hs, server.hub) if face.name == "Messenger")


def fill(path: str, chat: object, message: object, user: object) -> str:
    return path.format(chat_id=chat, message_id=message, user_id=user)


async def test_a_token_is_needed_and_must_hold(nobody: User) -> None:
    for (method, path), body in ROWS.items():
        for slash in ("", "/"):
            filled = f"{API}/{fill(path, 1, 1, 1)}{slash}"
            assert await nobody.code(method, filled, 401, json=body) == "missing_token"
            for token in ("nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxfQ."):
                headers = {"Authorization": f"Bearer {token}"}
                await nobody.call(method, filled, 401, json=body, headers=headers)


@pytest.mark.parametrize("row", OF_CHATS, ids=named)
async def test_ids_that_name_nothing(alice: User, row: tuple[str, str]) -> None:
    method, path = row
    for unknown in ("999999", "0", "-1", "1.0", "x", "%00", str(2**63 - 1), str(2**63), "9" * 40):
        await v1(alice, method, fill(path, unknown, unknown, alice.id), 404, json=ROWS[row])


@pytest.mark.parametrize("row", OF_CHATS, ids=named)
async def test_strangers_learn_nothing(alice: User, bob: User, carol: User, row: tuple[str, str]) -> None:
    method, path = row
    chat = await group(alice, bob)
    message = await say(alice, chat, "secret")
    filled = fill(path, chat["id"], message["id"], carol.id)
    unknown = fill(path, 999_999, 999_999, carol.id)
    answers = [await v1(carol, method, one, 404, json=ROWS[row]) for one in (filled, unknown)]
    assert answers[0] == answers[1], "absent and forbidden are answered alike"
    assert await contents(bob, chat) == ["secret"]


@pytest.mark.both
async def test_places_of_other_things_are_no_ids(alice: User, bob: User) -> None:
    """Every entry of the log has a number; only those of chats and messages are ids."""
    chat = await group(alice, bob)
    message = await say(alice, chat, "x")
    for number in range(1, message["id"] + 3):
        if number != chat["id"]:
            await v1(alice, "GET", f"chats/{number}", 404)
            await v1(alice, "POST", f"chats/{number}/read", 404, json={})
        if number != message["id"]:
            await v1(alice, "PATCH", f"messages/{number}", 404, json={"content": "x"})
            await v1(alice, "DELETE", f"messages/{number}", 404)
    assert await contents(bob, chat) == ["x"]


async def test_bad_bodies(alice: User, bob: User) -> None:
    chat = await group(alice, bob)
    message = await say(alice, chat, "x")
    json_type = {"Content-Type": "application/json"}
    for method, path in WITH_BODY:
        filled = f"{API}/{fill(path, chat['id'], message['id'], bob.id)}"
        for data in (b"{", b"[]", b'"x"', b'{"content": "\xff"}', b'{"a": 1, "a": 2}', b"\x00"):
            assert await alice.code(method, filled, 400, data=data, headers=json_type) == "bad_json"
        large = BytesIO(b" " * (1024 * 1024 + 1))
        await alice.call(method, filled, 413, data=large, headers=json_type)


async def test_unknown_paths_and_methods(alice: User, client: aiohttp.ClientSession) -> None:
    await v1(alice, "GET", "nothing/here", 404)
    await v1(alice, "PUT", "chats/direct", 405)
    async with client.put(f"{API}/messages/1") as answer:
        assert answer.status == 405
        assert {"PATCH", "DELETE"} <= set(answer.headers["Allow"].split(","))


async def test_post_bodies_survive_both_kinds_of_path(alice: User) -> None:
    for path in ("chats/group", "chats/group/"):
        body: dict[str, Any] = {"title": path, "user_ids": []}
        made = await v1(alice, "POST", path, json=body, allow_redirects=False)
        assert made["title"] == path

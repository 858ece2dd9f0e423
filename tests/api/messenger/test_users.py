"""Oneself and others."""

import re

import pytest
from pydantic import TypeAdapter

from homeserver.api.messenger import schemas
from tests.api.driver import API, User, email

pytestmark = pytest.mark.own_server


@pytest.mark.both
async def test_a_profile_is_changed_in_part(alice: User, bob: User) -> None:
    before = await alice.call("GET", f"{API}/users/me")
    TypeAdapter(schemas.User).validate_python(before, strict=True, extra="forbid")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", before["created_at"])
    changed = await alice.call("PATCH", f"{API}/users/me", json={"display_name": "Алиса"})
    assert changed == {**before, "display_name": "Алиса"}
    changed = await alice.call(
        "PATCH", f"{API}/users/me/", json={"tag": "alisa", "avatar_url": "https://x.example/a.png"}
    )
    assert (changed["tag"], changed["avatar_url"]) == ("alisa", "https://x.example/a.png")
    changed = await alice.call("PATCH", f"{API}/users/me", json={"avatar_url": "", "display_name": None})
    assert (changed["avatar_url"], changed["display_name"]) == (None, "Алиса")
    assert await alice.call("PATCH", f"{API}/users/me", json={}) == changed
    (found,) = await bob.call("GET", f"{API}/users/?search=алиса")
    assert (found["id"], found["tag"]) == (alice.id, "alisa")


REFUSED = (
    ({"tag": "a b"}, 400),
    ({"tag": 5}, 422),
    ({"display_name": " "}, 400),
    ({"display_name": "x" * 101}, 400),
    ({"avatar_url": "javascript:alert(1)"}, 400),
    ({"avatar_url": "x" * 2001}, 422),
)


async def test_changes_that_are_refused(alice: User, bob: User) -> None:
    before = await alice.call("GET", f"{API}/users/me")
    taken = (await bob.call("GET", f"{API}/users/me"))["tag"]
    for body, status in (*REFUSED, ({"tag": taken}, 409)):
        await alice.call("PATCH", f"{API}/users/me", status, json=body)
    assert await alice.call("GET", f"{API}/users/me") == before


async def test_the_e_mail_is_for_oneself_and_those_one_talks_with(
    alice: User, bob: User, carol: User
) -> None:
    assert (await alice.call("GET", f"{API}/users/{alice.id}"))["email"] == email("Alice")
    assert (await alice.call("GET", f"{API}/users/{bob.id}"))["email"] is None
    group = await alice.group(bob)
    assert (await alice.call("GET", f"{API}/users/{bob.id}"))["email"] == email("Bob")
    assert (await bob.call("GET", f"{API}/users/{alice.id}/"))["email"] == email("Alice")
    found = await alice.call("GET", f"{API}/users")
    assert {one["id"]: one["email"] for one in found} == {bob.id: email("Bob"), carol.id: None}
    await bob.chat("DELETE", f"conversations/{group['id']}", 204)
    assert (await alice.call("GET", f"{API}/users/{bob.id}"))["email"] is None


async def test_people_are_found(alice: User, bob: User, carol: User) -> None:
    found = await alice.call("GET", f"{API}/users/?search=CAR")
    assert [one["display_name"] for one in found] == ["Carol"]
    for one in found:
        TypeAdapter(schemas.User).validate_python(one, strict=True, extra="forbid")
    assert len(await alice.call("GET", f"{API}/users/?limit=1")) == 1
    assert await alice.call("GET", f"{API}/users/?search=nobody") == []
    for bad in ("limit=0", "limit=201", "limit=x", "offset=-1"):
        await alice.call("GET", f"{API}/users/?{bad}", 422)


async def test_ids_that_name_nobody(alice: User) -> None:
    for unknown in ("0", "999999", "-1", "x", "1.0", str(2**63), str(2**63 - 1)):
        await alice.call("GET", f"{API}/users/{unknown}", 404)


async def test_a_token_is_needed(nobody: User) -> None:
    for method, path in (
        ("GET", "auth/me"),
        ("GET", "users/me"),
        ("PATCH", "users/me"),
        ("GET", "users/"),
        ("GET", "users/1"),
    ):
        await nobody.call(method, f"{API}/{path}", 401)
        await nobody.call(method, f"{API}/{path}", 401, headers={"Authorization": "Bearer x.y.z"})

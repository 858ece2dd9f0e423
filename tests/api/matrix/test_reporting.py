"""Reporting events, rooms and people to the admins."""

from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.model import Page
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say

pytestmark = [pytest.mark.both, pytest.mark.own_server]


async def reports(server: Running) -> list[tuple[str, str, str, str]]:
    listed = await server.hs.moderation.reports.listing(Page(limit=10))
    return [(one.row.room_id, one.row.event_id, one.row.sender, one.row.reason) for one in listed]


async def test_reports_reach_the_admins(server: Running, alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    event_id = await say(bob, room_id, "rude")
    at = path(room_id, f"report/{quote(event_id)}")
    assert await alice.call("POST", at, body={"score": -100, "reason": "it is rude"}) == {}
    await alice.call("POST", at, body={"reason": "again"})
    await alice.call("POST", path(room_id, "report"), body={"reason": "all of it"})
    await alice.call("POST", f"users/{quote(bob.user_id)}/report", body={"reason": "and he"})
    assert await reports(server) == [
        (room_id, event_id, bob.user_id, "it is rude"),
        (room_id, room_id, "", "all of it"),
        ("", bob.user_id, bob.user_id, "and he"),
    ]
    assert await alice.errcode("POST", at, 413, body={"reason": "x" * 501}) == "M_TOO_LARGE"
    assert await bob.errcode("POST", at, 400, body={}) == "M_UNKNOWN"


async def test_what_one_may_not_know_of_cannot_be_reported(
    server: Running, nobody: Client, alice: Client, bob: Client
) -> None:
    room_id = await create(alice)
    event_id = await say(alice, room_id, "secret")
    elsewhere = await create(bob)
    for at in (
        path(room_id, f"report/{quote(event_id)}"),
        path(elsewhere, f"report/{quote(event_id)}"),
        path(room_id, "report"),
        path("!absent:test.example", "report"),
        "users/%40absent%3Atest.example/report",
    ):
        assert await bob.errcode("POST", at, 404, body={"reason": "?"}) == "M_NOT_FOUND"
        assert await nobody.errcode("POST", at, 401, body={"reason": "?"}) == "M_MISSING_TOKEN"
    assert await reports(server) == []
    public = await create(alice, preset="public_chat")
    await bob.call("POST", path(public, "report"), body={"reason": ""})
    assert await reports(server) == [(public, public, "", "")]

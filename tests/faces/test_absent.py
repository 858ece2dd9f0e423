"""Null and blank: in an optional field of any call of any API null is as good as absent, and so is a blank parameter.

Bots and widgets write all fields that they know; clients send parameters that are empty. The walk goes over the tables
of routes, so a new route is walked too. What people put into events and account data is theirs: null stays in it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from pydantic import Field

from homeserver.api.matrix.keyschemas import CrossSigningKeys
from homeserver.api.matrix.schemas import Deactivation, Devices, NewPassword, Reason, Registration
from homeserver.http.body import Body
from homeserver.http.routes import Route
from homeserver.lifecycle import Running
from tests.api.matrix.mediakit import picture
from tests.api.matrix.roomkit import create, path, say
from tests.api.university.test_attachments import form
from tests.faces.cases import CASES, Ask, K, M
from tests.faces.walk import calls, every_face, form_of, has_optional, optional_of, variants
from tests.faces.world import OVERRIDES, World, make_world

_ROOM = f"{M}/rooms/{{room_id}}"


class Proof(Body):
    auth: dict[str, Any] | None = None


class ProvenPassword(NewPassword, Proof):
    pass


class ProvenDeactivation(Deactivation, Proof):
    pass


class ProvenDevices(Devices, Proof):
    pass


class ProvenRegistration(Registration, Proof):
    pass


class ProvenKeys(CrossSigningKeys, Proof):
    pass


class EventFilter(Body):
    limit: int | None = None
    types: list[str] | None = None
    not_senders: list[str] | None = None
    lazy_load_members: bool = False


class RoomFilter(Body):
    rooms: list[str] | None = None
    include_leave: bool = False
    timeline: EventFilter = EventFilter()
    state: EventFilter = EventFilter()


class Filter(Body):
    event_fields: list[str] | None = None
    event_format: str = "client"
    presence: EventFilter = EventFilter()
    room: RoomFilter = RoomFilter()


class Tag(Body):
    order: float | None = None


class PushRule(Body):
    actions: list[str]
    conditions: list[dict[str, str]] = Field(default_factory=list)
    pattern: str | None = None


class ThirdParty(Reason):
    third_party_signed: dict[str, Any] | None = None


READ_LATER: dict[str, type[Body]] = {
    f"POST {M}/register": ProvenRegistration,
    f"POST {M}/account/password": ProvenPassword,
    f"POST {M}/account/deactivate": ProvenDeactivation,
    f"DELETE {M}/devices/{{device_id}}": Proof,
    f"POST {M}/delete_devices": ProvenDevices,
    "POST /_matrix/client/v1/login/get_token": Proof,
    f"POST {M}/keys/device_signing/upload": ProvenKeys,
    f"POST {M}/join/{{room}}": ThirdParty,
    f"POST {_ROOM}/join": ThirdParty,
    f"PUT {_ROOM}/redact/{{event_id}}/{{txn_id}}": Reason,
    f"POST {_ROOM}/redact/{{event_id}}": Reason,
    f"POST {M}/user/{{user_id}}/filter": Filter,
    f"PUT {M}/user/{{user_id}}/rooms/{{room_id}}/tags/{{tag}}": Tag,
    f"PUT {M}/pushrules/global/{{kind}}/{{rule_id}}": PushRule,
}
"""What is read of bodies that their handlers read themselves."""

DATA = {
    f"PUT {_ROOM}/send/{{type}}/{{txn_id}}",
    f"POST {_ROOM}/send/{{type}}",
    f"PUT {_ROOM}/state/{{type}}/{{state_key}}",
    f"PUT {_ROOM}/state/{{type}}",
    f"PUT {M}/user/{{user_id}}/account_data/{{type}}",
    f"PUT {M}/user/{{user_id}}/rooms/{{room_id}}/account_data/{{type}}",
    f"PUT {M}/profile/{{user_id}}/{{field}}",
    f"POST {M}/keys/signatures/upload",
}
"""Calls whose body is the client's own: it is kept as it was sent."""

NOTHING = {
    f"POST {M}/user/{{user_id}}/openid/request_token",
    f"POST {_ROOM}/forget",
    f"POST {M}/account/3pid/add",  # is refused always
    "POST /_matrix/client/v3/auth/{auth_type}/fallback/web",
    "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}/{action}",
}
"""Calls whose body has no optional fields."""


@pytest.fixture
def overrides(overrides: dict[str, object]) -> dict[str, object]:
    return {**overrides, **OVERRIDES}


@pytest.fixture
async def world(server: Running, client: aiohttp.ClientSession) -> World:
    return await make_world(server, client)


def test_each_body_that_is_read_later_is_known(routes: dict[str, Route]) -> None:
    read_later = {name for name, route in routes.items() if _is_read_later(route)}
    assert read_later == {*READ_LATER, *DATA, *NOTHING}
    assert set(CASES) - set(routes) == set()


@pytest.fixture
async def routes(tmp_path: Path) -> dict[str, Route]:
    async with every_face(tmp_path) as faces:
        return calls(faces)


def _is_read_later(route: Route) -> bool:
    return route.body is not None and not issubclass(route.body, Body)


class Walker:
    """Makes a call with and without something, and compares."""

    def __init__(self, world: World, call: str, route: Route) -> None:
        self.world, self.call, self.route = world, call, route
        self.count, self.is_refused = 0, False

    async def ask(self, asked: Ask) -> tuple[int, str, Any]:
        """Status, type and form of the answer; for a refusal its code."""
        world = self.world
        method, path = self.call.split()
        prefix = next((one for one in world.paths if path.startswith(one)), "")
        values = {**world.paths.get(prefix, {}), "txn_id": str(next(world.numbers)), **asked.path}
        values.setdefault("user_id", str(world.users[1].id))
        url = re.sub(r"\{(\w+)\}", lambda name: quote(values.get(name[1], "x"), safe=""), path)
        token = asked.token or (
            world.users[0].token
            if prefix in ("/api/unet-chat", "/api/v1")
            else world.users[1].token
            if prefix == K
            else world.clients[0].token
        )
        has_body = self.route.body is not None and asked.form is None and asked.data is None
        self.count += 1
        async with world.session.request(
            method,
            url,
            params=asked.query,
            headers={"Authorization": f"Bearer {token}"},
            json=asked.body if has_body else None,
            data=asked.form or asked.data,
        ) as answer:
            is_json = answer.content_type == "application/json"
            found = await answer.json() if is_json else None
            form = form_of(found) if answer.status < 400 else _refusal(found)
            return answer.status, answer.content_type, form

    async def fresh(self) -> Ask:
        made = CASES.get(self.call)
        return Ask() if made is None else await made(self.world)

    async def differences(self) -> list[str]:
        self.is_refused = (await self.ask(await self.fresh()))[0] >= 400
        return [*await self._of_bodies(), *await self._of_queries()]

    async def _of_bodies(self) -> list[str]:
        found = []
        model = READ_LATER.get(self.call, self.route.body)
        if model is None or not issubclass(model, Body):
            return []
        names = [one.what for one in variants(model, (await self.fresh()).body)]
        for at, name in enumerate(names):
            answers = []
            for is_null in (False, True):
                asked = await self.fresh()
                variant = list(variants(model, asked.body))[at]
                asked.body = variant.with_null if is_null else variant.without
                answers.append(await self.ask(asked))
            if answers[0] != answers[1]:
                found.append(f"{self.call}: {name} null: {answers[1]}, without: {answers[0]}")
        return found

    async def _of_queries(self) -> list[str]:
        found = []
        names = [] if self.route.query is None else optional_of(self.route.query)
        for chosen in [*([one] for one in names), *([names] if len(names) > 1 else [])]:
            for blank in ("", " "):
                answers = []
                for more in ({}, dict.fromkeys(chosen, blank)):
                    asked = await self.fresh()
                    bare = {name: one for name, one in asked.query.items() if name not in chosen}
                    asked.query = {**bare, **more}
                    answers.append(await self.ask(asked))
                if answers[0] != answers[1]:
                    found.append(f"{self.call}: {chosen} blank: {answers[1]}, without: {answers[0]}")
        return found


def _refusal(found: Any) -> Any:
    return found.get("errcode", found.get("code", found.get("flows")))


def _walked(routes: dict[str, Route]) -> Iterator[tuple[str, Route]]:
    """The calls that have something optional."""
    for call, route in routes.items():
        body = READ_LATER.get(call, route.body)
        parts = [one for one in (body, route.query) if one is not None and issubclass(one, Body)]
        if any(has_optional(one) for one in parts):
            yield call, route


@pytest.mark.timeout(300)
async def test_null_and_blank_are_as_good_as_absent(
    world: World, routes: dict[str, Route], capsys: pytest.CaptureFixture[str]
) -> None:
    differences: list[str] = []
    refused: list[str] = []
    counts: Counter[str] = Counter()
    for call, route in _walked(routes):
        walker = Walker(world, call, route)
        differences += await walker.differences()
        counts["routes"] += 1
        counts["calls"] += walker.count
        refused += [call] if walker.is_refused else []
    counted = (
        f"{counts['calls']} calls of {counts['routes']} routes, {len(refused)} of which are refused anyway"
    )
    with capsys.disabled():
        print(f"\nnull and blank: {counted}")
    assert differences == [], "\n".join(differences)
    assert counts["routes"] > 90
    assert len(refused) * 5 < counts["routes"], f"these need a case in cases.py: {refused}"


async def test_a_blank_field_of_a_form_is_as_good_as_absent(world: World) -> None:
    alice, conversation = world.users[0], world.conversation
    blanks = dict.fromkeys(("text", "reply_to", "client_id", "message_id"), "")
    for number, blank in enumerate([{}, *({name: one} for name, one in blanks.items()), blanks]):
        given = {"conversation_id": conversation["id"], **blank}
        await alice.chat("POST", "attachments/", data=form(picture(8, 8), f"{number}.png", **given))
    page = (await alice.chat("GET", f"messages/{conversation['id']}"))[2:]
    assert [(one["text"], one["reply_to"], one["client_id"]) for one in page] == [(None, None, None)] * 6
    shown = await world.shoppers[1].call(
        "POST", "upload-file?user_id=&id=&e=&s=", data=form(picture(8, 8), "a.png")
    )
    assert shown["file_name"] == "a.png"


async def test_null_stays_in_what_is_peoples_own(world: World) -> None:
    """Contents of events, account data and profile fields are data; only a name and a picture are taken away by it."""
    anna, room_id = world.clients[0], world.room_id
    content = {"null": None, "msgtype": "m.text", "body": "x", "in": [None, {"null": None}]}
    for method, at in (
        ("PUT", "send/m.room.message/own"),
        ("PUT", "state/org.test/x"),
        ("POST", "send/org.test"),
    ):
        sent = await anna.call(method, path(room_id, at), body=content)
        assert (await anna.call("GET", path(room_id, f"event/{sent['event_id']}")))["content"] == content
    assert await anna.call("GET", path(room_id, "state/org.test/x")) == content
    for at in ("account_data/org.test", f"rooms/{room_id}/account_data/org.test"):
        await anna.call("PUT", f"user/{anna.user_id}/{at}", body=content)
        assert await anna.call("GET", f"user/{anna.user_id}/{at}") == content
    profile = f"profile/{anna.user_id}"
    await anna.call("PUT", f"{profile}/org.test.field", body={"org.test.field": None})
    assert await anna.call("GET", f"{profile}/org.test.field") == {"org.test.field": None}
    for name, value in (("displayname", "Anna"), ("avatar_url", "mxc://test.example/x")):
        await anna.call("PUT", f"{profile}/{name}", body={name: value})
        await anna.call("PUT", f"{profile}/{name}", body={name: None})
        assert await anna.errcode("GET", f"{profile}/{name}", 404) == "M_NOT_FOUND"
    redacted = await say(anna, room_id, "to be redacted")
    at = path(room_id, f"redact/{redacted}/own")
    made = await anna.call("PUT", at, body={"reason": None, "org.test": None})
    seen = await anna.call("GET", path(room_id, f"event/{made['event_id']}"))
    assert {"reason": "there", **seen["content"]} == {
        "redacts": redacted,
        "reason": "there",
        "org.test": None,
    }


async def test_a_blank_alias_asks_for_none(world: World) -> None:
    for blank in ("", " ", None):
        room_id = await create(world.clients[0], room_alias_name=blank)
        assert await world.clients[0].call("GET", path(room_id, "aliases")) == {"aliases": []}

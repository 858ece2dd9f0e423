"""Push rules: read, made, moved, switched; and told to one's other devices."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create
from tests.api.matrix.synckit import Follower

RULES = "pushrules/global"


async def rules(client: Client, kind: str) -> list[Any]:
    found: list[Any] = (await client.call("GET", f"{RULES}/"))[kind]
    return found


async def own(client: Client, kind: str) -> list[str]:
    """The ids of somebody's own rules, in their order."""
    return [one["rule_id"] for one in await rules(client, kind) if not one["default"]]


def told(answer: Any) -> Any:
    """The rules in an answer of /sync."""
    events = answer.get("account_data", {}).get("events", [])
    return next((one["content"]["global"] for one in events if one["type"] == "m.push_rules"), None)


async def test_everybody_begins_with_the_default_rules(alice: Client) -> None:
    found = await call_all(alice)
    assert found == told(await Follower(alice).sync())
    master = found["override"][0]
    assert (master["rule_id"], master["enabled"], master["actions"]) == (".m.rule.master", False, [])
    names = {one["rule_id"] for kind in found.values() for one in kind}
    assert {".m.rule.message", ".m.rule.is_user_mention", ".m.rule.tombstone"} <= names
    assert {f".org.matrix.msc3930.rule.poll_{part}" for part in ("response", "start", "end")} <= names
    at = f"user/{quote(alice.user_id)}/account_data/m.push_rules"
    assert (await alice.call("GET", at)) == {"global": found}
    assert await alice.errcode("PUT", at, 405, body={"global": {}}) == "M_BAD_JSON"


async def test_the_rules_of_one_kind(alice: Client) -> None:
    await alice.call("PUT", f"{RULES}/content/cake", body={"pattern": "cake", "actions": []})
    whole = await call_all(alice)
    for kind in ("override", "content", "room", "sender", "underride"):
        for slash in ("", "/"):
            assert await alice.call("GET", f"{RULES}/{kind}{slash}") == whole[kind]
    assert await alice.errcode("GET", f"{RULES}/postcontent/", 400) == "M_INVALID_PARAM"


@pytest.mark.both
async def test_changes_at_once(alice: Client) -> None:
    other = await alice.login("alice")
    body = {"actions": ["notify"], "conditions": []}
    names = [f"rule{number}" for number in range(6)]
    await asyncio.gather(
        *(
            one.call("PUT", f"{RULES}/override/{name}", body=body)
            for name, one in zip(names, [alice, other] * 3, strict=True)
        )
    )
    assert sorted(await own(alice, "override")) == names
    last = (await own(alice, "override"))[-1]
    moves = [name for name in names if name != last]
    await asyncio.gather(
        *(
            alice.call("PUT", f"{RULES}/override/{name}", body=body, params={"after": last})
            for name in moves * 2
        )
    )
    assert sorted(await own(alice, "override")) == names
    assert (await own(alice, "override"))[0] == last
    at = f"{RULES}/override/{last}"
    found = await asyncio.gather(
        *(_status(one, at) for one in [alice, other] * 3), alice.call("GET", "pushers")
    )
    assert sorted(found[:-1]) == [200, *[404] * 5]
    assert last not in await own(other, "override")


async def _status(client: Client, at: str) -> int:
    """The status of deleting a rule."""
    answer = await client.session.delete(
        f"/_matrix/client/v3/{at}", headers={"Authorization": f"Bearer {client.token}"}
    )
    async with answer:
        return answer.status


MALFORMED = [
    *(("GET", path) for path in ("nowhere", "nowhere/", "nowhere/override", "nowhere/override/x")),
    *(("GET", f"global/override/.m.rule.master/{name}") for name in ("colour", "rule_id")),
    *(
        ("PUT", path)
        for path in ("global", "global/override", "nowhere/override/x", "global/override/x/colour")
    ),
    *(
        ("DELETE", path)
        for path in ("global", "global/override", "nowhere/override/x", "nowhere/content/x/y")
    ),
]


@pytest.mark.parametrize(("method", "path"), MALFORMED)
async def test_a_malformed_path_is_refused(alice: Client, method: str, path: str) -> None:
    assert await alice.errcode(method, f"pushrules/{path}", 400, body={"actions": []}) == "M_UNRECOGNIZED"


async def call_all(client: Client) -> Any:
    found = (await client.call("GET", "pushrules/"))["global"]
    assert found == await client.call("GET", f"{RULES}/")
    return found


@pytest.mark.both
async def test_a_rule_is_made_switched_changed_and_taken_away(alice: Client) -> None:
    at = f"{RULES}/content/cake"
    await alice.call("PUT", at, body={"pattern": "cake*lie", "actions": ["notify"]})
    made = {
        "rule_id": "cake",
        "default": False,
        "enabled": True,
        "actions": ["notify"],
        "pattern": "cake*lie",
    }
    assert await alice.call("GET", at) == made
    assert await alice.call("GET", f"{at}/enabled") == {"enabled": True}
    assert await alice.call("GET", f"{at}/actions") == {"actions": ["notify"]}
    await alice.call("PUT", f"{at}/enabled", body={"enabled": False})
    loud = ["notify", {"set_tweak": "sound", "value": "bing"}]
    await alice.call("PUT", f"{at}/actions", body={"actions": loud})
    assert await alice.call("GET", at) == {**made, "enabled": False, "actions": loud}
    await alice.call("PUT", f"{RULES}/override/.m.rule.master/enabled", body={"enabled": True})
    assert (await rules(alice, "override"))[0]["enabled"]
    await alice.call("DELETE", at)
    for path in (at, f"{at}/enabled", f"{at}/actions"):
        assert await alice.errcode("GET", path, 404) == "M_NOT_FOUND"
    assert await alice.errcode("DELETE", at, 404) == "M_NOT_FOUND"
    assert await alice.errcode("DELETE", f"{RULES}/override/.m.rule.master", 404) == "M_NOT_FOUND"
    assert await alice.errcode("PUT", f"{at}/enabled", 404, body={"enabled": True}) == "M_NOT_FOUND"


async def test_rules_stand_in_an_order(alice: Client) -> None:
    for name, query in (
        ("first", {}),
        ("second", {}),
        ("above", {"before": "first"}),
        ("below", {"after": "second"}),
        ("both", {"before": "second", "after": "first"}),
    ):
        body = {"actions": ["notify"], "conditions": []}
        await alice.call("PUT", f"{RULES}/underride/{name}", body=body, params=query)
    assert await own(alice, "underride") == ["both", "second", "below", "above", "first"]
    await alice.call("PUT", f"{RULES}/underride/first", body={"actions": []}, params={"before": "both"})
    assert await own(alice, "underride") == ["first", "both", "second", "below", "above"]
    for query in ({"before": "nobody"}, {"after": ".m.rule.message"}):
        at = f"{RULES}/underride/new"
        assert await alice.errcode("PUT", at, 400, body={"actions": []}, params=query) == "M_INVALID_PARAM"
    assert "new" not in await own(alice, "underride")


async def test_a_rule_moves_without_other_changes_and_devices_are_told(alice: Client) -> None:
    body = {"actions": ["notify"], "conditions": []}
    for name in "dcba":
        await alice.call("PUT", f"{RULES}/override/{name}", body=body)
    other = Follower(await alice.login("alice"))
    await other.sync()
    for name, query, order in (
        ("a", {"before": "d"}, "bcad"),
        ("d", {"after": "b"}, "bdca"),
        ("d", {"before": "d"}, "bdca"),
        ("a", {"after": "a"}, "bdca"),
    ):
        await alice.call("PUT", f"{RULES}/override/{name}", body=body, params=query)
        assert await own(alice, "override") == list(order), (name, query)
    seen = await other.until(told)
    assert [one["rule_id"] for one in seen["override"] if not one["default"]] == list("bdca")


async def test_a_rule_changes_from_a_number_to_true(alice: Client) -> None:
    seen, loud = f"{RULES}/override/seen", f"{RULES}/room/!loud:test.example"
    await alice.call("PUT", loud, body={"actions": []})
    for value in (1, True, 0, False):
        condition = {"kind": "event_property_is", "key": "content.a", "value": value}
        await alice.call("PUT", seen, body={"actions": [], "conditions": [condition]})
        assert (await alice.call("GET", seen))["conditions"][0]["value"] is value
        tweak = {"set_tweak": "highlight", "value": value}
        await alice.call("PUT", f"{loud}/actions", body={"actions": ["notify", tweak]})
        assert (await alice.call("GET", loud))["actions"][1]["value"] is value


BAD_RULES: list[tuple[str, Any]] = [
    ("override/.mine", {"actions": []}),
    ("override/a%5Cb", {"actions": []}),
    ("override/mine", {}),
    ("override/mine", {"actions": ["shout"]}),
    ("override/mine", {"actions": [], "conditions": [{"kind": "event_match"}]}),
    ("content/mine", {"actions": []}),
    ("content/mine", {"actions": [], "pattern": "?" * 600}),
    ("postcontent/mine", {"actions": []}),
]


async def test_a_bad_rule_is_refused(alice: Client) -> None:
    for at, body in BAD_RULES:
        assert await alice.errcode("PUT", f"{RULES}/{at}", 400, body=body) == "M_INVALID_PARAM", (at, body)
    assert not [one for kind in (await call_all(alice)).values() for one in kind if not one["default"]]


async def test_a_change_wakes_other_devices(alice: Client, server: Running) -> None:
    other = Follower(await alice.login("alice"))
    await other.sync()
    before = server.hs.core.live.position
    room = f"{RULES}/room/{quote('!room:test.example', safe='')}"
    steps: list[tuple[str, str, Any]] = [
        ("PUT", room, {"actions": []}),
        ("PUT", f"{room}/enabled", {"enabled": False}),
        ("PUT", f"{room}/actions", {"actions": ["notify"]}),
        ("DELETE", room, None),
    ]
    for method, path, body in steps:
        await alice.call(method, path, body=body)
        assert (await other.until(told)) == await call_all(alice)
    assert server.hs.core.live.position == before + len(steps)
    await alice.call("PUT", f"{RULES}/override/.m.rule.master/enabled", body={"enabled": False})
    assert server.hs.core.live.position == before + len(steps), "what changes nothing is no news"


async def test_rules_are_carried_to_the_next_room(alice: Client, server: Running) -> None:
    bob = await alice.register("bob")
    old = await create(alice, bob)
    for one in (alice, bob):
        await one.call("PUT", f"{RULES}/room/{quote(old, safe='')}", body={"actions": ["notify"]})
    about = {"kind": "event_match", "key": "room_id", "pattern": old}
    quiet = {"actions": [], "conditions": [about]}
    await bob.call("PUT", f"{RULES}/override/{quote(old, safe='')}", body=quiet)
    await server.hs.clientdata.push_rules.carry(old, "!next:test.example")  # type: ignore[arg-type]
    assert await own(alice, "room") == ["!next:test.example", old]
    assert await own(bob, "room") == ["!next:test.example", old]
    moved = (await bob.call("GET", f"{RULES}/override/!next:test.example"))["conditions"]
    assert moved == [{**about, "pattern": "!next:test.example"}]

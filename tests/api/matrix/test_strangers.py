"""What somebody is told of people and rooms that they have nothing to do with, and what they can do to them.

Each call is made by one who is told a certain word, and by a stranger, who must not be. Then what is not told
within a room: private receipts, and what those do whom one ignores.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from homeserver.protocol.signing import SigningKey
from homeserver.storage.e2ee.crosssigning import Usage
from tests.api.matrix.driver import Client
from tests.api.matrix.mediakit import upload
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.slidekit import ALL_STATE, PATH, Slider, a_list
from tests.api.matrix.synckit import judged
from tests.api.matrix.test_intruders import told
from tests.api.matrix.test_keys import BACKUP, backed_up, publish
from tests.api.matrix.test_spaces import SPACE, link
from tests.e2ee.world import Crossed, identity, key

ON = {"enabled": True}
EXTENSIONS = dict.fromkeys(("to_device", "e2ee", "account_data", "receipts", "typing"), ON)
DELAYED = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
WORD = "secretword"


class Try(NamedTuple):
    """A call that tells `owner` the word."""

    owner: Client
    method: str
    at: str
    word: str = WORD
    body: Any = None
    query: Any = None


@dataclass
class Home:
    """A private room of alice and bob with all that belongs to it. The stranger has a room and a server in common."""

    alice: Client
    bob: Client
    stranger: Client
    room_id: str
    space: str
    square: str
    event_id: str
    backup: str
    master: SigningKey
    start: str
    began: str
    end: str


@pytest.fixture
async def home(alice: Client, bob: Client, nobody: Client, server: Running) -> Home:
    stranger = await nobody.register("stranger")
    await create(stranger, name="his own")
    start = (await bob.call("GET", "sync"))["next_batch"]
    began = (await bob.call("GET", "initialSync"))["end"]
    room_id = await create(alice, bob, name=WORD)
    space = await create(alice, bob, name=WORD, **SPACE)
    square = await create(alice, bob, visibility="public", preset="public_chat", name="square", **SPACE)
    for parent in (space, square):
        await link(alice, parent, room_id)
    event_id = await say(alice, room_id, WORD)
    await publish(alice)
    crossed = Crossed(UserId(alice.user_id))
    body = {f"{usage.value}_key": crossed.body(usage) for usage in Usage}
    await alice.call("POST", "keys/device_signing/upload", body=body)
    backup = await _kept_apart(alice, bob, room_id)
    await judged(server)
    end = (await alice.call("GET", "sync"))["next_batch"]
    found = (alice, bob, stranger, room_id, space, square, event_id)
    return Home(*found, backup=backup, master=crossed.master, start=start, began=began, end=end)


async def _kept_apart(alice: Client, bob: Client, room_id: str) -> str:
    """What alice has beside the room; answers her backup's version."""
    messages = {"messages": {bob.user_id: {"*": {"is": "devicesword"}}}}
    await alice.call("PUT", "sendToDevice/org.example/1", body=messages)
    status = {"presence": "online", "status_msg": "statusword"}
    await alice.call("PUT", f"presence/{quote(alice.user_id)}/status", body=status)
    made = await alice.call("POST", "room_keys/version", body={**BACKUP, "auth_data": {"is": WORD}})
    version = str(made["version"])
    place = f"room_keys/keys/{quote(room_id)}/session"
    await alice.call("PUT", place, params={"version": version}, body=backed_up(WORD))
    later = {"org.matrix.msc4140.delay": "100000"}
    await alice.call("PUT", path(room_id, "send/m.room.message/later"), body={"body": WORD}, params=later)
    await alice.call("PUT", path(room_id, f"typing/{quote(alice.user_id)}"), body={"typing": True})
    return version


def tries(home: Home) -> list[Try]:
    """Every way to be told."""
    bob, room, who = home.bob, home.room_id, home.alice.user_id
    request = {"timeline_limit": 20, "required_state": ALL_STATE}
    slide = {"lists": {"all": a_list([0, 99], state=ALL_STATE)}, "room_subscriptions": {room: request}}
    slide["extensions"] = {name: {**ON, "rooms": [room, "*"], "lists": ["*"]} for name in EXTENSIONS}
    since, events = {"since": home.start}, {"from": home.began, "timeout": 0}
    return [
        *(Try(bob, "GET", "sync", word) for word in (WORD, "devicesword", "statusword")),
        *(Try(bob, "GET", "sync", word, query=since) for word in (WORD, "statusword", who)),
        Try(bob, "GET", "sync", query={**since, "full_state": "true"}),
        *(Try(bob, "POST", PATH, word, slide) for word in (WORD, "devicesword", who, room)),
        Try(bob, "POST", PATH, body={"room_subscriptions": {room: request}}),
        Try(bob, "POST", PATH, body={"lists": {"a": {**request, "range": [0, 9]}}}),
        *(Try(bob, "GET", "initialSync", word) for word in (WORD, "statusword", room)),
        Try(bob, "GET", path(room, "initialSync")),
        Try(bob, "GET", "events", query=events),
        Try(bob, "GET", "events", query={**events, "room_id": room}),
        Try(bob, "GET", f"events/{quote(home.event_id)}"),
        Try(bob, "GET", "notifications"),
        Try(bob, "GET", path(home.space, "hierarchy", "v1")),
        Try(bob, "GET", path(home.square, "hierarchy", "v1")),
        Try(bob, "GET", f"/_matrix/client/v1/room_summary/{quote(room)}"),
        Try(bob, "GET", "joined_rooms", room),
        Try(bob, "GET", "/_matrix/client/v1/mutual_rooms", room, query={"user_id": who}),
        Try(bob, "GET", f"presence/{quote(who)}/status", "statusword"),
        Try(bob, "GET", "keys/changes", who, query={"from": home.start, "to": home.end}),
        *_own_tries(home.alice, home.backup, f"room_keys/keys/{quote(room)}"),
    ]


def _own_tries(alice: Client, backup: str, keys: str) -> list[Try]:
    """What is for its owner alone."""
    version = {"version": backup}
    return [
        Try(alice, "POST", "keys/query", '"user_signing"', {"device_keys": {alice.user_id: []}}),
        Try(alice, "GET", "room_keys/version"),
        Try(alice, "GET", f"room_keys/version/{backup}"),
        *(Try(alice, "GET", at, query=version) for at in ("room_keys/keys", keys, f"{keys}/session")),
        Try(alice, "GET", DELAYED),
        Try(alice, "GET", "devices", alice.device_id),
        Try(alice, "GET", "account/whoami", alice.device_id),
    ]


async def test_a_stranger_is_told_nothing(home: Home, nobody: Client) -> None:
    for one in tries(home):
        answer = one.method, one.at, one.body, one.query
        _, text = await told(one.owner, *answer)
        assert one.word in text, f"{one.method} {one.at} does not tell {one.word}: {text[:2000]}"
        _, text = await told(home.stranger, *answer)
        assert one.word not in text, f"a stranger was told {one.word} by {one.method} {one.at}: {text[:2000]}"
        if "room_summary" not in one.at:  # open to all, for what is public
            assert (await told(nobody, *answer))[0] == 401, one.at


def attacks(home: Home, foreign: Crossed) -> list[tuple[str, str, Any, dict[str, str]]]:
    """Calls that would change what is not the caller's own: (method, path, body, query)."""
    alice, room = home.alice, home.room_id
    hers, version = quote(alice.user_id), {"version": home.backup}
    slot = f"room_keys/keys/{quote(room)}/session"
    return [
        ("PUT", f"presence/{hers}/status", {"presence": "offline"}, {}),
        ("POST", f"user/{hers}/openid/request_token", {}, {}),
        ("POST", "keys/upload", {"device_keys": identity(alice.user_id, alice.device_id, key())}, {}),
        ("POST", "keys/device_signing/upload", {"master_key": foreign.body(Usage.MASTER)}, {}),
        ("PUT", f"room_keys/version/{home.backup}", {**BACKUP, "version": home.backup}, {}),
        ("DELETE", f"room_keys/version/{home.backup}", None, {}),
        ("PUT", slot, backed_up("theirs", first_message_index=0), version),
        ("DELETE", slot, None, version),
        ("POST", path(room, "join"), {}, {}),
        ("POST", f"knock/{quote(room)}", {}, {}),
        ("POST", path(room, "invite"), {"user_id": home.stranger.user_id}, {}),
        ("PUT", path(room, "state/m.space.child/!a:b"), {"via": ["test.example"]}, {}),
        ("PUT", path(room, "send/m.room.message/1"), {"body": "mine"}, {"org.matrix.msc4140.delay": "1"}),
        ("POST", path(room, "read_markers"), {"m.fully_read": home.event_id}, {}),
        ("POST", path(room, "upgrade"), {"new_version": "11"}, {}),
    ]


async def test_a_stranger_changes_nothing(home: Home) -> None:
    alice, stranger = home.alice, home.stranger
    foreign, mine = Crossed(UserId(alice.user_id)), Crossed(UserId(stranger.user_id))
    for method, at, body, query in attacks(home, foreign):
        status, text = await told(stranger, method, at, body, query)
        assert status in (400, 403, 404), f"{method} {at}: {status} {text}"
    master = foreign.sign(foreign.body(Usage.MASTER), mine.user_signing)
    signed = {alice.user_id: {alice.device_id: master, home.master.verify_key_base64: master}}
    answer = await stranger.call("POST", "keys/signatures/upload", body=signed)
    assert set(answer["failures"][alice.user_id]) == set(signed[alice.user_id])
    for one in tries(home):  # it is all as it was
        assert one.word in (await told(one.owner, one.method, one.at, one.body, one.query))[1], one.at


async def test_a_signature_is_shown_to_those_whom_it_concerns(home: Home) -> None:
    alice, bob, stranger = home.alice, home.bob, home.stranger
    his = Crossed(UserId(bob.user_id))
    body = {f"{usage.value}_key": his.body(usage) for usage in Usage}
    await bob.call("POST", "keys/device_signing/upload", body=body)
    asked: Any = {"device_keys": {alice.user_id: []}}
    shown = (await bob.call("POST", "keys/query", body=asked))["master_keys"][alice.user_id]
    signed = {alice.user_id: {home.master.verify_key_base64: his.sign(shown, his.user_signing)}}
    assert (await bob.call("POST", "keys/signatures/upload", body=signed))["failures"] == {}
    for client, is_told in ((bob, True), (stranger, False)):
        found = (await client.call("POST", "keys/query", body=asked))["master_keys"][alice.user_id]
        assert (bob.user_id in found.get("signatures", {})) is is_told


async def test_files_need_a_token(alice: Client, nobody: Client) -> None:
    place = await upload(alice, b"some bytes", "text/plain")
    for at in (f"download/{place}", f"download/{place}/a.txt", f"thumbnail/{place}?width=9&height=9"):
        assert (await told(nobody, "GET", f"/_matrix/client/v1/media/{at}"))[0] == 401
        assert (await told(nobody, "GET", f"/_matrix/media/v3/{at}"))[0] == 404


async def _disturb(alice: Client, bob: Client, carol: Client, room_id: str) -> str:
    """What bob must not hear of, and a message that he hears; answers the room that carol asks him into."""
    ignored: Any = {"ignored_users": {carol.user_id: {}}}
    await bob.call("PUT", f"user/{quote(bob.user_id)}/account_data/m.ignored_user_list", body=ignored)
    await say(carol, room_id, "ignoredword")
    event_id = await say(alice, room_id, "then")
    await carol.call("PUT", path(room_id, f"typing/{quote(carol.user_id)}"), body={"typing": True})
    await alice.call("POST", path(room_id, f"receipt/m.read.private/{quote(event_id)}"), body={})
    return await create(carol, name="askedword", invite=[bob.user_id])


@pytest.mark.both
async def test_nobody_hears_of_private_receipts_nor_of_whom_they_ignore(
    alice: Client, bob: Client, carol: Client, server: Running
) -> None:
    room_id = await create(alice, bob, carol, name="Hall")
    start = (await bob.call("GET", "sync"))["next_batch"]
    began = (await bob.call("GET", "initialSync"))["end"]
    slide = {"lists": {"all": a_list([0, 99], state=ALL_STATE)}, "extensions": EXTENSIONS}
    slider = Slider(bob, {**slide, "conn_id": "before"})
    await slider.sync()
    asked = await _disturb(alice, bob, carol, room_id)
    await judged(server)
    looks: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("GET", "sync", None, {}),
        ("GET", "sync", None, {"since": start}),
        ("GET", "sync", None, {"since": start, "full_state": "true"}),
        ("GET", "sync", None, {"since": start, "use_state_after": "true"}),
        ("GET", "initialSync", None, {"limit": 50}),
        ("GET", path(room_id, "initialSync"), None, {"limit": 50}),
        ("GET", "events", None, {"from": began, "timeout": 0}),
        ("POST", PATH, slide, {}),
        ("POST", PATH, slider.body, {"pos": slider.pos}),
        ("GET", "notifications", None, {}),
    ]
    for method, at, body, query in looks:
        _, text = await told(bob, method, at, body, query)
        assert "then" in text, f"{method} {at} {query}: {text[:2000]}"
        for word in ("m.read.private", "ignoredword", "askedword", asked, f'"user_ids":["{carol.user_id}'):
            assert word not in text, f"{word} was told by {method} {at} {query}: {text[:2000]}"
    for at, word in (("sync", "m.read.private"), (path(room_id, "initialSync"), "ignoredword")):
        assert word in (await told(alice, "GET", at))[1]

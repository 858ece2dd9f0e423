"""What clients may ask for, and what then passes."""

import time
from typing import Any

import pytest

from homeserver.protocol.errors import BadFilter
from homeserver.protocol.event import Event
from homeserver.protocol.filters import (
    MAX_ENTRIES,
    MAX_STARS,
    MAX_TYPES,
    PASS_ALL,
    EventFilter,
    Filter,
    read_filter,
    read_room_event_filter,
)
from homeserver.protocol.versions import RULES

from .vectors import cut_down_event

ALICE, BOB = "@alice:one", "@bob:two"


def event(**content: Any) -> Event:
    pdu = {
        "type": "m.room.message",
        "room_id": "!r:one",
        "sender": ALICE,
        "event_id": "$e:one",
        "content": content,
    }
    return cut_down_event(pdu, RULES["11"])


def passes(json: dict[str, Any], given: Event | None = None) -> bool:
    return read_room_event_filter(json).passes(given or event())


def test_the_example_of_the_specification() -> None:
    room = "!726s6s6q:example.com"
    asked = read_filter(
        {
            "room": {
                "state": {"types": ["m.room.*"], "not_rooms": [room]},
                "timeline": {
                    "limit": 10,
                    "types": ["m.room.message"],
                    "not_rooms": [room],
                    "not_senders": ["@spam:example.com"],
                },
                "ephemeral": {
                    "types": ["m.receipt", "m.typing"],
                    "not_rooms": [room],
                    "not_senders": ["@spam:example.com"],
                },
            },
            "presence": {"types": ["m.presence"], "not_senders": ["@alice:example.com"]},
            "event_format": "client",
            "event_fields": ["type", "content", "sender"],
        }
    )
    assert asked.event_fields == (("content",), ("sender",), ("type",))
    assert asked.room.timeline.limit_within(20, 100) == 10
    assert asked.room.state.admits_type("m.room.name")
    assert not asked.room.state.admits_type("m.space.child")
    assert not asked.room.timeline.admits_room(room)
    assert asked.room.ephemeral.admits("m.typing")
    assert not asked.room.ephemeral.admits("m.fully_read")
    assert asked.presence.admits("m.presence", BOB)
    assert not asked.presence.admits("m.presence", "@alice:example.com")
    assert asked.account_data == PASS_ALL


def test_without_wishes_everything_passes() -> None:
    asked = read_filter({"room": {"timeline": {}}, "org.example.wish": 1})
    assert asked == Filter()
    assert asked.event_fields is None
    assert asked.room.timeline.passes(event())
    assert asked.room.admits_room("!any")
    assert asked.room.timeline.limit_within(20, 100) == 20
    assert not asked.room.include_leave


@pytest.mark.parametrize(
    ("json", "passed"),
    [
        ({"types": ["m.room.message"]}, True),
        ({"types": ["m.room.*"]}, True),
        ({"types": ["*.message"]}, True),
        ({"types": ["m.*.mess*"]}, True),
        ({"types": ["m.room.messag?"]}, False),
        ({"types": ["M.ROOM.MESSAGE"]}, False),
        ({"types": ["m.room.name", "m.room"]}, False),
        ({"types": []}, False),
        ({"types": ["*"], "not_types": ["m.room.message"]}, False),
        ({"not_types": ["m.room.*"]}, False),
        ({"not_types": []}, True),
        ({"senders": [ALICE]}, True),
        ({"senders": [BOB]}, False),
        ({"senders": []}, False),
        ({"senders": [ALICE], "not_senders": [ALICE]}, False),
        ({"not_senders": [BOB]}, True),
        ({"rooms": ["!r:one"]}, True),
        ({"rooms": ["!s:one"]}, False),
        ({"rooms": []}, False),
        ({"rooms": ["!r:one"], "not_rooms": ["!r:one"]}, False),
        ({"contains_url": False}, True),
        ({"contains_url": True}, False),
    ],
    ids=str,
)
def test_lists(json: dict[str, Any], passed: bool) -> None:
    assert passes(json) is passed


def test_files_are_told_by_their_url() -> None:
    image = event(msgtype="m.image", url="mxc://one/x")
    assert passes({"contains_url": True}, image)
    assert not passes({"contains_url": False}, image)


@pytest.mark.parametrize("prefix", ["", "org.matrix.msc3874."])
def test_relations(prefix: str) -> None:
    edit = event(**{"m.relates_to": {"rel_type": "m.replace", "event_id": "$x"}})
    odd = event(**{"m.relates_to": {"rel_type": ["m.replace"]}})
    assert passes({f"{prefix}rel_types": ["m.replace"]}, edit)
    assert not passes({f"{prefix}rel_types": ["m.thread"]}, edit)
    assert not passes({f"{prefix}rel_types": ["m.replace"]}, odd)
    assert not passes({f"{prefix}rel_types": ["m.replace"]})
    assert not passes({f"{prefix}not_rel_types": ["m.replace"]}, edit)
    assert passes({f"{prefix}not_rel_types": ["m.replace"]}, odd)


def test_what_nobody_sent_passes_unless_senders_are_asked_for() -> None:
    assert read_filter({"presence": {"not_senders": [ALICE]}}).presence.admits("m.typing")
    assert not read_filter({"presence": {"senders": [ALICE]}}).presence.admits("m.typing")


def test_switches_and_bounds() -> None:
    given: dict[str, Any] = {
        "lazy_load_members": True,
        "include_redundant_members": True,
        "unread_thread_notifications": True,
        "related_by_senders": [ALICE],
        "related_by_rel_types": ["m.thread"],
        "limit": 2**53 - 1,
    }
    asked = read_filter({"room": {"timeline": given, "include_leave": True, "not_rooms": ["!r:one"]}}).room
    assert asked.include_leave
    assert not asked.admits_room("!r:one")
    timeline = asked.timeline
    assert timeline.lazy_load_members
    assert timeline.include_redundant_members
    assert timeline.unread_thread_notifications
    assert timeline.related_by_senders == frozenset({ALICE})
    assert timeline.related_by_rel_types == frozenset({"m.thread"})
    assert timeline.limit_within(20, 100) == 100


EVENTS: list[Any] = [
    [],
    {"limit": -1},
    {"limit": "5"},
    {"limit": True},
    {"limit": 1.0},
    {"limit": 2**53},
    {"types": "m.room.message"},
    {"types": [1]},
    {"types": ["x" * 256]},
    {"types": ["x"] * (MAX_TYPES + 1)},
    {"types": [f"a*{number}*b*" for number in range(MAX_TYPES)]},
    {"not_types": ["*a" * (MAX_STARS // 4), "*b" * (MAX_STARS // 4), "*c" * (MAX_STARS // 4 * 3)]},
    {"senders": [ALICE] * (MAX_ENTRIES + 1)},
    {"not_types": {}},
    {"senders": ["alice"]},
    {"senders": ["!bar;pik@example.com"]},
    {"not_senders": ["@alice"]},
]
ROOM_EVENTS: list[Any] = [
    *EVENTS,
    {"rooms": ["#foo:example.com"]},
    {"not_rooms": ["!"]},
    {"contains_url": "yes"},
    {"lazy_load_members": 1},
    {"rel_types": "m.thread"},
    {"related_by_senders": ["x"]},
]
FILTERS: list[Any] = [
    "{}",
    {"event_format": "other"},
    {"event_fields": "type"},
    {"event_fields": [["type"]]},
    {"event_fields": [f"content.{number}" for number in range(101)]},
    {"room": []},
    {"room": {"rooms": ["r"]}},
    {"room": {"not_rooms": ["#foo:example.com"]}},
    {"room": {"include_leave": "true"}},
    *({part: bad} for part in ("presence", "account_data") for bad in EVENTS),
    *({"room": {"timeline": bad}} for bad in ROOM_EVENTS),
    *({"room": {part: []}} for part in ("state", "ephemeral", "account_data")),
]


@pytest.mark.parametrize("json", FILTERS, ids=lambda json: str(json)[:60])
def test_filters_that_are_refused(json: Any) -> None:
    with pytest.raises(BadFilter):
        read_filter(json)


@pytest.mark.parametrize("json", ROOM_EVENTS, ids=lambda json: str(json)[:60])
def test_room_event_filters_that_are_refused(json: Any) -> None:
    with pytest.raises(BadFilter):
        read_room_event_filter(json)


def test_null_is_as_good_as_absent() -> None:
    lists = dict.fromkeys(("types", "not_types", "senders", "not_senders", "limit"))
    events = {
        **lists,
        **dict.fromkeys(("rooms", "not_rooms", "contains_url", "rel_types", "lazy_load_members")),
    }
    assert read_room_event_filter(events) == EventFilter()
    room = {"rooms": None, "include_leave": None, "timeline": events, "state": None}
    whole = {
        "event_format": None,
        "event_fields": None,
        "presence": lists,
        "account_data": None,
        "room": room,
    }
    assert read_filter(whole) == Filter()
    assert read_filter({"room": None}) == Filter()


def test_the_message_says_where() -> None:
    with pytest.raises(BadFilter, match=r"^room\.timeline\.limit is not"):
        read_filter({"room": {"timeline": {"limit": -1}}})


def test_no_filter_takes_long() -> None:
    """A filter is read, and matched against long types, in little time whatever its patterns are."""
    types = [f"{'a' * 40}*{'a' * 200}b{number}" for number in range(MAX_TYPES)]
    starred = ["a*" * 120 + f"b{number}" for number in range(3)]
    started = time.process_time()
    for _ in range(20):
        read_filter(
            {"room": {part: {"types": types, "not_types": starred} for part in ("state", "timeline")}}
        )
    found = read_filter({"room": {"timeline": {"types": types, "not_types": starred}}}).room.timeline
    for number in range(500):
        assert not found.admits_type("a" * 250 + str(number))
    assert time.process_time() - started < 2

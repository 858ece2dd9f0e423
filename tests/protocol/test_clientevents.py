"""Events as clients get them."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol.clientevents import (
    ClientEventBytes,
    ReaderUnsigned,
    federation_form_of,
    form_of,
    stripped,
)
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId
from homeserver.protocol.versions import RULES

from .history import START_MS, History
from .vectors import BOUNDED, cut_down_event

ALICE, BOB = "@alice:one", "@bob:one"
LATER = ReaderUnsigned(START_MS + 1234)
VERSIONS = ("1", "3", "11", "12")


def shown(form: ClientEventBytes, aside: ReaderUnsigned = LATER, *, room_id: bool = True) -> dict[str, Any]:
    rendered: dict[str, Any] = orjson.loads(form.render(aside, room_id=room_id))
    return rendered


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message(version: str) -> None:
    room = History.begin(version)
    message = room.add(ALICE, "m.room.message", {"msgtype": "m.text", "body": 'Grüße, «мир» \u2028 \\ "'})
    form = form_of(message)
    everywhere = {
        "content": message.content,
        "event_id": message.event_id,
        "origin_server_ts": START_MS,
        "sender": ALICE,
        "type": "m.room.message",
        "unsigned": {"age": 1234},
    }
    assert shown(form) == {**everywhere, "room_id": room.room_id}
    assert shown(form, room_id=False) == everywhere
    assert shown(form, ReaderUnsigned(START_MS - 5))["unsigned"] == {"age": -5}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_create_event_has_a_room_everywhere_but_in_sync(version: str) -> None:
    create = History.begin(version).create
    assert shown(form_of(create))["room_id"] == create.room_id
    assert "room_id" not in shown(form_of(create), room_id=False)
    assert shown(form_of(create))["state_key"] == ""


def test_what_is_for_one_reader() -> None:
    room = History.begin("12")
    form = form_of(room.add(ALICE, "m.room.message", {"body": "x"}))
    relations = orjson.dumps({"m.thread": {"count": 2}})
    aside = ReaderUnsigned(START_MS, transaction_id='t"1', membership="join", relations=relations)
    assert shown(form, aside)["unsigned"] == {
        "age": 0,
        "transaction_id": 't"1',
        "membership": "join",
        "m.relations": {"m.thread": {"count": 2}},
    }
    assert shown(form)["unsigned"] == {"age": 1234}  # nobody else sees it


def test_what_a_state_event_replaced_is_for_those_who_may_see_it() -> None:
    room = History.begin("11")
    before = room.add(ALICE, "m.room.topic", {"topic": "old"}, "")
    form = form_of(room.add(ALICE, "m.room.topic", {"topic": "new"}, ""), replaced=before)
    assert shown(form)["unsigned"] == {"age": 1234, "replaces_state": before.event_id}
    assert shown(form, ReaderUnsigned(START_MS, with_previous=True))["unsigned"] == {
        "age": 0,
        "replaces_state": before.event_id,
        "prev_content": {"topic": "old"},
    }


@pytest.mark.parametrize(("version", "at_the_top"), [("1", True), ("10", True), ("11", False), ("12", False)])
def test_redactions_are_shown_as_clients_of_any_age_know_them(version: str, at_the_top: bool) -> None:
    target = "$target:one"
    pdu: dict[str, Any] = {
        "type": "m.room.redaction",
        "room_id": "!r:one",
        "sender": ALICE,
        "event_id": "$redaction:one",
        "content": {"reason": "spam"} if at_the_top else {"reason": "spam", "redacts": target},
    }
    redaction = cut_down_event({**pdu, "redacts": target} if at_the_top else pdu, RULES[version])
    rendered = shown(form_of(redaction))
    assert rendered["redacts"] == target
    assert rendered["content"] == {"reason": "spam", "redacts": target}
    assert redaction.pdu.get("redacts") == (target if at_the_top else None)  # the event itself is as it was


def test_a_redacted_event_says_why() -> None:
    room = History.begin("12")
    message = room.add(ALICE, "m.room.message", {})
    redaction = room.add(ALICE, "m.room.redaction", {"redacts": message.event_id, "reason": "spam"}, ts=1000)
    form = form_of(message, because=form_of(redaction))
    because = shown(form, ReaderUnsigned(START_MS + 1500, transaction_id="t"))["unsigned"]["redacted_because"]
    assert because["content"]["reason"] == "spam"
    assert because["room_id"] == room.room_id
    assert because["unsigned"] == {"age": 500}
    assert "room_id" not in shown(form, room_id=False)["unsigned"]["redacted_because"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_federation_format_is_the_event_as_servers_know_it(version: str) -> None:
    room = History.begin(version)
    for event in (room.create, room.add(ALICE, "m.room.message", {"body": "x"})):
        rendered = shown(federation_form_of(event))
        assert rendered.pop("unsigned") == {"age": 1234}
        assert rendered == {**event.pdu, "event_id": event.event_id}


def test_a_filter_may_leave_only_some_fields() -> None:
    room = History.begin("12")
    event = room.add(ALICE, "m.room.message", {"body": "x", "m.mentions": {}, "info": {"w": 1, "h": 2}})
    form = form_of(event, fields=[("content", "info", "w"), ("content", "nothing"), ("room_id",)])
    rendered = shown(form)
    assert rendered["content"] == {"info": {"w": 1}}
    assert set(rendered) == {
        *("content", "event_id", "origin_server_ts", "room_id", "sender", "type", "unsigned"),
    }
    assert shown(form_of(event, fields=[]))["content"] == {}
    assert shown(form_of(room.create, fields=[("sender",)]))["state_key"] == ""


def test_stripped_state() -> None:
    room = History.begin("12")
    assert stripped(room.member(ALICE, BOB, "invite")) == {
        "content": {"membership": "invite"},
        "sender": ALICE,
        "state_key": BOB,
        "type": "m.room.member",
    }


def test_old_rooms_have_numbers_that_json_libraries_fear() -> None:
    event = cut_down_event(
        {
            "type": "m.room.message",
            "room_id": "!r:one",
            "sender": ALICE,
            "event_id": "$1:one",
            "content": {"big": 10**30, "small": -1.5},
        },
        RULES["1"],
    )
    assert json.loads(form_of(event).render(LATER))["content"] == {"big": 10**30, "small": -1.5}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@BOUNDED
@given(st.dictionaries(st.text(), values, max_size=4), st.none() | st.text(max_size=5), st.text(max_size=5))
def test_any_content_comes_out_whole(content: dict[str, Any], state_key: str | None, txn_id: str) -> None:
    pdu = {"type": "t", "room_id": "!r:one", "sender": ALICE, "content": content, "state_key": state_key}
    whole = {key: value for key, value in {**pdu, "event_id": "$e"}.items() if value is not None}
    event: Event = cut_down_event(whole, RULES["11"])
    rendered = shown(
        form_of(event, replaced=event), ReaderUnsigned(1, transaction_id=txn_id, with_previous=True)
    )
    assert rendered["content"] == rendered["unsigned"]["prev_content"] == content
    assert rendered.get("state_key") == state_key
    assert rendered["unsigned"]["transaction_id"] == txn_id
    assert rendered["event_id"] == EventId("$e")

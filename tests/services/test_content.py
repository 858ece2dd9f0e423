"""Files on other servers in messages: as Matrix clients can show them, and as they were written before."""

import pytest

from homeserver.model import CALLED_KEY, FILE_URL_KEY, PAYLOAD_KEY, Content, LogPosition, Place
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.events.content import (
    NewFile,
    attachment_of,
    edit_content,
    file_content,
    kind_of_message,
    payload_of,
    reply_target,
    text_of,
)
from homeserver.storage.events import StoredEvent

URL = "https://files.example/plan.pdf"
FILE = NewFile("file", "plan.pdf", 5, file_url=URL)
OLD: Content = {"msgtype": "m.file", "body": "plan.pdf", "filename": "plan.pdf", FILE_URL_KEY: URL}


def message(content: Content) -> Event:
    return Event(
        event_id=EventId("$one"),
        room_id=RoomId("!room:test.example"),
        type="m.room.message",
        state_key=None,
        sender=UserId("@alice:test.example"),
        content=content,
        origin_server_ts=1,
        depth=1,
        prev_events=(),
        auth_events=(),
        redacts=None,
        json=b"",
    )


def stored(content: Content, edit: Content | None = None) -> StoredEvent:
    edited = None if edit is None else message(edit)
    return StoredEvent(message(content), LogPosition(1), Place(1), 1, 1, True, edit=edited)


@pytest.mark.parametrize("caption", [None, "the plan", "two\nlines"])
def test_a_file_elsewhere_is_a_text_with_its_address_for_matrix_clients(caption: str | None) -> None:
    content = file_content(FILE, "test.example", text=caption)
    assert content["msgtype"] == "m.text"
    assert content["body"] == f"{caption or 'plan.pdf'}\n{URL}"
    assert text_of(stored(content)) == caption
    found = attachment_of(stored(content), "test.example")
    assert found is not None
    assert (found.kind, found.name, found.file_url, found.size) == ("file", "plan.pdf", URL, 5)
    edit = edit_content(content, EventId("$one"), "a better one")
    assert edit["m.new_content"]["body"] == f"a better one\n{URL}"
    assert text_of(stored(content, edit)) == "a better one"


def test_older_messages_read_as_before() -> None:
    assert text_of(stored(OLD)) is None
    assert text_of(stored({**OLD, "body": "the plan"})) == "the plan"
    found = attachment_of(stored(OLD), "test.example")
    assert found is not None
    assert found.file_url == URL
    assert edit_content(OLD, EventId("$one"), "new")["m.new_content"]["body"] == "new"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example/x", "https://", "https://[x", "/a b", 5, None]
)
def test_an_address_where_no_file_can_lie_shows_none(url: object) -> None:
    assert attachment_of(stored({**OLD, FILE_URL_KEY: url}), "test.example") is None


ODD: list[object] = [None, True, 0, -1, 1.5, "", "x", [], ["x"], {}, {"x": ["y"]}, [[[{}]]]]
FIELDS = (
    "msgtype", "body", "filename", "url", "info", "m.relates_to", "m.new_content",
    FILE_URL_KEY, CALLED_KEY, PAYLOAD_KEY,
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_any_json_in_any_field_of_a_message_can_be_read(field: str) -> None:
    for value in ODD:
        for one in (
            {"msgtype": "m.text", "body": "x"},
            {"msgtype": "m.image", "url": "mxc://test.example/x"},
        ):
            content: Content = {**one, field: value}
            for message_now in (stored(content), stored(one, edit={**one, "m.new_content": content})):
                text_of(message_now)
                attachment_of(message_now, "test.example")
            payload_of(content)
            kind_of_message(content)
            reply_target(content)


def test_a_payload_too_deep_to_be_written_again_counts_as_absent() -> None:
    for depth, is_read in ((50, True), (101, False), (900, False)):
        payload = '{"a":' * depth + "1" + "}" * depth
        assert (payload_of({PAYLOAD_KEY: payload}) is not None) is is_read, depth

"""Files on other servers in messages: as Matrix clients can show them, and as they were written before."""

import pytest

from homeserver.model import FILE_URL_KEY, Content
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.events.content import NewFile, attachment_of, edit_content, file_content, text_of
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
    return StoredEvent(message(content), 1, 1, 1, True, edit=edited)


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

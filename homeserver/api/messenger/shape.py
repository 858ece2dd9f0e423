"""Builds JSON from records. Pure functions; services do all reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from homeserver.api.messenger import schemas
from homeserver.errors import HomeserverError
from homeserver.http.frames import error_data
from homeserver.http.times import iso, iso_micros
from homeserver.model import Attachment, Message, MessageKind, Person, Room
from homeserver.product_api import views
from homeserver.product_api.views import NumberView
from homeserver.services.auth.sessions import Tokens
from homeserver.services.media.addresses import Files

_TYPES: Mapping[MessageKind, schemas.MessageType] = {
    "text": "text",
    "image": "image",
    "video": "file",
    "file": "file",
    "system": "system",
}
_NAMES_IN_TITLE = 3  # the title of a group without one


@dataclass(frozen=True, slots=True)
class View(NumberView):
    """A viewer."""

    files: Files


Views: TypeAlias = views.Views[View]


def user(person: Person, view: View, *, shows_email: bool) -> schemas.User:
    """A user."""
    return {
        "id": view.number(person.number),
        "email": (person.email or None) if shows_email else None,
        "display_name": person.display_name,
        "tag": person.tag,
        "avatar_url": view.files.avatar_url(person.avatar_url) or None,
        "created_at": iso(person.created_ms),
    }


def tokens(made: Tokens, view: View) -> schemas.Tokens:
    """New tokens, with their user."""
    return {
        "access_token": made.access_token,
        "refresh_token": made.refresh_token,
        "token_type": "bearer",
        "expires_in": made.expires_in_s,
        "user": user(made.person, view, shows_email=True),
    }


def chat(room: Room, view: View, *, unread: int | None = None) -> schemas.Chat:
    """A chat with its members, who see each other's e-mail. `unread`: for a room record that is not of one viewer."""
    people = room.people or ()
    return {
        "id": room.position,
        "title": _title(room, people),
        "is_group": room.kind == "group",
        "created_at": iso(room.created_ms),
        "participants": [user(person, view, shows_email=True) for person in people],
        "last_message": None if room.last_message is None else message(room.last_message, view),
        "unread_count": room.unread_count if unread is None else unread,
    }


def _title(room: Room, people: Sequence[Person]) -> str:
    names = [person.display_name for person in people]
    if room.kind == "private":
        return " & ".join([*names, room.name] if len(names) == 1 and room.name else names)
    return room.name or ", ".join(names[:_NAMES_IN_TITLE])


def message(shown: Message, view: View) -> schemas.Message:
    """A message, its files in the payload."""
    content = shown.text
    if content is None:
        content = shown.attachments[0].name if shown.attachments else ""
    return {
        "id": shown.position,
        "chat_id": shown.room_position,
        "author_id": view.number(shown.sender_number),
        "type": _TYPES[shown.kind],
        "content": content,
        "payload": _payload(shown, view),
        "ts": iso_micros(shown.created_ms),
        "edited_at": None if shown.edited_ms is None else iso_micros(shown.edited_ms),
    }


def _payload(shown: Message, view: View) -> dict[str, Any] | None:
    """The sender's payload, unchanged if it describes all files; else with files that other APIs added."""
    files, given = shown.attachments, shown.payload
    is_file = shown.kind in ("image", "video", "file")
    if not files or (given is not None and is_file and len(files) == 1):
        return given
    described = [_file(one, view) for one in files]
    own = described[0] if is_file else {}
    return {**own, "attachments": described, **(given or {})}


def _file(file: Attachment, view: View) -> dict[str, Any]:
    return {
        "url": view.files.file_url(file),
        "name": file.name,
        "size": file.size,
        "content_type": file.content_type,
        "width": file.width,
        "height": file.height,
        "thumbnail_url": view.files.thumbnail_url(file),
    }


def frame(event: str, data: Mapping[str, object]) -> bytes:
    """A frame of the WebSocket."""
    return orjson.dumps({"event": event, "data": data})


def error_frame(error: HomeserverError, client_id: str | None = None) -> bytes:
    """The frame for a refused frame; `client_id` names the message that was not sent."""
    return frame("error", error_data(error, client_id))

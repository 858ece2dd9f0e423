"""Builds JSON from records. Pure functions; services do all reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from homeserver import publicids
from homeserver.api.university import schemas
from homeserver.errors import HomeserverError
from homeserver.http.frames import error_data
from homeserver.http.times import iso
from homeserver.model import Attachment, HostProfile, Member, Message, MessageRef, Person, Room
from homeserver.product_api import views
from homeserver.product_api.views import NumberView
from homeserver.protocol.ids import RoomId
from homeserver.services.media.addresses import Files


@dataclass(frozen=True, slots=True)
class View(NumberView):
    """A viewer."""

    files: Files
    show_contacts: bool = False


Views: TypeAlias = views.Views[View]


def conversation_id(position: int, room_id: RoomId) -> str:
    """A room's UUID as text."""
    return str(publicids.room_uuid(position, room_id))


def message_id(ref: MessageRef) -> str:
    """A message's UUID as text."""
    return str(publicids.message_uuid(ref.position, ref.event_id))


def conversation(room: Room, view: View) -> schemas.Conversation:
    """A conversation; with its participants if the record has them."""
    shown: schemas.Conversation = {
        "id": conversation_id(room.position, room.room_id),
        "type": room.kind,
        "title": room.name or None,
        "created_by": view.number(room.creator_number),
        "created_at": iso(room.created_ms),
        "service": room.link.service if room.link else None,
        "service_id": room.link.service_id if room.link else None,
        "description": room.topic,
        "link": None,
        "unread_count": room.unread_count,
        "member_count": room.member_count,
        "last_message": _last_message(room.last_message, view),
    }
    if room.members is not None:
        shown["participants"] = [participant(member, view) for member in room.members]
    return shown


def _last_message(last: Message | None, view: View) -> schemas.LastMessage | None:
    if last is None:
        return None
    return {
        "id": message_id(last.ref),
        "sender_id": view.number(last.sender_number),
        "text": last.text,
        "created_at": iso(last.created_ms),
    }


def participant(member: Member, view: View) -> schemas.Participant:
    """A participant of a conversation."""
    first, last = _names(member.person)
    return {
        "user_id": view.number(member.person.number),
        "role": member.role,
        "joined_at": iso(member.joined_ms),
        "first_name": first,
        "last_name": last,
        "avatar": view.files.avatar_url(member.person.avatar_url),
    }


def _names(person: Person) -> tuple[str, str]:
    """First and last name. Clients show nothing else, so a display name alone is given as the first name."""
    host = person.host
    if host is not None and (host.first_name or host.last_name):
        return host.first_name, host.last_name
    return person.display_name, ""


def message(shown: Message, view: View) -> schemas.Message:
    """A message with its attachments."""
    identity = message_id(shown.ref)
    return {
        "id": identity,
        "conversation_id": conversation_id(shown.room_position, shown.room_id),
        "sender_id": view.number(shown.sender_number),
        "text": shown.text,
        "reply_to": message_id(shown.reply_to) if shown.reply_to else None,
        "is_edited": shown.edited_ms is not None,
        "created_at": iso(shown.created_ms),
        "attachments": [attachment(file, identity, view) for file in shown.attachments],
        "read_by_count": shown.read_by_count,
        "client_id": shown.client_id,
    }


def attachment(file: Attachment, of_message_id: str, view: View) -> schemas.Attachment:
    """A file of the message `of_message_id`."""
    return {
        "id": file.position,
        "message_id": of_message_id,
        "file_url": view.files.file_url(file),
        "file_type": file.kind,
        "file_size": file.size,
        "created_at": iso(file.created_ms),
        "name": file.name,
        "content_type": file.content_type,
        "width": file.width,
        "height": file.height,
        "thumbnail_url": view.files.thumbnail_url(file),
    }


def chat_user(person: Person, view: View) -> schemas.ChatUser:
    """A user that can be written to; contact details only if the settings allow them."""
    first, last = _names(person)
    host = person.host or HostProfile()
    return {
        "id": view.number(person.number),
        "first_name": first,
        "last_name": last,
        "middle_name": host.middle_name,
        "avatar": view.files.avatar_url(person.avatar_url),
        "role": host.role,
        "position": host.job,
        "email": person.email if view.show_contacts else "",
        "bio": host.bio,
        "number_phone": host.phone if view.show_contacts else "",
        "telegram_username": host.telegram if view.show_contacts else "",
        "group": host.study_group,
    }


def frame(kind: str, payload: Mapping[str, object]) -> bytes:
    """A frame of the WebSocket."""
    return orjson.dumps({"type": kind, "payload": payload})


def error_frame(error: HomeserverError, client_id: str | None = None) -> bytes:
    """The frame for a refused frame; `client_id` names the message that was not sent."""
    return frame("error", error_data(error, client_id))

"""Builds JSON from records. Pure functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import orjson

from bridges.marketplace import schemas
from homeserver.errors import HomeserverError
from homeserver.http.frames import error_data
from homeserver.http.times import iso
from homeserver.model import Attachment, Message, Person
from homeserver.product_api.views import NumberView
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.status import is_guest
from homeserver.services.enquiries.enquiryviews import Enquiry

SYSTEM: Final = "system"
_UNSAFE_IN_URL = {ord(char): f"%{ord(char):02X}" for char in "\"'<>`\\ "}
_UNSAFE_IN_NAME = {ord(char): "_" for char in "\"'<>`"}


class Files(Protocol):
    """URLs of the files of messages."""

    def file_url(self, attachment: Attachment) -> str:
        """An absolute URL that a browser can load."""
        ...


@dataclass(frozen=True, slots=True)
class View(NumberView):
    """A viewer. A guest (`own`) sees their own UUID (`own_name`); everyone else sees an alias."""

    alias: Callable[[UserId], str]
    files: Files
    own: UserId | None = None
    own_name: str = ""

    def person_id(self, user_id: UserId, number: int) -> str:
        """A user's id as this viewer knows it."""
        if not is_guest(number):
            return str(self.number(number))
        return self.own_name if user_id == self.own else self.alias(user_id)

    def id_of(self, person: Person) -> str:
        """The id of a user record, as this viewer knows it."""
        return self.person_id(person.user_id, person.number)


def chat(shown: Enquiry, view: View) -> schemas.Chat:
    """A chat; `unread_count` is 0 for viewers who are not members. Guests have a number and no name."""
    last = shown.last_message
    is_registered = not is_guest(shown.enquirer.number)
    return {
        "id": shown.position,
        "iphone_id": int(shown.link.service_id),
        "seller_id": view.number(shown.owner.number),
        "buyer_id": view.id_of(shown.enquirer),
        "buyer_is_registered": is_registered,
        "seller_name": shown.owner.display_name,
        "buyer_name": shown.enquirer.display_name if is_registered else None,
        "anonymous_buyer_number": shown.guest_number,
        "is_hidden_by_buyer": shown.is_hidden_by_enquirer,
        "is_hidden_by_seller": shown.is_hidden_by_owner,
        "support_joined": shown.is_helped,
        "support_user_id": view.number(shown.helper.number) if shown.helper is not None else None,
        "created_at": iso(shown.created_ms),
        "updated_at": iso(shown.updated_ms),
        "unread_count": shown.unread_count,
        "last_message": None if last is None else last.text or neutral_name(_first_name(last)),
        "last_message_time": None if last is None else iso(last.created_ms),
    }


def _first_name(message: Message) -> str:
    return message.attachments[0].name if message.attachments else ""


def message(shown: Message, view: View) -> schemas.Message:
    """A message with its first file; the text as it was typed."""
    is_system = shown.kind == SYSTEM
    file = shown.attachments[0] if shown.attachments else None
    return {
        "id": shown.position,
        "chat_id": shown.room_position,
        "sender_id": SYSTEM if is_system else view.person_id(shown.sender, shown.sender_number),
        "sender_is_registered": not is_system and not is_guest(shown.sender_number),
        "message_text": shown.text or ("" if file is None else None),
        "message_type": SYSTEM if is_system else _kind(file),
        "file_url": neutral_url(view.files.file_url(file)) if file is not None else None,
        "file_name": neutral_name(file.name) if file is not None else None,
        "file_size": file.size if file is not None else None,
        "is_read": shown.read_by_count > 0,
        "created_at": iso(shown.created_ms),
    }


def _kind(file: Attachment | None) -> Literal["text", "image", "file"]:
    if file is None:
        return "text"
    return "image" if file.kind == "image" else "file"


def neutral_url(url: str) -> str | None:
    """A URL that is safe in an HTML attribute, where widgets put it unescaped; None for other schemes."""
    scheme = url.partition(":")[0].lower()
    is_path = url.startswith("/") and not url.startswith(("//", "/\\"))
    if not is_path and not (scheme in {"http", "https"} and url[len(scheme) :].startswith("://")):
        return None
    return url.translate(_UNSAFE_IN_URL) if url.isprintable() else None


def neutral_name(name: str) -> str:
    """A file name without characters that could end an HTML attribute or begin a tag."""
    return name.translate(_UNSAFE_IN_NAME)


def frame(kind: str, **fields: object) -> bytes:
    """A frame of the WebSockets."""
    return orjson.dumps({"type": kind, **fields})


def message_frame(shown: Message, view: View, kind: str = "message") -> bytes:
    """A message for all sockets of its chat."""
    told: Mapping[str, object] = {**message(shown, view)}
    return frame(kind, message=told)


def typing_frame(user_id: str, *, is_typing: bool) -> bytes:
    """Somebody else started or stopped typing."""
    return frame("typing", user_id=user_id, is_typing=is_typing)


def error_frame(error: HomeserverError, client_id: str | None = None) -> bytes:
    """The frame for a refused frame; `client_id` names the message that was not sent."""
    return frame("error", **error_data(error, client_id))

"""Sending a message, by REST or by a frame: a text, or a file with its URL in the payload or the content."""

from collections.abc import Mapping
from typing import Any, Literal

from homeserver.api.messenger.schemas import NewMessage
from homeserver.errors import Forbidden
from homeserver.kit.text import file_name, file_name_in
from homeserver.model import Content
from homeserver.services.events.access import OpenRoom
from homeserver.services.events.content import Extras, NewFile
from homeserver.services.messages.messages import Messages, Sent

_NAMES = ("name", "file_name", "filename")
_MAX_NUMBER = 2**53 - 1  # the largest integer of JavaScript


class Posting:
    """Sends messages of this API's clients."""

    def __init__(self, *, messages: Messages) -> None:
        self._messages = messages

    async def send(self, room: OpenRoom, new: NewMessage) -> Sent:
        """Send; with the `client_id` of an earlier call, answer what that one sent.

        Raises Forbidden (code "system_message") for messages that only the server sends.
        """
        kind, payload = new.type, new.payload
        if kind == "system":
            raise Forbidden("only the server sends system messages", code="system_message")
        if kind == "text":
            return await self._messages.send(
                room, text=new.content, txn_id=new.client_id, extras=Extras(payload)
            )
        file = file_of(kind, new.content, payload or {})
        if file is not None:
            return await self._messages.send_file(
                room, file=file, text=new.content, txn_id=new.client_id, payload=_with_clean_names(payload)
            )
        extras = Extras(payload, called=kind)
        return await self._messages.send(room, text=new.content, txn_id=new.client_id, extras=extras)


def file_of(kind: Literal["image", "file"], content: str, payload: Mapping[str, Any]) -> NewFile | None:
    """The file of a message; None if it has no URL in a known form."""
    url = _text(payload, "url", "file_url")
    if not url and content.startswith(("https://", "http://")) and len(content.split()) == 1:
        url = content
    if not url:
        return None
    name = _text(payload, *_NAMES)
    return NewFile(
        kind=kind,
        name=name or file_name_in(url),
        size=_number(payload, "size", "file_size") or 0,
        file_url=url,
        content_type=_text(payload, "content_type", "mime_type"),
        width=_number(payload, "width"),
        height=_number(payload, "height"),
    )


def _with_clean_names(payload: Content | None) -> Content | None:
    """The payload of a file, with the file's names as every API shows them."""
    if payload is None:
        return None
    names = {name: file_name(said) for name in _NAMES if (said := _text(payload, name))}
    return {**payload, **names}


def _text(payload: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := payload.get(name), str) and value), "")


def _number(payload: Mapping[str, Any], *names: str) -> int | None:
    values = (payload.get(name) for name in names)
    return next((value for value in values if type(value) is int and 0 <= value <= _MAX_NUMBER), None)

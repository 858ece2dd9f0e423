"""Contents of room events: build and read texts, files, replies and edits. Pure functions."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from homeserver.kit.text import file_name
from homeserver.model import (
    ATTACHMENT_REL,
    CALLED_KEY,
    CLIENT_ID_KEY,
    FILE_URL_KEY,
    PAYLOAD_KEY,
    Attachment,
    AttachmentKind,
    Content,
    MediaId,
    MessageKind,
)
from homeserver.protocol.ids import EventId
from homeserver.services.media.store import StoredMedia
from homeserver.storage.events import StoredEvent

_FILE_KINDS: dict[str, AttachmentKind] = {
    "m.image": "image",
    "m.video": "video",
    "m.file": "file",
    "m.audio": "file",
}
_MSGTYPES: dict[AttachmentKind, str] = {"image": "m.image", "video": "m.video", "file": "m.file"}
_FILE_KINDS_CALLED: dict[str, AttachmentKind] = {kind: kind for kind in _MSGTYPES}
_MAX_FILE_URL = 2000
_MAX_PAYLOAD_DEPTH = 100  # orjson parses deeper JSON than it can serialise
_ENCRYPTED = "🔒"  # text of an encrypted message in product clients


class NewFile(NamedTuple):
    """A file to send: media of this server (`media_id`), or a file on another server (`file_url`)."""

    kind: AttachmentKind
    name: str
    size: int
    media_id: MediaId | None = None
    file_url: str | None = None
    content_type: str = ""
    width: int | None = None
    height: int | None = None


class Extras(NamedTuple):
    """What the sending application adds to a text: a payload for its own kind, and a file kind (`called`) without
    a file."""

    payload: Content | None = None
    called: AttachmentKind | None = None


class Beside(NamedTuple):
    """What a file message carries besides the file: the message it replies to, and the application's payload."""

    reply_to: EventId | None = None
    payload: Content | None = None


NO_EXTRAS = Extras()
NOTHING_BESIDE = Beside()


def uploaded_file(stored: StoredMedia) -> NewFile:
    """An uploaded file, to be sent in a message."""
    return NewFile(
        kind=_kind_of_upload(stored),
        name=stored.name,
        size=stored.size,
        media_id=stored.media_id,
        content_type=stored.content_type,
        width=stored.width,
        height=stored.height,
    )


def text_content(
    text: str,
    *,
    reply_to: EventId | None = None,
    client_id: str | None = None,
    extras: Extras = NO_EXTRAS,
) -> Content:
    """The content of a text message."""
    content: Content = {"msgtype": "m.text", "body": text, **_extra(extras.payload)}
    if extras.called is not None:
        content[CALLED_KEY] = extras.called
    if reply_to is not None:
        content["m.relates_to"] = _answering(reply_to)
    if client_id is not None:
        content[CLIENT_ID_KEY] = client_id
    return content


def edit_content(original: Mapping[str, Any], target: EventId, text: str) -> Content:
    """The content of an m.replace event that sets a message's text to `text`."""
    new = {key: value for key, value in original.items() if key not in ("m.relates_to", CLIENT_ID_KEY)}
    new["body"] = _with_address(text, original)
    return {
        "msgtype": original.get("msgtype", "m.text"),
        "body": f"* {text}",
        "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": target},
    }


def file_content(
    file: NewFile,
    server: str,
    *,
    text: str | None = None,
    part_of: EventId | None = None,
    client_id: str | None = None,
    beside: Beside = NOTHING_BESIDE,
) -> Content:
    """The content of a file message; with `part_of` it is an attachment of that message, not a message of its own."""
    info: Content = {"size": file.size}
    if file.content_type:
        info["mimetype"] = file.content_type
    if file.width and file.height:
        info |= {"w": file.width, "h": file.height}
    name = file_name(file.name)
    content: Content = {"filename": name, "info": info, **_extra(beside.payload)}
    if file.media_id is not None:
        content |= {"msgtype": _MSGTYPES[file.kind], "url": f"mxc://{server}/{file.media_id}"}
    else:  # Matrix has no files on other hosts: its clients show a text with the URL
        content |= {"msgtype": "m.text", CALLED_KEY: file.kind, FILE_URL_KEY: file.file_url}
    content["body"] = _with_address(text or name, content)
    if part_of is not None:
        content["m.relates_to"] = {"rel_type": ATTACHMENT_REL, "event_id": part_of}
    elif beside.reply_to is not None:
        content["m.relates_to"] = _answering(beside.reply_to)
    if client_id is not None:
        content[CLIENT_ID_KEY] = client_id
    return content


def kind_of_message(content: Mapping[str, Any]) -> MessageKind:
    """The message kind of the product APIs."""
    msgtype = content.get("msgtype")
    if msgtype == "m.notice":
        return "system"
    called = content.get(CALLED_KEY)
    if msgtype == "m.text" and isinstance(called, str) and called in _FILE_KINDS_CALLED:
        return _FILE_KINDS_CALLED[called]
    return _FILE_KINDS.get(msgtype, "text") if isinstance(msgtype, str) else "text"


def text_of(stored: StoredEvent) -> str | None:
    """The current text of a message; None for a file without a caption."""
    if stored.event.type == "m.room.encrypted":
        return _ENCRYPTED
    content = current_content(stored)
    body = content.get("body")
    if not isinstance(body, str):
        return None
    msgtype = content.get("msgtype")
    is_file = (isinstance(msgtype, str) and msgtype in _FILE_KINDS) or FILE_URL_KEY in content
    text = body.removesuffix(_address_line(content))
    return None if is_file and content.get("filename", text) == text else text


def payload_of(content: Mapping[str, Any]) -> Content | None:
    """The sending application's payload; None if there is none, or if it is malformed."""
    text = content.get(PAYLOAD_KEY)
    if not isinstance(text, str):
        return None
    try:
        payload = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):  # Matrix clients may write any value there
        return None
    return payload if isinstance(payload, dict) and _is_flat_enough(payload) else None


def current_content(stored: StoredEvent) -> Mapping[str, Any]:
    """The content of a message with its latest edit applied."""
    if stored.edit is not None:
        new = stored.edit.content.get("m.new_content")
        if isinstance(new, dict):
            return new
    return stored.event.content


def reply_target(content: Mapping[str, Any]) -> EventId | None:
    """The id of the event that a message replies to."""
    relation = content.get("m.relates_to")
    reply = relation.get("m.in_reply_to") if isinstance(relation, dict) else None
    target = reply.get("event_id") if isinstance(reply, dict) else None
    return EventId(target) if isinstance(target, str) else None


def attachment_of(stored: StoredEvent, server: str) -> Attachment | None:
    """The file in an event; None if there is none that can be shown."""
    content, event = stored.event.content, stored.event
    kind = kind_of_message(content)
    if kind not in ("image", "video", "file"):
        return None
    media_id, file_url = media_id_of(content, server), content.get(FILE_URL_KEY)
    if media_id is None and not (isinstance(file_url, str) and is_file_url(file_url)):
        return None
    info = content.get("info")
    info = info if isinstance(info, dict) else {}
    name = content.get("filename", content.get("body"))
    return Attachment(
        position=stored.arrived,
        event_id=event.event_id,
        kind=kind,
        size=_number(info.get("size")) or 0,
        name=file_name(name if isinstance(name, str) else ""),
        created_ms=event.origin_server_ts,
        media_id=media_id,
        file_url=None if media_id is not None else str(file_url),
        content_type=info["mimetype"] if isinstance(info.get("mimetype"), str) else "",
        width=_number(info.get("w")),
        height=_number(info.get("h")),
    )


def media_id_of(content: Mapping[str, Any], server: str) -> MediaId | None:
    """The media of this server that a content refers to."""
    url, prefix = content.get("url"), f"mxc://{server}/"
    if not isinstance(url, str) or not url.startswith(prefix):
        return None
    return MediaId(url.removeprefix(prefix))


def is_file_url(url: str) -> bool:
    """True if the URL of a file is an http(s) URL, or a path on this server."""
    try:
        parts = urlsplit(url) if len(url) <= _MAX_FILE_URL and url.isprintable() else None
    except ValueError:
        return False
    is_web = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    is_path = parts is not None and not parts.scheme and not parts.netloc and url.startswith("/")
    return (is_web or is_path) and not any(mark in url for mark in "\"'<> \\")


def _with_address(text: str, content: Mapping[str, Any]) -> str:
    return text + _address_line(content)


def _address_line(content: Mapping[str, Any]) -> str:
    """The line with the URL that follows the text of a file on another host; empty for messages older than that
    format."""
    url = content.get(FILE_URL_KEY)
    return f"\n{url}" if content.get("msgtype") == "m.text" and isinstance(url, str) else ""


def _answering(event_id: EventId) -> Content:
    return {"m.in_reply_to": {"event_id": event_id}}


def _extra(payload: Content | None) -> Content:
    return {} if payload is None else {PAYLOAD_KEY: orjson.dumps(payload).decode()}


def _is_flat_enough(payload: Content) -> bool:
    """True if the payload's nesting is at most `_MAX_PAYLOAD_DEPTH`, so that every API can serialise it."""
    level: list[Any] = [payload]
    for _ in range(_MAX_PAYLOAD_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def _number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _kind_of_upload(stored: StoredMedia) -> AttachmentKind:
    """Only content recognised as an image is an image: not SVG, for example, which may contain scripts."""
    if stored.width is not None:
        return "image"
    return "video" if stored.content_type.startswith("video/") else "file"

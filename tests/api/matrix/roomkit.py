"""Rooms of the tests."""

from typing import Any
from urllib.parse import quote

from tests.api.matrix.driver import Client


def path(room_id: str, rest: str, version: str = "v3") -> str:
    """The path of a call about a room."""
    return f"/_matrix/client/{version}/rooms/{quote(room_id, safe='')}/{rest}"


async def create(client: Client, *others: Client, **body: Any) -> str:
    """A room that the others have come into."""
    request = {"invite": [one.user_id for one in others], **body}
    room_id = str((await client.call("POST", "createRoom", body=request))["room_id"])
    for one in others:
        await one.call("POST", path(room_id, "join"), body={})
    return room_id


async def say(client: Client, room_id: str, text: str, **more: Any) -> str:
    """Send a text; answers the event's id."""
    content = {"msgtype": "m.text", "body": text, **more}
    at = path(room_id, f"send/m.room.message/{quote(text, safe='')}")
    return str((await client.call("PUT", at, body=content))["event_id"])


def texts(chunk: Any) -> list[str]:
    """The texts of the messages among events."""
    return [one["content"].get("body", "") for one in chunk if one["type"] == "m.room.message"]


async def state(client: Client, room_id: str, kind: str, key: str = "") -> Any:
    """The content of a piece of state."""
    return await client.call("GET", path(room_id, f"state/{kind}/{quote(key, safe='')}"))


async def state_event(client: Client, room_id: str, kind: str, key: str = "") -> Any:
    """A piece of state as a whole event."""
    at = path(room_id, f"state/{kind}/{quote(key, safe='')}?format=event")
    return await client.call("GET", at)


async def set_state(client: Client, room_id: str, kind: str, content: Any, key: str = "") -> str:
    """Set it; answers the event's id."""
    at = path(room_id, f"state/{kind}/{quote(key, safe='')}")
    return str((await client.call("PUT", at, body=content))["event_id"])


def named(alias: str) -> str:
    """The path of the calls about an alias."""
    return f"directory/room/{quote(alias, safe='')}"

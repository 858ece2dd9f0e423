"""What push gateways are told, and what they answer (push gateway API)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from homeserver.protocol.event import Event, StateKey
from homeserver.services.push.notifications.counts import Count
from homeserver.storage.pushers import Target
from homeserver.timeline.heads import Head

logger = logging.getLogger(__name__)
_MAX_CONTENT_BYTES = 8192  # a larger content is left out: the device fetches the event


@dataclass(frozen=True, slots=True)
class Scene:
    """An event, and its room as it is now."""

    event: Event
    head: Head


def notification(target: Target, unread: Count, scene: Scene | None) -> bytes:
    """The body of a request; without a scene it tells no more than how much is unread."""
    pusher = target.pusher
    data = {name: value for name, value in pusher.data.items() if name != "url"}
    device = {
        "app_id": pusher.app_id,
        "pushkey": pusher.pushkey,
        "pushkey_ts": pusher.created_ms // 1000,
        "data": data,
    }
    told: dict[str, Any] = {"devices": [device]}
    if scene is None:
        return orjson.dumps({"notification": {**told, "prio": "low", "counts": {"unread": unread.notify}}})
    device["tweaks"] = target.tweaks
    told["counts"] = {"unread": unread.notify} if unread.notify else {}
    told |= {
        "event_id": scene.event.event_id,
        "room_id": scene.event.room_id,
        "prio": _prio(target, scene.event),
    }
    if data.get("format") != "event_id_only":
        told |= _described(target, scene)
    return orjson.dumps({"notification": told})


def rejected(target: Target, answer: bytes) -> bool:
    """Whether a gateway says that there is no such device any more."""
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        logger.info("a push gateway answered something that is no JSON")
        return False
    keys = found.get("rejected") if isinstance(found, dict) else None
    return isinstance(keys, list) and target.pusher.pushkey in keys


def _prio(target: Target, event: Event) -> str:
    """What rings, is highlighted, or cannot be read here may matter at once; the rest may wait."""
    is_urgent = (
        target.tweaks.get("highlight") or target.tweaks.get("sound") or event.type == "m.room.encrypted"
    )
    return "high" if is_urgent else "low"


def _described(target: Target, scene: Scene) -> dict[str, Any]:
    event, state = scene.event, scene.head.state.events
    found: dict[str, Any] = {"type": event.type, "sender": event.sender}
    if event.content and len(orjson.dumps(event.content)) <= _MAX_CONTENT_BYTES:
        found["content"] = event.content
    if event.type == "m.room.member":
        found["user_is_target"] = event.state_key == target.pusher.user_id
    for name, key, part in (
        ("sender_display_name", ("m.room.member", event.sender), "displayname"),
        ("room_name", ("m.room.name", ""), "name"),
        ("room_alias", ("m.room.canonical_alias", ""), "alias"),
    ):
        if text := _text(state, key, part):
            found[name] = text
    return found


def _text(state: Mapping[StateKey, Event], key: StateKey, part: str) -> str:
    event = state.get(key)
    text = event.content.get(part) if event is not None else None
    return text if isinstance(text, str) else ""

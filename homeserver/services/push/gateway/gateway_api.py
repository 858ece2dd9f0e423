"""Requests and responses of the Push Gateway API."""

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
_MAX_CONTENT_BYTES = 8192  # larger content is left out: the device fetches the event


@dataclass(frozen=True, slots=True)
class Scene:
    """An event, and the current state of its room."""

    event: Event
    head: Head


def notification(target: Target, unread: Count, scene: Scene | None) -> bytes:
    """The body of a /notify request; without a scene it has only the unread counts."""
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
    """True if the gateway's response lists the pushkey under `rejected`: the device no longer exists."""
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        logger.info("a push gateway answered something that is no JSON")
        return False
    keys = found.get("rejected") if isinstance(found, dict) else None
    return isinstance(keys, list) and target.pusher.pushkey in keys


def _prio(target: Target, event: Event) -> str:
    """The priority: high for events with a sound, highlights, and encrypted events (which may be either); else
    low."""
    is_urgent = (
        target.tweaks.get("highlight") or target.tweaks.get("sound") or event.type == "m.room.encrypted"
    )
    return "high" if is_urgent else "low"


def _described(target: Target, scene: Scene) -> dict[str, Any]:
    """What a gateway is told beyond the event's id. `id`, `membership` and an alias as the room's name are not in the
    specification any more, but Synapse sends them, and gateways read them."""
    event, state = scene.event, scene.head.state.events
    found: dict[str, Any] = {"id": event.event_id, "type": event.type, "sender": event.sender}
    if event.content and len(orjson.dumps(event.content)) <= _MAX_CONTENT_BYTES:
        found["content"] = event.content
    if event.type == "m.room.member":
        found["user_is_target"] = event.state_key == target.pusher.user_id
        found["membership"] = event.membership
    alias = _text(state, ("m.room.canonical_alias", ""), "alias")
    texts = {
        "sender_display_name": _text(state, ("m.room.member", event.sender), "displayname"),
        "room_name": _text(state, ("m.room.name", ""), "name") or alias,
        "room_alias": alias,
    }
    return found | {name: text for name, text in texts.items() if text}


def _text(state: Mapping[StateKey, Event], key: StateKey, part: str) -> str:
    event = state.get(key)
    text = event.content.get(part) if event is not None else None
    return text if isinstance(text, str) else ""

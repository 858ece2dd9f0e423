"""The recorded and published vectors in fixtures/, and events made from them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.versions import EventIdFormat, RoomRules

FIXTURES = Path(__file__).parent / "fixtures"

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Property tests look at the same examples every time, and not at many."""


def load(name: str) -> dict[str, Any]:
    """A file of fixtures/ by its name without the suffix."""
    loaded: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return loaded


def cut_down_event(pdu: Mapping[str, Any], rules: RoomRules) -> Event:
    """An event of a vector that leaves out what its question does not need; the given id is taken."""
    whole = {"origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [], **pdu}
    event_id = EventId(whole["event_id"])
    if rules.event_id_format is not EventIdFormat.GIVEN:
        del whole["event_id"]
    return Event.from_pdu(whole, rules, event_id)


def state_of(pdus: list[dict[str, Any]], rules: RoomRules) -> dict[StateKey, Event]:
    events = [cut_down_event(pdu, rules) for pdu in pdus]
    return {event.key: event for event in events}

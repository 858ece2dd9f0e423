"""What the products wrote into a room's state, and whether it counts.

It counts from people of this server alone: only the server writes it, in somebody's name, and an admin of the room from
another server could write it just as well. They would close the room for everybody here, or dress up their own as a
course's.
"""

from collections.abc import Mapping
from typing import Any

from homeserver.model import CLOSED_EVENT, ENQUIRY_EVENT, KIND_KEY, LINK_EVENT, Link, RoomKind
from homeserver.protocol.event import Event, StateKey
from homeserver.servers import Servers

CREATE: StateKey = ("m.room.create", "")
LINK: StateKey = (LINK_EVENT, "")
CLOSED: StateKey = (CLOSED_EVENT, "")
State = Mapping[StateKey, Event]


def is_product_room(state: State, servers: Servers) -> bool:
    """Whether one of the products made the room; Matrix clients cannot set the mark."""
    create = state.get(CREATE)
    return create is not None and servers.is_ours(create.sender) and KIND_KEY in create.content


def kind_of(state: State, servers: Servers) -> RoomKind:
    """Private or group; a room that another server or client made is a group."""
    is_private = is_product_room(state, servers) and state[CREATE].content[KIND_KEY] == "private"
    return "private" if is_private else "group"


def is_closed(state: State, servers: Servers) -> bool:
    """Whether the room was closed for all."""
    return closes(state.get(CLOSED), servers)


def closes(event: Event | None, servers: Servers) -> bool:
    """Whether a room is closed by an event, once that is in its state."""
    return _is_own(event, CLOSED_EVENT, servers)


def link_in(event: Event | None, servers: Servers) -> Link | None:
    """The object of a host application that an event ties a room to."""
    if event is None or not _is_own(event, LINK_EVENT, servers):
        return None
    service, service_id = (_text(event.content.get(name)) for name in ("service", "service_id"))
    return Link(service, service_id) if service and service_id else None


def enquiry_in(event: Event | None, servers: Servers) -> Mapping[str, Any] | None:
    """What an event says of the enquiry that its room is made for."""
    return event.content if event is not None and _is_own(event, ENQUIRY_EVENT, servers) else None


def _is_own(event: Event | None, kind: str, servers: Servers) -> bool:
    return (
        event is not None and event.type == kind and event.state_key == "" and servers.is_ours(event.sender)
    )


def _text(value: object) -> str:
    return value.replace("\0", "") if isinstance(value, str) else ""  # PostgreSQL's text has no NUL

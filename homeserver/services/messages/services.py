"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.messages.client_events import RoomEvents
from homeserver.services.messages.delayed import DelayedEvents
from homeserver.services.messages.messages import Messages


@dataclass(frozen=True, slots=True)
class MessageServices:
    """Sending: messages of the product APIs, events of Matrix clients."""

    messages: Messages
    client_events: RoomEvents
    delayed: DelayedEvents

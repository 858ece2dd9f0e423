"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.realtime.catch_up import CatchUp
from homeserver.services.realtime.connections import LiveConnections
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.presence import Presence
from homeserver.services.realtime.receipts import Receipts
from homeserver.services.realtime.typing import Typing


@dataclass(frozen=True, slots=True)
class RealtimeServices:
    """The feed to sockets, and ephemeral state."""

    feed: Feed
    catch_up: CatchUp
    typing: Typing
    connections: LiveConnections
    presence: Presence
    receipts: Receipts

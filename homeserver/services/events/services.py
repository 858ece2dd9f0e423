"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.events.access import Access
from homeserver.services.events.history import History
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.visibility import Visibility


@dataclass(frozen=True, slots=True)
class EventServices:
    """Reading events. `access` checks access to rooms and messages."""

    access: Access
    visibility: Visibility
    history: History
    rendering: Rendering
    message_views: MessageViews

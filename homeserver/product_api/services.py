"""The services that every product API calls."""

from dataclasses import dataclass

from homeserver.services.accounts.services import AccountServices
from homeserver.services.events.services import EventServices
from homeserver.services.media.store import Media
from homeserver.services.messages.services import MessageServices
from homeserver.services.moderation.services import ModerationServices
from homeserver.services.realtime.services import RealtimeServices
from homeserver.services.rooms.services import RoomServices


@dataclass(frozen=True, slots=True)
class ProductServices:
    """The services that every product API calls."""

    accounts: AccountServices
    events: EventServices
    rooms: RoomServices
    messages: MessageServices
    moderation: ModerationServices
    realtime: RealtimeServices
    media: Media

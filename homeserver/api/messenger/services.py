"""The services that this API calls."""

from dataclasses import dataclass

from homeserver.http.address import ClientAddress
from homeserver.services.accounts.services import AccountServices
from homeserver.services.auth.services import AuthServices
from homeserver.services.events.services import EventServices
from homeserver.services.media.store import Media
from homeserver.services.messages.services import MessageServices
from homeserver.services.moderation.services import ModerationServices
from homeserver.services.realtime.services import RealtimeServices
from homeserver.services.rooms.services import RoomServices


@dataclass(frozen=True, slots=True)
class MessengerServices:
    """The services that this API calls. `address`: the client's address, for rate limits."""

    accounts: AccountServices
    auth: AuthServices
    events: EventServices
    rooms: RoomServices
    messages: MessageServices
    moderation: ModerationServices
    realtime: RealtimeServices
    media: Media
    address: ClientAddress

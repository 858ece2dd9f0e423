"""What there is to do in rooms, all services together: what a face is given."""

from dataclasses import dataclass

from homeserver.services.accounts.blocks import Blocks
from homeserver.services.enquiries import Enquiries
from homeserver.services.events.access import Access
from homeserver.services.feed import Feed
from homeserver.services.messages.messages import Messages
from homeserver.services.moderation.reports import Reports
from homeserver.services.moderation.send_policy import Speech
from homeserver.services.presence import Presence
from homeserver.services.receipts import Receipts
from homeserver.services.replay import Replay
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.rooms import Rooms
from homeserver.services.typing import Typing


@dataclass(frozen=True, slots=True)
class Chat:
    """Rooms and what happens in them."""

    access: Access
    rooms: Rooms
    members: Members
    messages: Messages
    receipts: Receipts
    feed: Feed
    replay: Replay
    typing: Typing
    presence: Presence
    enquiries: Enquiries
    blocks: Blocks
    reports: Reports
    speech: Speech

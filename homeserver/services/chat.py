"""What there is to do in rooms, all services together: what a face is given."""

from dataclasses import dataclass

from homeserver.services.accounts.blocks import Blocks
from homeserver.services.enquiries.enquiries import Enquiries
from homeserver.services.events.access import Access
from homeserver.services.messages.messages import Messages
from homeserver.services.moderation.reports import Reports
from homeserver.services.moderation.send_policy import SendPolicy
from homeserver.services.realtime.catch_up import CatchUp
from homeserver.services.realtime.connections import Presence
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.read_markers import Receipts
from homeserver.services.realtime.typing import Typing
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.rooms import Rooms


@dataclass(frozen=True, slots=True)
class Chat:
    """Rooms and what happens in them."""

    access: Access
    rooms: Rooms
    members: Members
    messages: Messages
    receipts: Receipts
    feed: Feed
    replay: CatchUp
    typing: Typing
    presence: Presence
    enquiries: Enquiries
    blocks: Blocks
    reports: Reports
    send_policy: SendPolicy

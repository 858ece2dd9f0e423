"""Wiring of enquiries and their guests."""

from homeserver.services.accounts.services import AccountServices
from homeserver.services.enquiries.enquiries import Enquiries
from homeserver.services.enquiries.enquiryviews import EnquiryViews
from homeserver.services.enquiries.guests import GuestKey, Guests
from homeserver.services.enquiries.services import EnquiryServices
from homeserver.services.events.services import EventServices
from homeserver.services.rooms.initial_state import ProductInitialState
from homeserver.services.rooms.services import RoomServices
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_enquiries(
    settings: Settings, core: Core, accounts: AccountServices, events: EventServices, rooms: RoomServices
) -> EnquiryServices:
    """Build the enquiry services."""
    profiles, views = accounts.profiles, events.message_views
    return EnquiryServices(
        enquiries=Enquiries(
            timeline=core.timeline,
            rooms=rooms.rooms,
            views=EnquiryViews(core.db, profiles, views, settings.rooms.cached_enquiries),
            limits=core.limits,
            initial_state=ProductInitialState(settings.rooms, settings.server.default_room_version),
            blocks=accounts.blocks,
        ),
        guests=Guests(
            db=core.db,
            timeline=core.timeline,
            profiles=profiles,
            clock=core.clock,
            key=GuestKey(core.keys.guests, settings.server.name),
            settings=settings.guests,
            limits=core.limits,
        ),
    )

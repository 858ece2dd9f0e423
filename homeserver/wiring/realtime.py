"""Wiring of the feed to sockets, and of ephemeral events."""

from homeserver.services.accounts.services import AccountServices
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.events.services import EventServices
from homeserver.services.realtime.catch_up import CatchUp
from homeserver.services.realtime.connections import LiveConnections
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.presence import Presence
from homeserver.services.realtime.receipts import Receipts
from homeserver.services.realtime.services import RealtimeServices
from homeserver.services.realtime.typing import Typing
from homeserver.services.rooms.services import RoomServices
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_realtime(
    settings: Settings,
    core: Core,
    accounts: AccountServices,
    clientdata: ClientDataServices,
    events: EventServices,
    rooms: RoomServices,
) -> RealtimeServices:
    """Build the realtime services."""
    db, timeline, access, blocks = core.db, core.timeline, events.access, accounts.blocks
    feed = Feed(
        db=db,
        live=core.live,
        timeline=timeline,
        views=events.message_views,
        rooms=rooms.views,
        profiles=accounts.profiles,
        max_waiting=settings.timeline.ring_entries,
    )
    return RealtimeServices(
        feed=feed,
        catch_up=CatchUp(db=db, access=access, views=events.message_views),
        typing=Typing(feed, access, blocks, core.servers, core.clock),
        connections=LiveConnections(feed, access, blocks),
        presence=Presence(
            db=db,
            clock=core.clock,
            blocks=blocks,
            servers=core.servers,
            settings=settings.matrix,
        ),
        receipts=Receipts(
            db=db,
            timeline=timeline,
            access=access,
            blocks=blocks,
            data=clientdata.account_data,
            clock=core.clock,
        ),
    )

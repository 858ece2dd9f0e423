"""Wiring of access to events."""

from homeserver.services.accounts.services import AccountServices
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.events.access import Access
from homeserver.services.events.history import History
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.services import EventServices
from homeserver.services.events.visibility import Visibility
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_events(
    settings: Settings, core: Core, accounts: AccountServices, clientdata: ClientDataServices
) -> EventServices:
    """Build the services that read events."""
    db, timeline, data = core.db, core.timeline, clientdata.account_data
    visibility = Visibility(db)
    return EventServices(
        access=Access(db, timeline, visibility, cached_rooms=settings.timeline.cached_rooms),
        visibility=visibility,
        history=History(db=db, timeline=timeline, visibility=visibility, data=data),
        rendering=Rendering(db=db, clock=core.clock, data=data, settings=settings.matrix),
        message_views=MessageViews(
            db=db, timeline=timeline, profiles=accounts.profiles, server=settings.server.name
        ),
    )

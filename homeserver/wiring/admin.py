"""Wiring of server administration."""

from homeserver.services.accounts.services import AccountServices
from homeserver.services.admin.accounts import Administration
from homeserver.services.admin.rooms import Moderation
from homeserver.services.admin.server_notices import Notices
from homeserver.services.admin.services import AdminServices
from homeserver.services.auth.services import AuthServices
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.messages.services import MessageServices
from homeserver.services.rooms.services import RoomServices
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_notices(settings: Settings, core: Core, clientdata: ClientDataServices) -> Notices:
    """Build server notices; room services ask them before a user leaves a room."""
    return Notices(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        data=clientdata.account_data,
        settings=settings.notices,
        server_name=settings.server.name,
        version=settings.server.default_room_version,
    )


def build_admin(
    settings: Settings,
    core: Core,
    accounts: AccountServices,
    auth: AuthServices,
    rooms: RoomServices,
    messages: MessageServices,
    notices: Notices,
) -> AdminServices:
    """Build the administration services."""
    return AdminServices(
        accounts=Administration(
            accounts=accounts.accounts, sessions=auth.sessions, server_name=settings.server.name
        ),
        rooms=Moderation(
            db=core.db,
            timeline=core.timeline,
            messages=messages.messages,
            rooms=rooms.rooms,
            clock=core.clock,
        ),
        server_notices=notices,
    )

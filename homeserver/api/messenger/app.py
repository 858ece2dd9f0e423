"""Puts the messenger face together."""

from dataclasses import dataclass

from homeserver.api.messenger.errors import ERRORS
from homeserver.api.messenger.logins import Logins
from homeserver.api.messenger.users import Companions, Users
from homeserver.http.address import ClientAddress
from homeserver.http.routes import Desk, Face
from homeserver.http.site import face_application
from homeserver.services.accounts import Accounts
from homeserver.services.profiles import Profiles
from homeserver.services.sessions import Sessions
from homeserver.settings.models import MessengerSettings

ABOUT = """\
## Messenger

All ids are integers. `POST {prefix}/auth/login` gives an access token for `Authorization: Bearer TOKEN`, and a refresh
token that is good for one `POST {prefix}/auth/refresh`. Using a refresh token twice ends its session.
"""


@dataclass(frozen=True, slots=True)
class MessengerServices:
    """What this face calls."""

    accounts: Accounts
    sessions: Sessions
    profiles: Profiles
    companions: Companions


def make(
    services: MessengerServices,
    *,
    settings: MessengerSettings,
    desk: Desk,
    address: ClientAddress,
    max_page: int,
) -> Face:
    """The face."""
    logins = Logins(accounts=services.accounts, sessions=services.sessions, address=address)
    users = Users(profiles=services.profiles, members=services.companions, max_page=max_page)
    routes = (*logins.routes(), *users.routes())
    return Face(
        name="Messenger",
        prefix=settings.prefix,
        application=face_application(desk, ERRORS, routes),
        routes=routes,
        about=ABOUT.format(prefix=settings.prefix),
    )

"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.admin.accounts import Administration
from homeserver.services.admin.rooms import Moderation
from homeserver.services.admin.server_notices import Notices


@dataclass(frozen=True, slots=True)
class AdminServices:
    """What administrators of the server can do."""

    accounts: Administration
    rooms: Moderation
    server_notices: Notices

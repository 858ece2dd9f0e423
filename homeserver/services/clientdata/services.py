"""The services of this package, all together: what wiring builds and an API is given."""

from dataclasses import dataclass

from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.clientdata.filters import Filters
from homeserver.services.clientdata.push_rules import PushRules


@dataclass(frozen=True, slots=True)
class ClientDataServices:
    """What clients store with the server."""

    account_data: AccountData
    push_rules: PushRules
    filters: Filters

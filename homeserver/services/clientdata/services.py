"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.clientdata.filters import Filters
from homeserver.services.clientdata.push_rules import PushRules


@dataclass(frozen=True, slots=True)
class ClientDataServices:
    """Account data, push rules and filters."""

    account_data: AccountData
    push_rules: PushRules
    filters: Filters

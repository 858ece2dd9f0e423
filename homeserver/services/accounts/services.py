"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.guestaccounts import GuestAccounts
from homeserver.services.accounts.passwords import Passwords
from homeserver.services.accounts.profilefields import ProfileFields
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.userdirectory import UserDirectory


@dataclass(frozen=True, slots=True)
class AccountServices:
    """Accounts, profiles, user directory, and blocks."""

    accounts: Accounts
    guest_accounts: GuestAccounts
    passwords: Passwords
    profiles: Profiles
    profile_fields: ProfileFields
    directory: UserDirectory
    blocks: Blocks

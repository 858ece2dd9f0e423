"""Wiring of accounts, profiles and blocks."""

from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.guestaccounts import GuestAccounts
from homeserver.services.accounts.passwords import Passwords
from homeserver.services.accounts.profilefields import ProfileFields
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.services import AccountServices
from homeserver.services.accounts.userdirectory import UserDirectory
from homeserver.services.accounts.uservisibility import UserVisibility
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_accounts(settings: Settings, core: Core) -> AccountServices:
    """Build the account services."""
    db, timeline, clock, limits, server = (
        core.db,
        core.timeline,
        core.clock,
        core.limits,
        settings.server.name,
    )
    passwords = Passwords(settings.accounts)
    visibility = UserVisibility(db=db, settings=settings.user_directory)
    profiles = Profiles(
        db=db, timeline=timeline, cached_people=settings.accounts.cached_people, visibility=visibility
    )
    accounts = Accounts(
        db=db,
        timeline=timeline,
        clock=clock,
        settings=settings.accounts,
        passwords=passwords,
        limits=limits,
        server_name=server,
    )
    return AccountServices(
        accounts=accounts,
        guest_accounts=GuestAccounts(
            db=db,
            timeline=timeline,
            clock=clock,
            settings=settings.guest_accounts,
            limits=limits,
            accounts=accounts,
            server_name=server,
        ),
        passwords=passwords,
        profiles=profiles,
        profile_fields=ProfileFields(db=db, limits=limits),
        directory=_directory(settings, core, visibility),
        blocks=_blocks(settings, core, profiles),
    )


def _directory(settings: Settings, core: Core, visibility: UserVisibility) -> UserDirectory:
    return UserDirectory(
        db=core.db,
        visibility=visibility,
        limits=core.limits,
        server=settings.server.name,
        shows_all=settings.user_directory.all_users,
    )


def _blocks(settings: Settings, core: Core, profiles: Profiles) -> Blocks:
    return Blocks(
        db=core.db,
        timeline=core.timeline,
        profiles=profiles,
        limits=core.limits,
        clock=core.clock,
        settings=settings.moderation,
    )

"""Accounts, sessions, guests, and what people may do how often."""

from dataclasses import dataclass

from homeserver.kit.ratelimit import RateLimits
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.guestaccounts import GuestAccounts
from homeserver.services.accounts.passwords import Passwords
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.auth.jwt_login import JwtLogin, make_issuers
from homeserver.services.auth.servicekeys import ServiceKeys
from homeserver.services.auth.sessions import Sessions
from homeserver.services.auth.token_format import TokenKey
from homeserver.services.enquiries.guests import GuestKey, Guests
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


@dataclass(frozen=True, slots=True)
class People:
    """Accounts, sessions and what people may do how often."""

    limits: RateLimits
    passwords: Passwords
    profiles: Profiles
    accounts: Accounts
    sessions: Sessions
    hosts: JwtLogin
    guests: Guests
    guest_accounts: GuestAccounts
    blocks: Blocks
    service_keys: ServiceKeys


def build_people(settings: Settings, core: Core) -> People:
    """Build them on the log."""
    limits = RateLimits(settings.rate_limits, core.clock, core.metrics.rate_limited)
    passwords = Passwords(settings.accounts)
    profiles = Profiles(db=core.db, timeline=core.timeline, cached_people=settings.accounts.cached_people)
    accounts = Accounts(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        settings=settings.accounts,
        passwords=passwords,
        limits=limits,
        server_name=settings.server.name,
    )
    sessions = Sessions(
        db=core.db,
        timeline=core.timeline,
        key=TokenKey(core.keys.access_token, settings.server.name),
        clock=core.clock,
        settings=settings.tokens,
        limits=limits,
    )
    return People(
        limits=limits,
        passwords=passwords,
        profiles=profiles,
        accounts=accounts,
        sessions=sessions,
        hosts=_hosts(settings, core, profiles),
        guests=_guests(settings, core, profiles, limits),
        guest_accounts=_guest_accounts(settings, core, limits),
        blocks=_blocks(settings, core, profiles, limits),
        service_keys=_service_keys(settings, core, limits),
    )


def _hosts(settings: Settings, core: Core, profiles: Profiles) -> JwtLogin:
    return JwtLogin(
        db=core.db,
        profiles=profiles,
        issuers=make_issuers(settings.issuers, core.clock),
        clock=core.clock,
        server_name=settings.server.name,
        cache_entries=settings.tokens.cache_entries,
    )


def _guests(settings: Settings, core: Core, profiles: Profiles, limits: RateLimits) -> Guests:
    return Guests(
        db=core.db,
        timeline=core.timeline,
        profiles=profiles,
        clock=core.clock,
        key=GuestKey(core.keys.guests, settings.server.name),
        settings=settings.guests,
        limits=limits,
    )


def _guest_accounts(settings: Settings, core: Core, limits: RateLimits) -> GuestAccounts:
    return GuestAccounts(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        settings=settings.guest_accounts,
        limits=limits,
        server_name=settings.server.name,
    )


def _blocks(settings: Settings, core: Core, profiles: Profiles, limits: RateLimits) -> Blocks:
    return Blocks(
        db=core.db,
        timeline=core.timeline,
        profiles=profiles,
        limits=limits,
        clock=core.clock,
        settings=settings.moderation,
    )


def _service_keys(settings: Settings, core: Core, limits: RateLimits) -> ServiceKeys:
    return ServiceKeys(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        limits=limits,
        scopes=("university", "messenger", *settings.bridges),
        cache_entries=settings.tokens.cache_entries,
    )

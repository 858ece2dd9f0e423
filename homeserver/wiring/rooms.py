"""Wiring of rooms and memberships."""

from collections.abc import Sequence

from homeserver.services.accounts.services import AccountServices
from homeserver.services.admin.server_notices import Notices
from homeserver.services.events.services import EventServices
from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.create import RoomCreation
from homeserver.services.rooms.directory import Directory
from homeserver.services.rooms.guest_eviction import GuestEviction
from homeserver.services.rooms.initial_state import ProductInitialState
from homeserver.services.rooms.leave_on_deactivation import LeaveOnDeactivation
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.membership import Membership
from homeserver.services.rooms.profile_propagation import MemberProfiles
from homeserver.services.rooms.rooms import Rooms
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.services.rooms.services import RoomServices
from homeserver.services.rooms.spaces import SpaceLimits, Spaces
from homeserver.services.rooms.upgrade_account_data import AccountDataCarryOver
from homeserver.services.rooms.upgrades import UpgradeCarryOver, Upgrades
from homeserver.settings.models import Settings
from homeserver.wiring.clientdata import data_limits
from homeserver.wiring.core import Core


def build_rooms(
    settings: Settings,
    core: Core,
    accounts: AccountServices,
    events: EventServices,
    notices: Notices,
    carry_overs: Sequence[UpgradeCarryOver],
) -> RoomServices:
    """Build the room services. `carry_overs` run when a room is upgraded; `notices` are asked before a user leaves."""
    db, timeline, profiles, blocks = core.db, core.timeline, accounts.profiles, accounts.blocks
    views = RoomViews(db=db, profiles=profiles, messages=events.message_views)
    members = Members(timeline=timeline, access=events.access, views=views, profiles=profiles, blocks=blocks)
    aliases = _aliases(settings, core)
    leave_on_deactivation = LeaveOnDeactivation(db=db, live=core.live, timeline=timeline)
    return RoomServices(
        rooms=Rooms(
            timeline=timeline,
            access=events.access,
            views=views,
            members=members,
            profiles=profiles,
            limits=core.limits,
            initial_state=ProductInitialState(settings.rooms, settings.server.default_room_version),
        ),
        views=views,
        creation=RoomCreation(
            timeline=timeline,
            profiles=profiles,
            limits=core.limits,
            settings=settings.rooms,
            default_version=settings.server.default_room_version,
            blocks=blocks,
            aliases=aliases,
        ),
        members=members,
        membership=Membership(
            db=db,
            timeline=timeline,
            profiles=profiles,
            limits=core.limits,
            blocks=blocks,
            members=members,
            check_leave=notices.check_leave,
        ),
        aliases=aliases,
        directory=_directory(settings, core),
        spaces=_spaces(settings, core),
        upgrades=_upgrades(settings, core, accounts, carry_overs),
        profile_propagation=_profile_propagation(settings, core, accounts),
        leave_on_deactivation=leave_on_deactivation,
        guest_eviction=GuestEviction(db=db, live=core.live, leave_on_deactivation=leave_on_deactivation),
    )


def _aliases(settings: Settings, core: Core) -> Aliases:
    return Aliases(
        db=core.db,
        timeline=core.timeline,
        limits=core.limits,
        clock=core.clock,
        server_name=settings.server.name,
        max_of_room=settings.matrix.max_room_aliases,
    )


def _directory(settings: Settings, core: Core) -> Directory:
    return Directory(
        db=core.db,
        timeline=core.timeline,
        limits=core.limits,
        server_name=settings.server.name,
        max_page=settings.matrix.max_public_rooms,
    )


def _spaces(settings: Settings, core: Core) -> Spaces:
    matrix = settings.matrix
    limits = SpaceLimits(matrix.max_space_page, matrix.max_space_depth, matrix.max_space_rooms)
    return Spaces(db=core.db, limits=core.limits, space_limits=limits)


def _upgrades(
    settings: Settings, core: Core, accounts: AccountServices, carry_overs: Sequence[UpgradeCarryOver]
) -> Upgrades:
    return Upgrades(
        timeline=core.timeline,
        profiles=accounts.profiles,
        limits=core.limits,
        carry_overs=[AccountDataCarryOver(core.db, core.timeline, data_limits(settings)), *carry_overs],
        max_events=settings.matrix.max_upgrade_events,
    )


def _profile_propagation(settings: Settings, core: Core, accounts: AccountServices) -> MemberProfiles:
    propagation = MemberProfiles(
        db=core.db,
        timeline=core.timeline,
        profiles=accounts.profiles,
        most=settings.matrix.max_waiting_profiles,
    )
    if settings.matrix.enabled:  # only Matrix clients show the names in member events
        accounts.profiles.listen(propagation.changed)
    return propagation

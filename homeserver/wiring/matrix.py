"""What only Matrix clients ask for."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeserver.services.accounts.profilefields import ProfileFields
from homeserver.services.admin.accounts import Administration
from homeserver.services.admin.server_notices import Notices
from homeserver.services.auth.devices import Devices
from homeserver.services.auth.logintokens import LoginTokens
from homeserver.services.auth.openid import OpenIds
from homeserver.services.auth.registration import Registering, RegistrationTokens
from homeserver.services.auth.uia import UserInteractiveAuth
from homeserver.services.chat import Chat
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.events.history import History
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.visibility import Visibility
from homeserver.services.finding import Finding
from homeserver.services.messages.client_events import RoomEvents
from homeserver.services.rooms.create import RoomCreation
from homeserver.services.rooms.guest_eviction import GuestEviction
from homeserver.services.rooms.leave_on_deactivation import LeaveOnDeactivation
from homeserver.services.rooms.membership import Membership
from homeserver.services.rooms.profile_propagation import MemberProfiles
from homeserver.services.rooms.upgrades import UpgradeCarryOver
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core
from homeserver.wiring.finding import build_finding
from homeserver.wiring.people import People


@dataclass(frozen=True, slots=True)
class Proofs:
    """What Matrix clients need to log in, to register, and to prove who asks."""

    devices: Devices
    interactions: UserInteractiveAuth
    registration_tokens: RegistrationTokens
    registration: Registering
    login_tokens: LoginTokens
    openids: OpenIds
    fields: ProfileFields
    administration: Administration


@dataclass(frozen=True, slots=True)
class RawRooms:
    """Rooms and events as Matrix clients speak of them."""

    finding: Finding
    creation: RoomCreation
    membership: Membership
    events: RoomEvents
    history: History
    rendering: Rendering
    member_profiles: MemberProfiles
    leave_on_deactivation: LeaveOnDeactivation
    guest_eviction: GuestEviction
    notices: Notices
    visibility: Visibility


def build_proofs(settings: Settings, core: Core, people: People) -> Proofs:
    """Build what logging in needs."""
    interactions = UserInteractiveAuth(
        db=core.db,
        clock=core.clock,
        settings=settings.interactions,
        limits=people.limits,
        secret=core.keys.access_token,
    )
    tokens = RegistrationTokens(db=core.db, clock=core.clock, limits=people.limits)
    return Proofs(
        devices=Devices(db=core.db, sessions=people.sessions),
        interactions=interactions,
        registration_tokens=tokens,
        registration=Registering(tokens, settings.matrix),
        login_tokens=LoginTokens(
            db=core.db,
            profiles=people.profiles,
            clock=core.clock,
            limits=people.limits,
            ttl_s=settings.matrix.login_token_ttl_s,
        ),
        openids=OpenIds(db=core.db, clock=core.clock, limits=people.limits, secret=core.keys.access_token),
        fields=ProfileFields(db=core.db, limits=people.limits),
        administration=Administration(
            accounts=people.accounts, sessions=people.sessions, server_name=settings.server.name
        ),
    )


def build_raw_rooms(
    settings: Settings,
    core: Core,
    people: People,
    chat: Chat,
    carry_overs: Sequence[UpgradeCarryOver],
    data: AccountData,
) -> RawRooms:
    """Build the rooms as Matrix clients speak of them. `carry_overs` run when one is replaced."""
    visibility = Visibility(core.db)
    finding = build_finding(settings, core, people, carry_overs)
    member_profiles = MemberProfiles(
        db=core.db,
        timeline=core.timeline,
        profiles=people.profiles,
        most=settings.matrix.max_waiting_profiles,
    )
    leave_on_deactivation = LeaveOnDeactivation(db=core.db, live=core.live, timeline=core.timeline)
    notices = Notices(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        data=data,
        settings=settings.notices,
        server_name=settings.server.name,
        version=settings.server.default_room_version,
    )
    if settings.matrix.enabled:  # nobody else looks at names in events
        people.profiles.listen(member_profiles.changed)
    return RawRooms(
        finding=finding,
        creation=RoomCreation(
            timeline=core.timeline,
            profiles=people.profiles,
            limits=people.limits,
            settings=settings.rooms,
            default_version=settings.server.default_room_version,
            blocks=chat.blocks,
            aliases=finding.aliases,
        ),
        membership=Membership(
            db=core.db,
            timeline=core.timeline,
            profiles=people.profiles,
            limits=people.limits,
            blocks=chat.blocks,
            members=chat.members,
            check_leave=notices.check_leave,
        ),
        events=RoomEvents(
            db=core.db,
            timeline=core.timeline,
            messages=chat.messages,
            send_policy=chat.send_policy,
            aliases=finding.aliases,
            upgrades=finding.upgrades,
            check_leave=notices.check_leave,
        ),
        history=History(db=core.db, timeline=core.timeline, visibility=visibility, data=data),
        rendering=Rendering(
            db=core.db, clock=core.clock, data=data, cached_events=settings.matrix.cached_events
        ),
        member_profiles=member_profiles,
        leave_on_deactivation=leave_on_deactivation,
        guest_eviction=GuestEviction(db=core.db, live=core.live, leave_on_deactivation=leave_on_deactivation),
        notices=notices,
        visibility=visibility,
    )

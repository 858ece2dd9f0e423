"""Puts the Matrix API together: `/_matrix`, `/.well-known/matrix`, and what tools of other servers call."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from homeserver.api.matrix.accountdata import AccountDataCalls
from homeserver.api.matrix.accounts import AccountCalls, AccountServices
from homeserver.api.matrix.admin import AdminCalls
from homeserver.api.matrix.backups import BackupCalls
from homeserver.api.matrix.dehydrated import DehydratedCalls
from homeserver.api.matrix.delayed import DelayedCalls
from homeserver.api.matrix.devices import DeviceCalls
from homeserver.api.matrix.directory import DirectoryCalls
from homeserver.api.matrix.discovery import Discovery
from homeserver.api.matrix.errors import ERRORS, FORM
from homeserver.api.matrix.events import EventCalls
from homeserver.api.matrix.history import HistoryCalls
from homeserver.api.matrix.keys import KeyCalls
from homeserver.api.matrix.legacy_sync import OldSyncCalls
from homeserver.api.matrix.logins import Logins, LoginServices
from homeserver.api.matrix.media import MediaCalls
from homeserver.api.matrix.outside import OutsideCalls
from homeserver.api.matrix.presence import PresenceCalls
from homeserver.api.matrix.profiles import ProfileCalls
from homeserver.api.matrix.pushers import PusherCalls
from homeserver.api.matrix.pushrules import PushRuleCalls
from homeserver.api.matrix.receipts import ReceiptCalls
from homeserver.api.matrix.reports import ReportCalls
from homeserver.api.matrix.rooms import RoomCalls
from homeserver.api.matrix.search import SearchCalls
from homeserver.api.matrix.server_notices import NoticeCalls
from homeserver.api.matrix.sharedsecret import SharedSecret
from homeserver.api.matrix.sliding import SlidingCalls
from homeserver.api.matrix.spaces import SpaceCalls
from homeserver.api.matrix.sync import SyncCalls
from homeserver.api.matrix.threepids import ThreepidCalls
from homeserver.api.matrix.uia import Passwords
from homeserver.api.matrix.userdirectory import UserDirectoryCalls
from homeserver.clock import Clock
from homeserver.http.apps import face_application
from homeserver.http.cors import Cors
from homeserver.http.credentials import Authenticator, header_token
from homeserver.http.routes import Admit, Allow, Dispatcher, Face, Route
from homeserver.model import Requester
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.guestaccounts import GuestAccounts
from homeserver.services.accounts.profilefields import ProfileFields
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_caller
from homeserver.services.accounts.userdirectory import UserDirectory
from homeserver.services.admin.accounts import Administration
from homeserver.services.admin.server_notices import Notices
from homeserver.services.auth.devices import Devices
from homeserver.services.auth.jwt_login import JwtLogin
from homeserver.services.auth.logintokens import LoginTokens
from homeserver.services.auth.openid import OpenIds
from homeserver.services.auth.registration import Registering, RegistrationTokens
from homeserver.services.auth.sessions import Sessions
from homeserver.services.auth.uia import UserInteractiveAuth
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.clientdata.filters import Filters
from homeserver.services.clientdata.push_rules import PushRules
from homeserver.services.e2ee.encryption import Encryption
from homeserver.services.events.history import History
from homeserver.services.events.rendering import Rendering
from homeserver.services.finding import Finding
from homeserver.services.media.repository import Repository
from homeserver.services.messages.client_events import RoomEvents
from homeserver.services.messages.delayed import DelayedEvents
from homeserver.services.moderation.complaints import Complaints
from homeserver.services.notify.listing import Listing
from homeserver.services.notify.pushers import Pushers
from homeserver.services.previews.service import Previews
from homeserver.services.realtime.presence import Availability
from homeserver.services.realtime.receipts import Markers
from homeserver.services.realtime.typing import Typing
from homeserver.services.rooms.create import RoomCreation
from homeserver.services.rooms.membership import Membership
from homeserver.services.search.messages import MessageSearch
from homeserver.services.sliding.service import SlidingSyncs
from homeserver.services.sync.legacy import LegacySyncs
from homeserver.services.sync.v3 import Syncs
from homeserver.settings.models import MatrixSettings, ServerSettings, TurnSettings, WellKnownSettings

ABOUT = "## Matrix\n\nThe client-server API of the Matrix specification, under `/_matrix/client`."


@dataclass(frozen=True, slots=True)
class MatrixServices:
    """What this face calls. `address`: whose request it is, for limits."""

    accounts: Accounts
    guest_accounts: GuestAccounts
    hosts: JwtLogin
    sessions: Sessions
    devices: Devices
    profiles: Profiles
    interactions: UserInteractiveAuth
    tokens: RegistrationTokens
    registration: Registering
    login_tokens: LoginTokens
    openids: OpenIds
    fields: ProfileFields
    administration: Administration
    creation: RoomCreation
    membership: Membership
    finding: Finding
    events: RoomEvents
    history: History
    rendering: Rendering
    data: AccountData
    push_rules: PushRules
    pushers: Pushers
    listing: Listing
    filters: Filters
    markers: Markers
    typing: Typing
    syncs: Syncs
    sliding: SlidingSyncs
    legacy_syncs: LegacySyncs
    availability: Availability
    e2ee: Encryption
    media: Repository
    previews: Previews
    search: MessageSearch
    directory: UserDirectory
    complaints: Complaints
    delayed: DelayedEvents
    notices: Notices
    address: Callable[[web.Request], str]


@dataclass(frozen=True, slots=True)
class MatrixSections:
    """The settings that this face looks at."""

    server: ServerSettings
    matrix: MatrixSettings
    well_known: WellKnownSettings
    turn: TurnSettings


def make(
    services: MatrixServices,
    dispatcher: Callable[[Admit, Allow], Dispatcher],
    authenticator: Authenticator,
    *,
    settings: MatrixSections,
    clock: Clock,
) -> Sequence[Face]:
    """The faces. `dispatcher` makes a desk that lets people in as this API says."""
    desk_here, server = (
        dispatcher(_admit(authenticator, services.sessions.access_tokens.saw), _allow),
        settings.server,
    )
    passwords = Passwords(
        services.accounts, services.interactions, server_name=server.name, address=services.address
    )
    logins = _logins(services, passwords, settings)
    discovery = Discovery(server=server, well_known=settings.well_known)
    outside = OutsideCalls(services.openids, turn=settings.turn, clock=clock, server_name=server.name)
    calls = (*discovery.routes(), *logins.routes(), *outside.routes())
    routes = (*calls, *_tables(services, logins, passwords, settings.matrix))
    faces = [
        _face("Matrix", "/_matrix", desk_here, (*routes, *_by_old_names(routes)), ABOUT),
        _face("MatrixWellKnown", "/.well-known/matrix", desk_here, discovery.well_known()),
    ]
    tools = list(NoticeCalls(services.notices).routes())
    if settings.matrix.shared_secret is not None:
        secret = settings.matrix.shared_secret.get_secret_value()
        shared = SharedSecret(
            services.accounts, logins=logins, clock=clock, secret=secret, settings=settings.matrix
        )
        tools += shared.routes()
    return [*faces, _face("MatrixTools", "/_synapse/admin/v1", desk_here, tools)]


def _logins(services: MatrixServices, passwords: Passwords, settings: MatrixSections) -> Logins:
    needed = LoginServices(
        sessions=services.sessions,
        passwords=passwords,
        hosts=services.hosts,
        tokens=services.login_tokens,
        address=services.address,
    )
    return Logins(needed, public_url=settings.server.public_url, server_name=settings.server.name)


def _tables(
    services: MatrixServices, logins: Logins, passwords: Passwords, settings: MatrixSettings
) -> Iterator[Route]:
    """The calls that need a person, table by table."""
    account_services = AccountServices(
        services.accounts,
        services.guest_accounts,
        services.devices,
        services.profiles,
        services.interactions,
        services.tokens,
        services.registration,
        services.address,
    )
    yield from AccountCalls(account_services, logins=logins, passwords=passwords).routes()
    yield from ThreepidCalls(
        accounts=services.accounts, profiles=services.profiles, passwords=passwords
    ).routes()
    yield from AdminCalls(services.administration).routes()
    yield from DeviceCalls(devices=services.devices, passwords=passwords).routes()
    yield from KeyCalls(services.e2ee, passwords=passwords).routes()
    yield from BackupCalls(services.e2ee.backups).routes()
    yield from DehydratedCalls(services.e2ee.dehydrated).routes()
    yield from ProfileCalls(services.profiles, services.fields).routes()
    finding = services.finding
    yield from RoomCalls(
        creation=services.creation,
        membership=services.membership,
        aliases=finding.aliases,
        upgrades=finding.upgrades,
    ).routes()
    yield from DirectoryCalls(
        finding.aliases, finding.directory, server_name=finding.server_name, address=services.address
    ).routes()
    yield from SpaceCalls(finding.spaces, finding.aliases, services.membership).routes()
    yield from EventCalls(services.events, services.delayed).routes()
    yield from AccountDataCalls(services.data, services.filters).routes()
    yield from PushRuleCalls(services.push_rules).routes()
    yield from PusherCalls(services.pushers, services.listing).routes()
    yield from SyncCalls(services.syncs, services.filters).routes()
    yield from SlidingCalls(services.sliding).routes()
    yield from OldSyncCalls(services.legacy_syncs, services.history, services.rendering).routes()
    yield from PresenceCalls(services.availability).routes()
    yield from ReceiptCalls(services.markers, services.typing).routes()
    yield from MediaCalls(services.media, services.previews).routes()
    yield from HistoryCalls(services.history, services.rendering, max_page=settings.max_page).routes()
    yield from _searching(services, settings)


def _searching(services: MatrixServices, settings: MatrixSettings) -> Iterator[Route]:
    """The calls that find, report, and let events wait."""
    around = settings.max_search_context
    yield from SearchCalls(services.search, services.rendering, max_around=around).routes()
    yield from UserDirectoryCalls(services.directory).routes()
    yield from ReportCalls(services.complaints).routes()
    yield from DelayedCalls(services.delayed).routes()


def _by_old_names(routes: Iterable[Route]) -> Iterator[Route]:
    """The same calls as clients know them that were written before version 1.1 of the specification."""
    for route in routes:
        if "/v3/" in route.path:
            yield replace(route, path=route.path.replace("/v3/", "/r0/", 1), documented=False)


def _face(name: str, prefix: str, dispatcher: Dispatcher, routes: Sequence[Route], about: str = "") -> Face:
    application = face_application(dispatcher, ERRORS, routes)
    Cors(("*",)).install(application)  # a client may be a page of any site; its token stands in a header
    return Face(name, prefix, application, routes, about, FORM, document="matrix")


def _admit(authenticator: Authenticator, saw: Callable[[Requester, str], None]) -> Admit:
    """A token in the header, or in the query as old clients send it. `saw` hears who came with which program."""

    async def admit(request: web.Request) -> Requester:
        token = header_token(request) or request.query.get("access_token", "")
        requester = await authenticator.admit(request, token)
        saw(requester, request.headers.get("User-Agent", ""))
        return requester

    return admit


def _allow(route: Route, requester: Requester) -> None:
    check_caller(requester, guests=route.guests, locked=route.locked)

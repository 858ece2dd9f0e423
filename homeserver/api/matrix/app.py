"""Builds the Matrix API: `/_matrix`, `/.well-known/matrix`, and the admin calls of other homeservers' tools."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from homeserver.api.matrix.accountdata import AccountDataCalls
from homeserver.api.matrix.accounts import AccountCalls
from homeserver.api.matrix.admin import AdminCalls
from homeserver.api.matrix.appservices import AppServiceCalls
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
from homeserver.api.matrix.legacy_sync import LegacySyncCalls
from homeserver.api.matrix.logins import Logins, LoginServices
from homeserver.api.matrix.media import MediaCalls
from homeserver.api.matrix.openid import OpenIdCalls
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
from homeserver.api.matrix.thirdparty import ThirdPartyCalls
from homeserver.api.matrix.threepids import ThreepidCalls
from homeserver.api.matrix.uia import Passwords
from homeserver.api.matrix.userdirectory import UserDirectoryCalls
from homeserver.api.matrix.voip import VoipCalls
from homeserver.clock import Clock
from homeserver.http.apps import face_application
from homeserver.http.cors import Cors
from homeserver.http.credentials import Authenticator, header_token
from homeserver.http.routes import Admit, Dispatcher, Face, Route
from homeserver.model import Requester
from homeserver.services.accounts.services import AccountServices
from homeserver.services.accounts.status import check_caller
from homeserver.services.admin.services import AdminServices
from homeserver.services.auth.services import AuthServices
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.e2ee.encryption import Encryption
from homeserver.services.events.services import EventServices
from homeserver.services.media.repository import Repository
from homeserver.services.messages.services import MessageServices
from homeserver.services.moderation.services import ModerationServices
from homeserver.services.previews.service import Previews
from homeserver.services.push.notifications.service import Notifications
from homeserver.services.realtime.services import RealtimeServices
from homeserver.services.rooms.services import RoomServices
from homeserver.services.search.services import SearchServices
from homeserver.services.sliding.services import SlidingServices
from homeserver.services.sync.services import SyncServices
from homeserver.settings.models import MatrixSettings, ServerSettings, TurnSettings, WellKnownSettings

ABOUT = "## Matrix\n\nThe client-server API of the Matrix specification, under `/_matrix/client`."
_ONCE_UNSTABLE: Final = (
    "/client/v3/account/3pid",
    "/client/v3/delete_devices",
    "/client/v3/devices",
    "/client/v3/keys/",
    "/client/v3/room_keys/",
    "/client/v3/sendToDevice/",
)


@dataclass(frozen=True, slots=True)
class MatrixServices:
    """The services that this API calls. `address`: the client's address, for rate limits."""

    accounts: AccountServices
    auth: AuthServices
    clientdata: ClientDataServices
    e2ee: Encryption
    events: EventServices
    rooms: RoomServices
    messages: MessageServices
    moderation: ModerationServices
    realtime: RealtimeServices
    search: SearchServices
    media: Repository
    previews: Previews
    notifications: Notifications
    sync: SyncServices
    sliding: SlidingServices
    admin: AdminServices
    address: Callable[[web.Request], str]


@dataclass(frozen=True, slots=True)
class MatrixSections:
    """The settings that this API reads."""

    server: ServerSettings
    matrix: MatrixSettings
    well_known: WellKnownSettings
    turn: TurnSettings


def make(
    services: MatrixServices,
    dispatcher: Callable[..., Dispatcher],
    authenticator: Authenticator,
    *,
    settings: MatrixSections,
    clock: Clock,
) -> Sequence[Face]:
    """The faces. `dispatcher` makes a dispatcher from this API's admission rules."""
    admit = _admit(authenticator, services.auth.sessions.access_tokens.saw)
    dispatch, server = dispatcher(admit, allow=_allow, bad_query="invalid_query"), settings.server
    passwords = Passwords(
        services.accounts.accounts, services.auth.uia, server_name=server.name, address=services.address
    )
    logins = _logins(services, passwords, settings)
    discovery = Discovery(server=server, well_known=settings.well_known)
    voip = VoipCalls(turn=settings.turn, clock=clock)
    openid = OpenIdCalls(services.auth.openid, server_name=server.name)
    outside = (
        *voip.routes(),
        *openid.routes(),
        *ThirdPartyCalls().routes(),
        *AppServiceCalls().routes(),
    )
    calls = (*discovery.routes(), *logins.routes(), *outside)
    routes = (*calls, *_user_routes(services, logins, passwords, settings))
    faces = [
        _matrix_face(dispatch, routes),
        _face("MatrixWellKnown", "/.well-known/matrix", dispatch, discovery.well_known()),
    ]
    return [
        *faces,
        _face(
            "MatrixTools", "/_synapse/admin/v1", dispatch, _tools(services, logins, clock, settings.matrix)
        ),
        _face(
            "MatrixOtherTools", "/_synapse", dispatch, ()
        ),  # what is not there fails as Matrix tools expect
    ]


def _tools(
    services: MatrixServices, logins: Logins, clock: Clock, settings: MatrixSettings
) -> Sequence[Route]:
    """The admin calls of other homeservers' tools."""
    tools = list(NoticeCalls(services.admin.server_notices).routes())
    if settings.shared_secret is not None:
        shared = SharedSecret(
            services.accounts.accounts,
            logins=logins,
            clock=clock,
            secret=settings.shared_secret.get_secret_value(),
            settings=settings,
            address=services.address,
        )
        tools += shared.routes()
    return tools


def _logins(services: MatrixServices, passwords: Passwords, settings: MatrixSections) -> Logins:
    needed = LoginServices(
        sessions=services.auth.sessions,
        passwords=passwords,
        hosts=services.auth.jwt_login,
        tokens=services.auth.login_tokens,
        address=services.address,
    )
    return Logins(needed, public_url=settings.server.public_url, server_name=settings.server.name)


def _user_routes(
    services: MatrixServices, logins: Logins, passwords: Passwords, settings: MatrixSections
) -> Iterator[Route]:
    """The routes that need a user."""
    accounts, rooms, events = services.accounts, services.rooms, services.events
    yield from AccountCalls(
        accounts, services.auth, logins=logins, passwords=passwords, address=services.address
    ).routes()
    yield from ThreepidCalls(
        accounts=accounts.accounts, profiles=accounts.profiles, passwords=passwords
    ).routes()
    yield from AdminCalls(services.admin.accounts).routes()
    yield from DeviceCalls(devices=services.auth.devices, passwords=passwords).routes()
    yield from KeyCalls(services.e2ee, passwords=passwords, profiles=accounts.profiles).routes()
    yield from BackupCalls(services.e2ee.backups).routes()
    yield from DehydratedCalls(services.e2ee.dehydrated).routes()
    yield from ProfileCalls(accounts.profiles, accounts.profile_fields).routes()
    yield from RoomCalls(
        creation=rooms.creation,
        membership=rooms.membership,
        aliases=rooms.aliases,
        upgrades=rooms.upgrades,
    ).routes()
    yield from DirectoryCalls(
        rooms.aliases, rooms.directory, server_name=settings.server.name, address=services.address
    ).routes()
    yield from SpaceCalls(rooms.spaces, rooms.aliases, rooms.membership).routes()
    yield from EventCalls(services.messages.client_events, services.messages.delayed).routes()
    yield from AccountDataCalls(services.clientdata.account_data, services.clientdata.filters).routes()
    yield from PushRuleCalls(services.clientdata.push_rules).routes()
    yield from PusherCalls(services.notifications.pushers, services.notifications.listing).routes()
    yield from SyncCalls(services.sync.syncs, services.clientdata.filters).routes()
    yield from SlidingCalls(services.sliding.syncs).routes()
    yield from LegacySyncCalls(services.sync.legacy, events.history, events.rendering).routes()
    yield from PresenceCalls(services.realtime.presence).routes()
    yield from ReceiptCalls(
        services.realtime.receipts, services.realtime.typing, services.realtime.presence
    ).routes()
    yield from MediaCalls(services.media, services.previews).routes()
    yield from HistoryCalls(events.history, events.rendering, max_page=settings.matrix.max_page).routes()
    yield from _search_routes(services, settings.matrix)


def _search_routes(services: MatrixServices, settings: MatrixSettings) -> Iterator[Route]:
    """Search, reports and delayed events."""
    around = settings.max_search_context
    yield from SearchCalls(services.search.messages, services.events.rendering, max_around=around).routes()
    yield from UserDirectoryCalls(services.accounts.directory).routes()
    yield from ReportCalls(services.moderation.reports).routes()
    yield from DelayedCalls(services.messages.delayed).routes()


def _matrix_face(dispatch: Dispatcher, routes: Sequence[Route]) -> Face:
    """The face of these calls, with their older names."""
    old = _older_routes(routes, "r0", ("/client/v3/", "/media/v3/"))
    unstable = _older_routes(routes, "unstable", _ONCE_UNSTABLE)
    return _face("Matrix", "/_matrix", dispatch, (*routes, *old), ABOUT, unlisted=unstable)


def _older_routes(routes: Iterable[Route], version: str, beginnings: tuple[str, ...]) -> Iterator[Route]:
    """The paths of these calls under an older name of v3: r0 for clients written before version 1.1 of the
    specification, unstable for what they used before it was in any version."""
    for route in routes:
        if route.path.startswith(beginnings):
            yield replace(route, path=route.path.replace("/v3/", f"/{version}/", 1), documented=False)


def _face(
    name: str,
    prefix: str,
    dispatcher: Dispatcher,
    routes: Sequence[Route],
    about: str = "",
    unlisted: Iterable[Route] = (),
) -> Face:
    application = face_application(dispatcher, ERRORS, (*routes, *unlisted))
    Cors(("*",)).install(application)  # web clients are served from any origin; the token is in a header
    return Face(name, prefix, application, routes, about, FORM, document="matrix")


def _admit(authenticator: Authenticator, saw: Callable[[Requester, str], None]) -> Admit:
    """Admit by the token in the header or, as old clients send it, in the query. `saw` records the user agent."""

    async def admit(request: web.Request) -> Requester:
        token = header_token(request) or request.query.get("access_token", "")
        requester = await authenticator.admit(request, token)
        saw(requester, request.headers.get("User-Agent", ""))
        return requester

    return admit


def _allow(route: Route, requester: Requester) -> None:
    check_caller(requester, guests=route.guests, locked=route.locked)

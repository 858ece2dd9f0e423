"""The second half of the composition root: the APIs on top of a built server."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from aiohttp import web

from homeserver.api.federation import app as federation
from homeserver.api.matrix import app as matrix
from homeserver.api.matrix.openid import OpenIdCalls
from homeserver.api.media import app as media
from homeserver.api.messenger import app as messenger
from homeserver.api.messenger.services import MessengerServices
from homeserver.api.status.docs import Docs
from homeserver.api.status.health import Health
from homeserver.api.university import app as university
from homeserver.api.university.services import UniversityServices
from homeserver.app import Homeserver
from homeserver.bridges import Bridge, BridgeSettings, Context, Parts, check_prefixes, find, set_up
from homeserver.http.address import ClientAddress
from homeserver.http.apps import ApiContext, mount, root_application
from homeserver.http.cors import Cors
from homeserver.http.credentials import Authenticator
from homeserver.http.openapi import About, document
from homeserver.http.routes import Admit, Dispatcher, Face
from homeserver.http.service_key import ServiceKeyAuth
from homeserver.http.sockets import Hub
from homeserver.web.pages import DemoAccount, Pages
from homeserver.web.stages import StagePages

HOMESERVER = web.AppKey("homeserver", Homeserver)  # for tests and templates; handlers get services injected
_ABOUT = "Chat over one signed timeline. All APIs here see the same rooms."


def make_app(
    hs: Homeserver,
    hub: Hub,
    *,
    check: Callable[[], Awaitable[None]],
    demo_accounts: Sequence[DemoAccount] = (),
    bridges: Sequence[Parts] = (),
) -> web.Application:
    """The aiohttp application with everything mounted. `check` raises Unavailable while the server is not ready."""
    settings = hs.settings
    root = root_application(
        Cors(settings.cors.origins), hs.core.metrics, slow_request_ms=settings.logs.slow_request_ms
    )
    root[HOMESERVER] = hs
    faces = [*make_faces(hs, hub), *(face for parts in bridges for face in parts.faces)]
    check_prefixes(faces)
    mount(root, faces)
    release = version("homeserver")
    health = Health(check=check).routes()
    about = About("Homeserver", release, _ABOUT, settings.server.public_url)
    described = [Face("Server", "", root, health), *faces]
    docs = Docs(
        {
            name: partial(document, about, [face for face in described if face.document == name])
            for name in dict.fromkeys(face.document for face in described)
        }
    ).routes()
    public = Dispatcher(
        admit=_authenticator(hs),
        limit=lambda _: None,
        max_body_bytes=settings.listen.max_body_bytes,
        places=hs.core.places,
    )
    public.install(root, (*health, *docs))
    if settings.web.enabled:
        _add_pages(root, hs, demo_accounts)
    for parts in bridges:
        root.add_routes(parts.pages)
        root.on_startup.extend(parts.startup)
    return root


def make_bridges(hs: Homeserver, hub: Hub, find_bridge: Callable[[str], Bridge] = find) -> dict[str, Parts]:
    """The bridges that the settings enable, by name, not yet mounted."""
    settings = hs.settings
    around = BridgeSettings(
        server=settings.server,
        listen=settings.listen,
        cors=settings.cors,
        rooms=settings.rooms,
        media=settings.media,
        guests=settings.guests,
        web=settings.web,
        messenger=settings.messenger,
        issuers={issuer.name: issuer.namespace for issuer in settings.issuers},
    )
    authenticator, address = _authenticator(hs), _address(hs)
    return set_up(
        settings.bridges, lambda name: Context(name, hs, around, hub, authenticator, address), find_bridge
    )


def make_faces(hs: Homeserver, hub: Hub) -> list[Face]:
    """The APIs that the settings enable, not yet mounted."""
    address, authenticator, limit = _address(hs), _authenticator(hs), _limit(hs)

    dispatcher = partial(_dispatcher, hs, limit)

    def context(scope: str, issuer: str) -> ApiContext:
        keys = ServiceKeyAuth(
            check=hs.auth.service_keys.check,
            vouch=hs.auth.jwt_login.vouched,
            address=address,
            scope=scope,
            issuer=issuer or None,
        )
        server, rooms = hs.settings.server, hs.settings.rooms
        return ApiContext(
            dispatcher(keys.beside(authenticator)),
            authenticator,
            hub,
            server.public_url,
            server.name,
            rooms.max_page,
        )

    files = media.make(hs.media.store, dispatcher=dispatcher(authenticator), clock=hs.core.clock)
    # The paths of federation are below those of the Matrix API, so they stand first.
    return [files, *_products(hs, context), *_federation(hs, dispatcher), *_matrix(hs, dispatcher)]


def make_federation_app(hs: Homeserver) -> web.Application:
    """The application of the listener for other servers, with nothing but what they call."""
    slow_ms = hs.settings.logs.slow_request_ms
    root = root_application(Cors(()), hs.core.metrics, slow_request_ms=slow_ms)
    mount(root, _federation(hs, partial(_dispatcher, hs, _limit(hs))))
    return root


def _dispatcher(
    hs: Homeserver, limit: Callable[[web.Request], None], admit: Admit, **more: Any
) -> Dispatcher:
    most = hs.settings.listen.max_body_bytes
    return Dispatcher(admit=admit, limit=limit, max_body_bytes=most, places=hs.core.places, **more)


def _federation(hs: Homeserver, dispatcher: Callable[..., Dispatcher]) -> Sequence[Face]:
    if hs.federation is None:
        return ()
    openid = OpenIdCalls(hs.auth.openid, server_name=hs.settings.server.name)
    return federation.make(hs.federation.keys, dispatcher, [openid.route("/v1/openid/userinfo")])


def _address(hs: Homeserver) -> ClientAddress:
    return ClientAddress(hs.settings.listen.trusted_proxies)


def _limit(hs: Homeserver) -> Callable[[web.Request], None]:
    """Applies the rate limit per client address to a request."""
    address = _address(hs)
    return lambda request: hs.core.limits.check_address("address", address(request))


def _authenticator(hs: Homeserver) -> Authenticator:
    return Authenticator(
        ours=hs.auth.sessions.authenticate,
        hosts=hs.auth.jwt_login.authenticate,
        server_name=hs.settings.server.name,
        address=_address(hs),
    )


def _products(hs: Homeserver, context_of: Callable[[str, str], ApiContext]) -> list[Face]:
    """The product APIs. `context_of`: by the API's name, and the issuer that its service keys act for."""
    settings = hs.settings
    faces: list[Face] = []
    if settings.university.enabled:
        context = context_of("university", settings.university.service_key_issuer)
        made = university.make(
            UniversityServices(
                accounts=hs.accounts,
                events=hs.events,
                rooms=hs.rooms,
                messages=hs.messages,
                moderation=hs.moderation,
                realtime=hs.realtime,
                media=hs.media.store,
            ),
            context,
            settings=settings.university,
        )
        faces += [made, *university.at_other_places(made, context.dispatcher, settings.university.also_at)]
    if settings.messenger.enabled:
        context = context_of("messenger", settings.messenger.service_key_issuer)
        services = MessengerServices(
            accounts=hs.accounts,
            auth=hs.auth,
            events=hs.events,
            rooms=hs.rooms,
            messages=hs.messages,
            moderation=hs.moderation,
            realtime=hs.realtime,
            media=hs.media.store,
            address=_address(hs),
        )
        faces += messenger.make(services, context, settings=settings.messenger)
    return faces


def _matrix(hs: Homeserver, dispatcher: Callable[..., Dispatcher]) -> Sequence[Face]:
    settings = hs.settings
    if not settings.matrix.enabled:
        return ()
    services = matrix.MatrixServices(
        accounts=hs.accounts,
        auth=hs.auth,
        clientdata=hs.clientdata,
        e2ee=hs.e2ee,
        events=hs.events,
        rooms=hs.rooms,
        messages=hs.messages,
        moderation=hs.moderation,
        realtime=hs.realtime,
        search=hs.search,
        media=hs.media.repository,
        previews=hs.previews,
        notifications=hs.notifications,
        sync=hs.sync,
        sliding=hs.sliding,
        admin=hs.admin,
        address=_address(hs),
    )
    authenticator = Authenticator(
        ours=hs.auth.sessions.access_tokens.recognise,
        hosts=hs.auth.jwt_login.authenticate,
        server_name=settings.server.name,
        address=_address(hs),
    )
    sections = matrix.MatrixSections(settings.server, settings.matrix, settings.well_known, settings.turn)
    return matrix.make(services, dispatcher, authenticator, settings=sections, clock=hs.core.clock)


def _add_pages(root: web.Application, hs: Homeserver, demo_accounts: Sequence[DemoAccount]) -> None:
    settings = hs.settings
    pages = Pages(
        server=settings.server,
        web=settings.web,
        university=settings.university,
        messenger=settings.messenger,
        registration_open=settings.accounts.registration,
        has_matrix=settings.matrix.enabled,
        demo_accounts=demo_accounts,
    )
    pages.setup(root)
    root.add_routes(pages.routes())
    if settings.matrix.enabled:
        stages = StagePages(
            hs.auth.uia,
            hs.auth.registration.wanted(""),
            show=pages.show,
            limit=_limit(hs),
            policies=settings.matrix.policies,
        )
        root.add_routes(stages.routes())

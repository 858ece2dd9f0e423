"""Wiring of sessions and login."""

from homeserver.services.accounts.services import AccountServices
from homeserver.services.auth.devices import Devices
from homeserver.services.auth.jwt_login import JwtLogin, make_issuers
from homeserver.services.auth.logintokens import LoginTokens
from homeserver.services.auth.openid import OpenIds
from homeserver.services.auth.registration import Registering, RegistrationTokens
from homeserver.services.auth.servicekeys import ServiceKeys
from homeserver.services.auth.services import AuthServices
from homeserver.services.auth.sessions import Sessions
from homeserver.services.auth.token_format import TokenKey
from homeserver.services.auth.uia import UserInteractiveAuth
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_auth(settings: Settings, core: Core, accounts: AccountServices) -> AuthServices:
    """Build the authentication services."""
    db, clock, limits, secret = core.db, core.clock, core.limits, core.keys.access_token
    sessions = Sessions(
        db=db,
        timeline=core.timeline,
        key=TokenKey(secret, settings.server.name),
        clock=clock,
        settings=settings.tokens,
        limits=limits,
    )
    registration_tokens = RegistrationTokens(db=db, clock=clock, limits=limits)
    return AuthServices(
        sessions=sessions,
        devices=Devices(db=db, timeline=core.timeline, sessions=sessions),
        jwt_login=_jwt_login(settings, core, accounts),
        service_keys=_service_keys(settings, core),
        login_tokens=LoginTokens(
            db=db,
            profiles=accounts.profiles,
            clock=clock,
            limits=limits,
            ttl_s=settings.matrix.login_token_ttl_s,
        ),
        openid=OpenIds(db=db, clock=clock, limits=limits, secret=secret),
        uia=UserInteractiveAuth(
            db=db, clock=clock, settings=settings.interactions, limits=limits, secret=secret
        ),
        registration=Registering(registration_tokens, settings.matrix),
        registration_tokens=registration_tokens,
    )


def _jwt_login(settings: Settings, core: Core, accounts: AccountServices) -> JwtLogin:
    return JwtLogin(
        db=core.db,
        profiles=accounts.profiles,
        issuers=make_issuers(settings.issuers, core.clock, core.outgoing.configured),
        clock=core.clock,
        server_name=settings.server.name,
        cache_entries=settings.tokens.cache_entries,
    )


def _service_keys(settings: Settings, core: Core) -> ServiceKeys:
    return ServiceKeys(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        limits=core.limits,
        scopes=("university", "messenger", *settings.bridges),
        cache_entries=settings.tokens.cache_entries,
    )

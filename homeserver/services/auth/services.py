"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.auth.devices import Devices
from homeserver.services.auth.jwt_login import JwtLogin
from homeserver.services.auth.logintokens import LoginTokens
from homeserver.services.auth.openid import OpenIds
from homeserver.services.auth.registration import Registering, RegistrationTokens
from homeserver.services.auth.servicekeys import ServiceKeys
from homeserver.services.auth.sessions import Sessions
from homeserver.services.auth.uia import UserInteractiveAuth


@dataclass(frozen=True, slots=True)
class AuthServices:
    """Sessions, and the ways to log in."""

    sessions: Sessions
    devices: Devices
    jwt_login: JwtLogin
    service_keys: ServiceKeys
    login_tokens: LoginTokens
    openid: OpenIds
    uia: UserInteractiveAuth
    registration: Registering
    registration_tokens: RegistrationTokens

"""TURN credentials (client-server API, "Voice over IP"): made for one user from a shared secret ("TURN REST API"),
or static ones from the settings."""

import base64
import hmac
from dataclasses import dataclass

from homeserver.protocol.ids import UserId
from homeserver.settings.models import TurnSettings


@dataclass(frozen=True, slots=True)
class TurnCredentials:
    """What a client sends to a TURN server."""

    username: str
    password: str


def turn_credentials(settings: TurnSettings, user_id: UserId, now_ms: int) -> TurnCredentials | None:
    """A user's credentials, valid from now for `ttl_s`; None if no TURN server is configured."""
    if not settings.uris:
        return None
    if settings.secret is not None:
        username = f"{now_ms // 1000 + settings.ttl_s}:{user_id}"
        made = hmac.digest(settings.secret.get_secret_value().encode(), username.encode(), "sha1")
        return TurnCredentials(username, base64.b64encode(made).decode())
    if settings.username is None or settings.password is None:
        return None
    return TurnCredentials(settings.username, settings.password.get_secret_value())

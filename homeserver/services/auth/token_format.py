"""Format of access and refresh tokens: encoding, decoding and checking, without a database or a clock.

An access token is a JWT (HS256) with the claims iss (server name), sub (user id), user_id (number), sid, type
"access", iat, exp, and, if it was issued with a refresh token, rth, which names that one. A refresh token is
`SESSION_ID.RANDOM.MARK`; the mark is a MAC that tells expired tokens of ours from forged ones.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
import orjson

from homeserver.errors import Unauthenticated
from homeserver.model import SessionId
from homeserver.protocol.ids import UserId

ALGORITHM = "HS256"
MAX_ACCESS_CHARS = 2048
MAX_REFRESH_CHARS = 512
MAX_FOREIGN_CHARS = 16_384
_REQUIRED = ["iss", "sub", "sid", "iat", "exp"]
_RANDOM_BYTES = 32
_MARK_BYTES = 16
_PAIR_CHARS = 22


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of an access token of ours."""

    user_id: UserId
    number: int
    session_id: SessionId
    expires_ms: int
    pair: str = ""  # `pair_of` the refresh token that it was issued with; empty: none


@dataclass(frozen=True, slots=True)
class Unverified:
    """Unverified content of a JWT: only to be used to select the issuer whose keys verify it."""

    header: dict[str, Any]
    claims: dict[str, Any]


class TokenKey:
    """The secret that our tokens are signed with. `secret`: at least 32 bytes."""

    def __init__(self, secret: bytes, server_name: str) -> None:
        if len(secret) < 32:
            raise ValueError("the secret for access tokens must have at least 32 bytes")
        self.server_name = server_name
        self._secret = secret
        self._mark_key = hmac.digest(secret, b"refresh token mark", "sha256")
        self._next_key = hmac.digest(secret, b"next refresh token", "sha256")

    def make_access(self, claims: AccessClaims, now_ms: int) -> str:
        """The access token with these claims, issued now."""
        payload = {
            "iss": self.server_name,
            "sub": claims.user_id,
            "user_id": claims.number,
            "sid": claims.session_id,
            "type": "access",
            "iat": now_ms // 1000,
            "exp": claims.expires_ms // 1000,
        }
        if claims.pair:
            payload["rth"] = claims.pair
        return jwt.encode(payload, self._secret, algorithm=ALGORITHM)

    def read_access(self, token: str, now_ms: int) -> AccessClaims:
        """The claims of a token that we signed. Raises Unauthenticated("unknown_token" or "token_expired")."""
        if len(token) > MAX_ACCESS_CHARS:
            raise unknown_token()
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self.server_name,
                options={
                    "require": _REQUIRED,
                    # The times are checked below, by the server's own clock.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
        except (jwt.PyJWTError, UnicodeError) as error:
            raise unknown_token() from error
        return _access_claims(claims, now_ms)

    def make_refresh(self, session_id: SessionId) -> str:
        """A new refresh token of a session."""
        body = f"{session_id}.{secrets.token_urlsafe(_RANDOM_BYTES)}"
        return f"{body}.{self._mark(body)}"

    def next_refresh(self, token: str) -> str:
        """The successor of a refresh token of ours: always the same, and only this server can compute it."""
        random = hmac.digest(self._next_key, token.encode(), "sha256")
        session_id = token.partition(".")[0]
        body = f"{session_id}.{base64.urlsafe_b64encode(random).decode().rstrip('=')}"
        return f"{body}.{self._mark(body)}"

    def session_of_refresh(self, token: str) -> SessionId | None:
        """The session of a refresh token that we issued (perhaps no longer valid), None for any other text."""
        body, _, mark = token.rpartition(".")
        if len(token) > MAX_REFRESH_CHARS or not token.isascii():
            return None
        if not hmac.compare_digest(self._mark(body), mark):
            return None
        return SessionId(body.partition(".")[0])

    def _mark(self, body: str) -> str:
        made = hmac.digest(self._mark_key, body.encode(), "sha256")
        return base64.urlsafe_b64encode(made[:_MARK_BYTES]).decode().rstrip("=")


def refresh_hash(token: str) -> str:
    """The hash that is stored. The token is random enough to need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def pair_of(stored_hash: str) -> str:
    """The `rth` claim of an access token, from the `refresh_hash` of the refresh token issued with it."""
    return stored_hash[:_PAIR_CHARS]


def peek(token: str) -> Unverified:
    """Header and claims of a JWT, unverified. Raises Unauthenticated if it is no JWT."""
    parts = token.split(".")
    if len(token) > MAX_FOREIGN_CHARS or not token.isascii() or len(parts) != 3:
        raise unknown_token()
    return Unverified(_json_object(parts[0]), _json_object(parts[1]))


def unknown_token() -> Unauthenticated:
    """The error for an invalid token; the same for all reasons, so that the caller learns no more."""
    return Unauthenticated("this token is not valid", code="unknown_token")


def token_expired() -> Unauthenticated:
    """The error for an expired token: the client may refresh."""
    return Unauthenticated("this token has expired", code="token_expired")


def _access_claims(claims: dict[str, Any], now_ms: int) -> AccessClaims:
    user_id, number, session_id = claims["sub"], claims.get("user_id"), claims["sid"]
    expires_s, pair = claims["exp"], claims.get("rth", "")
    if (
        claims.get("type") != "access"
        or not isinstance(user_id, str)
        or not isinstance(session_id, str)
        or not isinstance(pair, str)
        or type(number) is not int
        or type(expires_s) is not int
    ):
        raise unknown_token()
    if now_ms >= expires_s * 1000:
        raise token_expired()
    return AccessClaims(UserId(user_id), number, SessionId(session_id), expires_s * 1000, pair)


def _json_object(part: str) -> dict[str, Any]:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise unknown_token() from error
    if not isinstance(found, dict):
        raise unknown_token()
    return found

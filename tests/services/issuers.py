"""Host applications of the tests: their keys, their settings, their tokens."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from homeserver.clock import FakeClock
from homeserver.errors import Unauthenticated
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard
from homeserver.services.auth.jwt_login import Issuer, JwtLogin, make_issuers
from homeserver.settings.models import IssuerSettings

SECRET = "a secret that the portal and the chat share"


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


EC = ec.generate_private_key(ec.SECP256R1())


NOW_S = FakeClock().now_ms() // 1000


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **more: object) -> dict[str, Any]:
    made: dict[str, Any] = (
        jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    )
    return {**made, **more}


CLIENT = HttpClient(Guard(None), connections=1)  # makes connections only when it is asked to


def settings(**changes: object) -> IssuerSettings:
    return IssuerSettings.model_validate({"name": "unet", "namespace": 1, "secret": SECRET, **changes})


def secret_issuer(clock: FakeClock, **changes: object) -> Issuer:
    return make_issuers([settings(**changes)], clock, CLIENT)[0]


def file_issuer(
    clock: FakeClock, folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **changes: object
) -> Issuer:
    path = folder / f"{changes.get('name', 'unet')}.pem"
    path.write_bytes(pem(key))
    return make_issuers([settings(**{"secret": None, "public_key_file": path, **changes})], clock, CLIENT)[0]


def token(
    key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any
) -> str:
    said = {"user_id": 5, "exp": NOW_S + 600, **claims}
    payload = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
    return jwt.PyJWS().encode(payload, key, algorithm, headers)


async def refused(hosts: JwtLogin, text: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await hosts.authenticate(text)
    return error.value.code

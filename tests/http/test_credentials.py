"""Tokens from all the places clients put them."""

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from homeserver.errors import Unauthenticated
from homeserver.http.credentials import (
    MAX_TOKEN_CHARS,
    Authenticate,
    Authenticator,
    header_token,
    is_ours,
    query_token,
)
from homeserver.model import Requester
from tests.http.kit import requester

KEY = "k" * 32


def request(path: str = "/", **headers: str) -> web.Request:
    return make_mocked_request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize("name", ["Authorization", "WWW_Authenticate", "authorization"])
@pytest.mark.parametrize("form", ["Bearer T", "bearer T", "Bearer  T ", "T"])
def test_headers(name: str, form: str) -> None:
    assert header_token(request(**{name: form})) == "T"


def test_a_scheme_of_somebody_else_is_no_token_and_hides_none() -> None:
    assert header_token(request(Authorization="Basic dXNlcg==", WWW_Authenticate="Bearer T")) == "T"
    assert header_token(request(Authorization="Bearer ")) == ""
    assert header_token(request()) == ""


@pytest.mark.parametrize(
    "query", ["?Authorization=Bearer%20T", "?WWW-Authenticate=Bearer%20T", "?token=T", "?token=Bearer+T"]
)
def test_queries(query: str) -> None:
    assert query_token(request(f"/{query}")) == "T"


def test_ours_is_told_from_a_hosts() -> None:
    assert is_ours(jwt.encode({"iss": "chat.test", "sid": "s"}, KEY, "HS256"), "chat.test")
    for claims in ({"iss": "chat.test"}, {"iss": "other", "sid": "s"}, {"sid": "s"}, {"user_id": 1}):
        assert not is_ours(jwt.encode(claims, KEY, "HS256"), "chat.test")
    for junk in ("", "a", "a.b", "a.b.c", "a.!!!.c", "a.W10.c", "é.é.é", "..", "a.b.c.d"):
        assert not is_ours(junk, "chat.test")


async def test_the_door_asks_whoever_issued_the_token() -> None:
    asked: list[str] = []

    def issuer(name: str) -> Authenticate:
        async def authenticate(token: str, address: str) -> Requester:
            asked.append(f"{name} {address}")
            return requester()

        return authenticate

    authenticator = Authenticator(
        ours=issuer("ours"), hosts=issuer("hosts"), server_name="s", address=lambda _: "9.9.9.9"
    )
    ours = jwt.encode({"iss": "s", "sid": "x"}, KEY, "HS256")
    await authenticator(request(Authorization=f"Bearer {ours}"))
    await authenticator(request(Authorization="Bearer a.b.c"))
    await authenticator.for_socket(request(f"/?token={ours}"))
    assert asked == ["ours 9.9.9.9", "hosts 9.9.9.9", "ours 9.9.9.9"]
    for refused, code in (
        (request("/?token=a"), "missing_token"),
        (request(Authorization="x" * (MAX_TOKEN_CHARS + 1)), "unknown_token"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            await authenticator(refused)
        assert caught.value.code == code

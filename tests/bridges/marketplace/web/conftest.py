"""Browsers in front of a demonstration of the marketplace: a listing at /product.html, its seller at /profile.html."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.services.demo import SELLER_EMAIL
from tests.bridges.marketplace.people import Shopper
from tests.bridges.marketplace.web.host import Host, other_site
from tests.bridges.marketplace.web.pages import Shop, demo_login
from tests.web.browsers import Browsers
from tests.web.conftest import browsers, database_kind

__all__ = ["browsers", "database_kind"]


@pytest.fixture
def market() -> dict[str, object]:
    """People have their accounts here."""
    return {"issuer": ""}


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """Another site, whose pages may use the widgets."""
    async with other_site() as one:
        yield one


@pytest.fixture
def more(host: Host) -> dict[str, object]:
    return {
        "issuers": [],
        "web": {"demo": True},
        "push": {"subject": "mailto:admin@test.example"},
        "cors": {"origins": [host.origin]},
    }


@pytest.fixture
async def seller(server: Running, client: aiohttp.ClientSession) -> Shopper:
    """The seller of the listings, at the API."""
    login = demo_login(server, SELLER_EMAIL)
    body = {"email": login["email"], "password": login["password"]}
    async with client.post("/api/v1/auth/login", json=body) as answer:
        tokens = await answer.json()
    return Shopper(client, str(tokens["user"]["id"]), {"Authorization": f"Bearer {tokens['access_token']}"})


@pytest.fixture
async def shop(server: Running, browsers: Browsers, seller: Shopper) -> Shop:
    """Opens the pages."""
    return Shop(server, browsers, seller)

"""The services that this API calls."""

from dataclasses import dataclass

from homeserver.http.address import ClientAddress
from homeserver.product_api.services import ProductServices
from homeserver.services.auth.services import AuthServices


@dataclass(frozen=True, slots=True)
class MessengerServices(ProductServices):
    """The services that this API calls. `address`: the client's address, for rate limits."""

    auth: AuthServices
    address: ClientAddress

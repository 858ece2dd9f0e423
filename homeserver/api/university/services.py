"""The services that this API calls."""

from dataclasses import dataclass

from homeserver.product_api.services import ProductServices


@dataclass(frozen=True, slots=True)
class UniversityServices(ProductServices):
    """The services that this API calls."""

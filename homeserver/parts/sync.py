"""What keeps Matrix clients up to date, and what they keep with the server."""

from dataclasses import dataclass

from homeserver.parts.core import Core
from homeserver.services.accountdata import AccountData
from homeserver.services.filters import Filters
from homeserver.services.markers import Markers
from homeserver.settings.models import Settings


@dataclass(frozen=True, slots=True)
class Keeping:
    """What clients keep with the server for their people."""

    data: AccountData
    filters: Filters
    markers: Markers


def build_keeping(settings: Settings, core: Core) -> Keeping:
    """Build it."""
    data = AccountData(
        db=core.db,
        timeline=core.timeline,
        max_bytes=settings.matrix.max_account_data_bytes,
        max_pieces=settings.matrix.max_account_data,
    )
    return Keeping(
        data=data,
        filters=Filters(db=core.db, max_filters=settings.matrix.max_filters),
        markers=Markers(db=core.db, timeline=core.timeline, data=data, clock=core.clock),
    )

"""Wiring of the data that clients store with the server: account data, push rules, filters, encryption keys."""

from homeserver.services.admin.server_notices import speakers
from homeserver.services.clientdata.accountdata import AccountData, DataLimits
from homeserver.services.clientdata.filters import Filters
from homeserver.services.clientdata.push_rules import PushRules
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.e2ee.encryption import Encryption, make_encryption
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_clientdata(settings: Settings, core: Core) -> ClientDataServices:
    """Build account data, push rules and filters."""
    push_rules = PushRules(db=core.db, timeline=core.timeline)
    return ClientDataServices(
        account_data=AccountData(
            db=core.db,
            timeline=core.timeline,
            rules=push_rules,
            limits=data_limits(settings),
            heard=speakers(settings.notices, settings.server.name),
        ),
        push_rules=push_rules,
        filters=Filters(db=core.db, max_filters=settings.matrix.max_filters),
    )


def data_limits(settings: Settings) -> DataLimits:
    """The bounds of account data."""
    matrix = settings.matrix
    return DataLimits(
        content_bytes=matrix.max_account_data_bytes,
        items=matrix.max_account_data,
        total_bytes=matrix.max_account_data_total_bytes,
    )


def build_encryption(settings: Settings, core: Core) -> Encryption:
    """Build the services of end-to-end encryption."""
    return make_encryption(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        limits=core.limits,
        settings=settings.e2ee,
        server_name=settings.server.name,
    )

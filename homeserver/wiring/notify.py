"""Who is told of which events, and how."""

from functools import partial

from homeserver.services.admin.server_notices import speakers
from homeserver.services.notify.audience import Audiences
from homeserver.services.notify.counts import Counts
from homeserver.services.notify.decide import GatewayDecider
from homeserver.services.notify.deliver import GatewaySender
from homeserver.services.notify.evaluate import Evaluator
from homeserver.services.notify.pushers import Pushers
from homeserver.services.notify.service import CONSUMER, Notifications
from homeserver.services.notify.store import NotificationStore
from homeserver.settings.models import Settings
from homeserver.timeline.consume import Pace, consume
from homeserver.wiring.core import Core
from homeserver.wiring.people import People
from homeserver.wiring.sync import Keeping


def build_notifications(settings: Settings, core: Core, people: People, keeping: Keeping) -> Notifications:
    """Build it."""
    audiences = Audiences(
        db=core.db,
        timeline=core.timeline,
        server=settings.server.name,
        most_people=settings.matrix.cached_audience,
        heard=speakers(settings.notices, settings.server.name),
    )
    return Notifications(
        consume=partial(
            consume,
            CONSUMER,
            db=core.db,
            live=core.live,
            pace=Pace(round_s=settings.matrix.notification_pace_s),
            follow=True,
        ),
        evaluator=Evaluator(audiences),
        keeper=NotificationStore(db=core.db, clock=core.clock),
        decider=GatewayDecider(
            db=core.db, clock=core.clock, rules=keeping.rules, data=keeping.data, settings=settings.push
        ),
        sender=GatewaySender(
            db=core.db,
            clock=core.clock,
            timeline=core.timeline,
            counts=Counts(core.db),
            settings=settings.push,
            metrics=core.metrics,
        ),
        pushers=Pushers(db=core.db, clock=core.clock, settings=settings.push, limits=people.limits),
    )

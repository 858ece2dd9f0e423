"""Wiring of Web Push, push gateways, and notifications."""

from functools import partial

from homeserver.outbox.worker import Worker
from homeserver.services.accounts.services import AccountServices
from homeserver.services.admin.server_notices import speakers
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.events.services import EventServices
from homeserver.services.push.client import PushClient
from homeserver.services.push.gateway.decide import GatewayDecider
from homeserver.services.push.gateway.pushers import Pushers
from homeserver.services.push.gateway.send import GatewayPushes, PushJob
from homeserver.services.push.notifications.audience import Audiences
from homeserver.services.push.notifications.counts import Counts
from homeserver.services.push.notifications.evaluate import Evaluator
from homeserver.services.push.notifications.hidden import HiddenUnread
from homeserver.services.push.notifications.listing import Listing
from homeserver.services.push.notifications.service import CONSUMER, Notifications
from homeserver.services.push.notifications.store import NotificationStore
from homeserver.services.push.web.service import Around, Push
from homeserver.services.push.worker import push_worker
from homeserver.services.realtime.services import RealtimeServices
from homeserver.settings.models import PushSettings, Settings
from homeserver.storage import pushers as stored
from homeserver.timeline.consume import Pace, Progress, consume
from homeserver.wiring.core import Core


def build_push(
    settings: Settings,
    core: Core,
    accounts: AccountServices,
    events: EventServices,
    realtime: RealtimeServices,
) -> Push:
    """Build Web Push."""
    around = Around(
        db=core.db,
        clock=core.clock,
        live=core.live,
        metrics=core.metrics,
        key=core.keys.vapid,
        limits=core.limits,
        profiles=accounts.profiles,
        views=events.message_views,
        connections=realtime.connections,
        client=core.outgoing.pushes,
    )
    return Push(around, settings.push)


def build_progress(settings: Settings, core: Core) -> Progress:
    """Build the progress of the evaluation of push rules, which syncs wait for."""
    matrix = settings.matrix
    return Progress(core.live, Pace(round_s=matrix.notification_pace_s), matrix.catch_up_wait_s)


def build_notifications(
    settings: Settings,
    core: Core,
    clientdata: ClientDataServices,
    events: EventServices,
    progress: Progress,
) -> Notifications:
    """Build the evaluation of push rules, whose progress is `progress`, and pushes to gateways."""
    heard = speakers(settings.notices, settings.server.name)
    audiences = Audiences(
        db=core.db,
        timeline=core.timeline,
        server=settings.server.name,
        most_people=settings.matrix.cached_audience,
        heard=heard,
    )
    return Notifications(
        consume=partial(
            consume,
            CONSUMER,
            db=core.db,
            progress=progress,
            follow=True,
        ),
        evaluator=Evaluator(audiences),
        keeper=NotificationStore(db=core.db, clock=core.clock, hidden=HiddenUnread(db=core.db, heard=heard)),
        decider=_decider(settings, core, clientdata),
        sender=_sender(settings.push, core, clientdata),
        pushers=Pushers(db=core.db, clock=core.clock, settings=settings.push, limits=core.limits),
        listing=Listing(
            db=core.db,
            live=core.live,
            progress=progress,
            visibility=events.visibility,
            rendering=events.rendering,
            data=clientdata.account_data,
            max_page=settings.matrix.max_page,
        ),
    )


def _decider(settings: Settings, core: Core, clientdata: ClientDataServices) -> GatewayDecider:
    return GatewayDecider(
        db=core.db,
        clock=core.clock,
        rules=clientdata.push_rules,
        data=clientdata.account_data,
        settings=settings.push,
    )


def _sender(settings: PushSettings, core: Core, clientdata: ClientDataServices) -> Worker[PushJob]:
    sending = GatewayPushes(
        db=core.db,
        clock=core.clock,
        timeline=core.timeline,
        counts=Counts(core.db),
        data=clientdata.account_data,
        push_client=PushClient(core.outgoing.pushes, core.clock, timeout_s=settings.timeout_s),
        settings=settings,
    )
    return push_worker(
        stored.waiting,
        sending,
        db=core.db,
        clock=core.clock,
        settings=settings,
        metrics=core.metrics,
    )

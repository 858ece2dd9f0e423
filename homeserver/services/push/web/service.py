"""Builds the parts of Web Push."""

from dataclasses import dataclass
from functools import partial

from homeserver.clock import Clock
from homeserver.kit.ratelimit import RateLimits
from homeserver.metrics import Metrics
from homeserver.net.client import HttpClient
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.push.client import PushClient
from homeserver.services.push.web.decide import Attendance, Decider
from homeserver.services.push.web.encryption import Sealer
from homeserver.services.push.web.prepare import Packer
from homeserver.services.push.web.send import BrowserPushes
from homeserver.services.push.web.subscriptions import Subscriptions
from homeserver.services.push.web.texts import Faces
from homeserver.services.push.worker import push_worker
from homeserver.services.realtime.connections import LiveConnections
from homeserver.settings.models import PushSettings
from homeserver.storage import push as stored
from homeserver.storage.db import Database
from homeserver.tasks import Tasks
from homeserver.timeline.consume import Pace, Progress, consume
from homeserver.timeline.live import Live

CONSUMER = "push"


@dataclass(frozen=True, slots=True)
class Around:
    """What Web Push depends on. `key`: the VAPID private key. `client`: the HTTP client."""

    db: Database
    clock: Clock
    live: Live
    metrics: Metrics
    key: bytes
    limits: RateLimits
    profiles: Profiles
    views: MessageViews
    connections: LiveConnections
    client: HttpClient


class Push:
    """Web Push. `subscriptions` is for the APIs; `faces` are the APIs that render pushes."""

    def __init__(self, around: Around, settings: PushSettings) -> None:
        db, clock = around.db, around.clock
        self._live, self._settings, self._db = around.live, settings, db
        self.faces = Faces()
        attendance = Attendance(around.connections, self.faces)
        sealer = Sealer(around.key, settings.subject, clock)
        self.subscriptions = Subscriptions(
            db=db, clock=clock, sealer=sealer, settings=settings, limits=around.limits
        )
        self._decider = Decider(db=db, clock=clock, attendance=attendance, settings=settings)
        packer = Packer(
            db=db,
            clock=clock,
            views=around.views,
            profiles=around.profiles,
            faces=self.faces,
            attendance=attendance,
            settings=settings,
        )
        sending = BrowserPushes(
            db=db,
            clock=clock,
            packer=packer,
            sealer=sealer,
            attendance=attendance,
            push_client=PushClient(around.client, clock, timeout_s=settings.timeout_s),
            settings=settings,
        )
        self._worker = push_worker(
            stored.waiting, sending, db=db, clock=clock, settings=settings, metrics=around.metrics
        )

    def start(self, tasks: Tasks) -> None:
        """Start the tasks that decide on pushes and send them, if Web Push is enabled. The faces must be
        registered before: a push without its face is dropped."""
        if not self._settings.subject:
            return
        progress = Progress(self._live, Pace(self._settings.page, self._settings.gather_s))
        read = partial(consume, db=self._db, progress=progress, handle=self._decider.handle, after=self._wake)
        tasks.start("push decisions", partial(read, CONSUMER))
        tasks.start("push sending", self._worker.run)

    def _wake(self) -> None:
        """Wake the sender, also for another worker's pushes: those of users who have the room open in this worker
        are dropped."""
        if self._decider.has_candidates:
            self._worker.wake()

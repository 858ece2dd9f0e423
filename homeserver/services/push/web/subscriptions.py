"""Web Push subscriptions of users' browsers."""

import hashlib

from homeserver.clock import Clock
from homeserver.errors import Unavailable
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Requester
from homeserver.services.push.addresses import check_endpoint
from homeserver.services.push.web.encryption import Sealer, checked_keys
from homeserver.settings.models import PushSettings
from homeserver.storage import push as stored
from homeserver.storage.db import Database
from homeserver.storage.push import Subscription


class Subscriptions:
    """Subscriptions, created and deleted by their users."""

    def __init__(
        self, *, db: Database, clock: Clock, sealer: Sealer, settings: PushSettings, limits: RateLimits
    ) -> None:
        self._db = db
        self._clock = clock
        self._sealer = sealer
        self._settings = settings
        self._limits = limits

    @property
    def is_on(self) -> bool:
        """True if Web Push is enabled on this server."""
        return bool(self._settings.subject)

    @property
    def public_key(self) -> str:
        """The VAPID public key that browsers subscribe with, base64url. Raises Unavailable("push_off")."""
        if not self.is_on:
            raise Unavailable("push is not enabled on this server", code="push_off")
        return self._sealer.public_key

    async def add(self, requester: Requester, face: str, *, endpoint: str, p256dh: str, auth: str) -> None:
        """Subscribe a browser. The subscription becomes the requester's, even if another user had it before.

        Raises Unavailable("push_off"), Invalid("bad_endpoint", "bad_push_key"), RateLimited.
        """
        _ = self.public_key
        check_endpoint(endpoint, allow_private=self._settings.allow_private)
        keys = checked_keys(p256dh, auth)
        own, endpoint_hash = requester.user_id, _hash(endpoint)
        async with self._db.read() as conn:
            known = await stored.subscription(conn, endpoint_hash)
        # A repeated subscription keeps its time: messages since then are still pushed.
        since_ms = known.created_ms if known is not None and known.user_id == own else self._clock.now_ms()
        wanted = Subscription(
            endpoint_hash=endpoint_hash,
            endpoint=endpoint,
            user_id=own,
            session_id=requester.session_id,
            p256dh=keys.p256dh,
            auth=keys.auth,
            face=face,
            created_ms=since_ms,
        )
        if wanted == known:
            return
        self._limits.check("push", own)
        async with self._db.write() as conn:
            await stored.set_subscriptions(conn, [wanted])
            await stored.keep_newest(conn, own, self._settings.max_per_person)

    async def drop(self, requester: Requester, endpoint: str) -> None:
        """Unsubscribe a browser of the requester. Another user's subscription stays, without an error."""
        endpoint_hash = _hash(endpoint)
        async with self._db.read() as conn:
            known = await stored.subscription(conn, endpoint_hash)
        if known is None or known.user_id != requester.user_id:
            return
        async with self._db.write() as conn:
            await stored.drop_subscriptions(conn, [(endpoint_hash, requester.user_id)])


def _hash(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode(errors="replace")).hexdigest()

"""Device keys: /keys/upload, /keys/query, /keys/claim (client-server API, "End-to-End Encryption")."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Invalid
from homeserver.kit.batching import BatchLoader
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Content, Requester
from homeserver.protocol.ids import DeviceId, ServerName, UserId
from homeserver.services.e2ee import validation
from homeserver.services.e2ee.key_uploads import Upload, Uploads
from homeserver.settings.models import EncryptionSettings
from homeserver.storage import accounts
from homeserver.storage.db import Database
from homeserver.storage.e2ee import crosssigning, onetime
from homeserver.storage.e2ee import devices as stored
from homeserver.storage.e2ee.crosssigning import CrossKey, Signature, Target, Usage
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.e2ee.onetime import KeyClaim, OneTimeKey
from homeserver.storage.retry import write_with_retry
from homeserver.timeline.entries import Appends, devices_changed
from homeserver.timeline.submission import SideWrite

_TOGETHER: Final = 250  # devices in one query


class KeyUpload(NamedTuple):
    """Keys that a device uploads, unvalidated, by `algorithm:key_id`."""

    device_keys: Content | None = None
    one_time_keys: Mapping[str, object] = {}
    fallback_keys: Mapping[str, object] = {}


class KeyCounts(NamedTuple):
    """A device's remaining keys: one-time keys by algorithm, and the algorithms with an unused fallback key."""

    one_time: Mapping[str, int]
    unused_fallback: Collection[str]


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """Keys of users. `elsewhere`: remote servers of requested users, which cannot be queried."""

    devices: dict[UserId, dict[DeviceId, Content]] = field(default_factory=dict)
    master: dict[UserId, Content] = field(default_factory=dict)
    self_signing: dict[UserId, Content] = field(default_factory=dict)
    user_signing: dict[UserId, Content] = field(default_factory=dict)
    elsewhere: frozenset[ServerName] = frozenset()


@dataclass(frozen=True, slots=True)
class ClaimedKeys:
    """One key for each device that had one: {user: {device: {name: key}}}."""

    keys: dict[UserId, dict[DeviceId, dict[str, object]]]
    elsewhere: frozenset[ServerName] = frozenset()


class DeviceKeys:
    """Accepts uploads, answers queries and claims of device keys."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Appends,
        clock: Clock,
        limits: RateLimits,
        settings: EncryptionSettings,
        server_name: str,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._clock = clock
        self._limits = limits
        self._settings = settings
        self._server_name = server_name
        self._uploads = Uploads(settings)
        self._gathering = BatchLoader("count keys of devices", self._count, _TOGETHER)

    async def upload(self, requester: Requester, request: KeyUpload) -> Mapping[str, int]:
        """Publish keys of the requester's device; returns the number of its one-time keys by algorithm.

        Idempotent. Raises Forbidden("no_device"), Invalid("bad_device_keys", "bad_one_time_key"), and
        as `Uploads.plan` does.
        """
        upload = self._checked(validation.device_of(requester), request)
        async with self._db.read() as conn:
            plan = await self._uploads.plan(conn, [upload])
        if plan.identities:
            await self._timeline.append(
                [devices_changed(requester.user_id)], also=[SideWrite(self._uploads.write_placed, upload)]
            )
        elif plan.new or plan.renewed or plan.fallback:  # nothing that other users' clients must learn
            await write_with_retry(self._db, lambda conn: self._uploads.write(conn, [upload]))
        async with self._db.read() as conn:
            return (await onetime.counts(conn, [upload.device]))[upload.device]

    async def counts(self, requester: Requester) -> KeyCounts:
        """The remaining keys of the requester's device; empty for a requester without a device."""
        if requester.device_id is None:
            return KeyCounts({}, ())
        return await self._gathering.get(validation.device_of(requester))

    async def _count(self, devices: Sequence[Device]) -> dict[Device, KeyCounts]:
        async with self._db.read() as conn:
            left = await onetime.counts(conn, devices)
            fallback = await onetime.fallback_of(conn, devices)
        return {
            device: KeyCounts(
                left[device],
                sorted(name.algorithm for name, (_, used) in fallback[device].items() if not used),
            )
            for device in devices
        }

    async def query(self, requester: Requester, wanted: Mapping[UserId, Collection[DeviceId]]) -> FoundKeys:
        """Users' device keys (of all devices if none is named) and cross-signing keys.

        With the signatures of their owners and of the requester; only the owner sees a user-signing key.
        Raises Invalid, TooLarge.
        """
        here, elsewhere = validation.split_users(wanted, self._server_name)
        validation.check_count(len(here) + sum(map(len, wanted.values())), self._settings.max_items)
        async with self._db.read() as conn:
            known = await accounts.taken_user_ids(conn, here)
            devices = await stored.keys_of_users(conn, known)
            crossed = await crosssigning.cross_keys_of(conn, known)
            signed = await crosssigning.signatures_seen_by(conn, requester.user_id, known)
        found = FoundKeys(elsewhere=frozenset(elsewhere))
        for user_id in sorted(known):
            names = set(wanted[user_id])
            found.devices[user_id] = {
                device_id: _shown_device(Device(user_id, device_id), one, signed)
                for device_id, one in devices[user_id].items()
                if not names or device_id in names
            }
            _show_crossed(found, requester, crossed[user_id], signed)
        return found

    async def claim(
        self, requester: Requester, wanted: Mapping[UserId, Mapping[DeviceId, str]]
    ) -> ClaimedKeys:
        """One key of the given algorithm for each device: a one-time key, or the fallback key if there is none left.

        No one-time key is handed out twice. Raises Invalid, TooLarge, RateLimited.
        """
        self._limits.check("encryption", requester.user_id)
        here, elsewhere = validation.split_users(wanted, self._server_name)
        requests = [
            KeyClaim(
                user_id,
                validation.checked_device(device_id),
                validation.checked_name(algorithm, "an algorithm"),
            )
            for user_id in here
            for device_id, algorithm in wanted[user_id].items()
        ]
        validation.check_count(len(requests), self._settings.max_items)
        claimed = ClaimedKeys({}, frozenset(elsewhere))
        if requests:
            taken = await write_with_retry(self._db, partial(self._claim, requests=requests))
            for key in taken:
                of_user = claimed.keys.setdefault(key.device.user_id, {})
                of_user[key.device.device_id] = {str(key.name): key.body}
        return claimed

    async def _claim(self, conn: AsyncConnection, requests: Collection[KeyClaim]) -> list[OneTimeKey]:
        taken = await onetime.claim(conn, requests, self._clock.now_ms())
        served = {KeyClaim(*key.device, key.name.algorithm) for key in taken}
        rest = [request for request in requests if request not in served]
        if rest:
            taken += await onetime.use_fallback(conn, rest)
        return taken

    def _checked(self, device: Device, request: KeyUpload) -> Upload:
        return checked_upload(device, request, self._settings, self._clock.now_ms())


def checked_upload(
    device: Device,
    request: KeyUpload,
    settings: EncryptionSettings,
    now_ms: int,
    *,
    is_dehydrated: bool = False,
) -> Upload:
    """A validated upload. Raises Invalid, TooLarge."""
    validation.check_count(len(request.one_time_keys), settings.max_one_time_keys)
    validation.check_count(len(request.fallback_keys), settings.max_fallback_keys)
    most = settings.max_key_bytes
    identity = (
        None if request.device_keys is None else validation.identity_keys(device, request.device_keys, most)
    )
    fallback = validation.one_time_keys(device, request.fallback_keys, most)
    if len({key.name.algorithm for key in fallback}) < len(fallback):
        raise Invalid("only one fallback key for each algorithm", code="bad_one_time_key")
    return Upload(
        device,
        identity,
        tuple(validation.one_time_keys(device, request.one_time_keys, most)),
        tuple(fallback),
        now_ms,
        is_dehydrated,
    )


def _shown_device(
    device: Device, keyed: stored.KeyedDevice, signed: Mapping[Target, Collection[Signature]]
) -> Content:
    shown = _with_signatures(keyed.keys, signed.get(Target(*device), ()))
    return {**shown, "unsigned": {"device_display_name": keyed.name} if keyed.name else {}}


def _show_crossed(
    found: FoundKeys,
    requester: Requester,
    keys: Mapping[Usage, CrossKey],
    signed: Mapping[Target, Collection[Signature]],
) -> None:
    places = {Usage.MASTER: found.master, Usage.SELF_SIGNING: found.self_signing}
    for usage, key in keys.items():
        if usage is Usage.USER_SIGNING and key.user_id != requester.user_id:
            continue
        more = signed.get(Target(key.user_id, key.public_key), ())
        places.get(usage, found.user_signing)[key.user_id] = _with_signatures(key.body, more)


def _with_signatures(body: Content, more: Collection[Signature]) -> Content:
    """A key with further signatures; those that its owner stored with it are kept."""
    if not more:
        return body
    signatures = {signer: dict(made) for signer, made in (body.get("signatures") or {}).items()}
    for one in more:
        signatures.setdefault(one.signer, {})[one.signer_key] = one.signature
    return {**body, "signatures": signatures}

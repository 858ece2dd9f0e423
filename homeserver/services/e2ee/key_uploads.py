"""Stores key uploads of devices: identity keys, one-time keys and fallback keys, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Invalid, TooLarge
from homeserver.model import Content
from homeserver.protocol.canonical import same_json
from homeserver.services.e2ee import validation
from homeserver.settings.models import EncryptionSettings
from homeserver.storage.e2ee import devices as stored
from homeserver.storage.e2ee import lists, onetime
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.e2ee.ending import drop_signatures_of_devices
from homeserver.storage.e2ee.onetime import HeldKey, KeyName, OneTimeKey
from homeserver.timeline.submission import Placed


class Upload(NamedTuple):
    """Validated keys of one device."""

    device: Device
    identity: Content | None
    one_time: tuple[OneTimeKey, ...]
    fallback: tuple[OneTimeKey, ...]
    now_ms: int
    is_dehydrated: bool = False


@dataclass(slots=True)
class Plan:
    """The changes that uploads make, after all checks. `replaced`: devices that get other identity keys, which end what
    was signed by the old ones or for them."""

    identities: dict[Device, Content] = field(default_factory=dict)
    replaced: set[Device] = field(default_factory=set)
    new: list[OneTimeKey] = field(default_factory=list)
    renewed: list[OneTimeKey] = field(default_factory=list)
    fallback: dict[tuple[Device, str], OneTimeKey] = field(default_factory=dict)


class Uploads:
    """Checks uploads against the stored keys, and stores them."""

    def __init__(self, settings: EncryptionSettings) -> None:
        self._settings = settings

    async def plan(self, conn: AsyncConnection, uploads: Sequence[Upload]) -> Plan:
        """The changes that the uploads would make.

        Raises Invalid("one_time_key_differs") for another key under a name in use, TooLarge("too_many_one_time_keys",
        "too_many_fallback_keys").
        """
        plan = Plan()
        await self._plan_identities(conn, uploads, plan)
        await self._plan_one_time(conn, uploads, plan)
        await self._plan_fallback(conn, uploads, plan)
        return plan

    async def write(self, conn: AsyncConnection, uploads: Sequence[Upload]) -> Plan:
        """Store the uploads of devices that still exist; returns the changes. Raises as `plan` does."""
        logged_in = [upload.device for upload in uploads if not upload.is_dehydrated]
        running = await stored.lock_running(conn, logged_in) if logged_in else set()
        # A device whose session ended during its upload must not be created again.
        kept = [upload for upload in uploads if upload.is_dehydrated or upload.device in running]
        if not kept:
            return Plan()
        plan = await self.plan(conn, kept)
        if plan.replaced:
            await onetime.drop_keys(conn, plan.replaced)
            await drop_signatures_of_devices(conn, plan.replaced)
        if plan.identities:
            await stored.set_keys(conn, plan.identities)
        if plan.new or plan.renewed:
            before_ms = min(one.now_ms for one in kept) - self._settings.claimed_keep_s * 1000
            await onetime.forget_claimed(conn, {one.device for one in (*plan.new, *plan.renewed)}, before_ms)
        if plan.renewed:
            await onetime.renew_keys(conn, plan.renewed)
        if plan.new:
            await onetime.add_keys(conn, plan.new)
        if plan.fallback:
            await onetime.set_fallback(conn, list(plan.fallback.values()))
        return plan

    async def write_placed(self, conn: AsyncConnection, items: Sequence[Placed[Upload]]) -> None:
        """Store uploads as part of log entries: devices with new identity keys are recorded as changed."""
        plan = await self.write(conn, [item.row for item in items])
        changed = sorted({device.user_id for device in plan.identities})
        if changed:
            await lists.set_changed(conn, changed, max(item.position for item in items))

    async def _plan_identities(self, conn: AsyncConnection, uploads: Sequence[Upload], plan: Plan) -> None:
        wanted = {upload.device: upload.identity for upload in uploads if upload.identity is not None}
        if not wanted:
            return
        known = await stored.keys_of(conn, list(wanted))
        for upload in uploads:
            body, old = upload.identity, known.get(upload.device)
            if body is None or same_json(body, old):
                continue
            if old is not None and not same_json(old["keys"], body["keys"]):
                plan.replaced.add(upload.device)
            known[upload.device] = plan.identities[upload.device] = body

    async def _plan_one_time(self, conn: AsyncConnection, uploads: Sequence[Upload], plan: Plan) -> None:
        devices = {upload.device for upload in uploads if upload.one_time}
        if not devices:
            return
        held = {**await onetime.held_keys(conn, devices), **{device: {} for device in plan.replaced}}
        for key in (key for upload in uploads for key in upload.one_time):
            mine = held[key.device]
            old = mine.get(key.name)
            if old is None:
                plan.new.append(key)
            elif _is_same(old.body, key.body):
                continue  # uploaded twice; if it was claimed, it stays claimed
            elif old.claimed:
                plan.renewed.append(key)
            else:
                raise Invalid(
                    f"a different key {key.name} exists already",
                    code="one_time_key_differs",
                    key=str(key.name),
                )
            mine[key.name] = HeldKey(key.body, claimed=False)
        for mine in held.values():
            self._check_room(mine)

    async def _plan_fallback(self, conn: AsyncConnection, uploads: Sequence[Upload], plan: Plan) -> None:
        devices = {upload.device for upload in uploads if upload.fallback}
        if not devices:
            return
        held = {**await onetime.fallback_of(conn, devices), **{device: {} for device in plan.replaced}}
        for key in (key for upload in uploads for key in upload.fallback):
            mine = held[key.device]
            same = mine.get(key.name)
            if same is not None and _is_same(same[0], key.body):
                continue  # uploaded twice; if it was used, it stays used
            for name in [name for name in mine if name.algorithm == key.name.algorithm]:
                del mine[name]
            mine[key.name] = (key.body, False)
            plan.fallback[key.device, key.name.algorithm] = key
        if any(len(mine) > self._settings.max_fallback_keys for mine in held.values()):
            raise TooLarge("too many fallback keys", code="too_many_fallback_keys")

    def _check_room(self, held: dict[KeyName, HeldKey]) -> None:
        left = [key.body for key in held.values() if not key.claimed]
        count, size = self._settings.max_one_time_keys, self._settings.max_one_time_bytes
        if len(left) > count or sum(map(validation.json_size, left)) > size:
            raise TooLarge(
                f"at most {count} one-time keys of {size} bytes together", code="too_many_one_time_keys"
            )


def _is_same(one: object, other: object) -> bool:
    """True if two one-time or fallback keys are the same: a client that uploads one again may sign it anew."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return validation.same_but_signatures(one, other)
    return same_json(one, other)

"""Cross-signing: a user's three keys, and the signatures by which they verify devices and other users."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Forbidden, HomeserverError, Invalid, NotFound
from homeserver.model import Content, Requester
from homeserver.protocol.canonical import same_json
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.protocol.signing import VerifyKey, signatures_of
from homeserver.services.e2ee import validation
from homeserver.settings.models import EncryptionSettings
from homeserver.storage import sessions as stored_sessions
from homeserver.storage.db import Database
from homeserver.storage.e2ee import crosssigning as stored
from homeserver.storage.e2ee import dehydrated, lists
from homeserver.storage.e2ee import devices as stored_devices
from homeserver.storage.e2ee.crosssigning import CrossKey, Signature, Target, Usage
from homeserver.storage.e2ee.devices import Device, KeyedDevice
from homeserver.timeline.entries import Appends, devices_changed, keys_signed
from homeserver.timeline.submission import Placed, SideWrite

__all__ = ["CrossSigning", "CrossSigningUpload", "Failures", "Usage"]
CrossSigningUpload = Mapping[Usage, Content]
"""An upload of cross-signing keys, unvalidated."""

Failures = dict[UserId, dict[str, HomeserverError]]
"""Errors of rejected signatures: {user: {device id or public key: error}}."""


class _NewKeys(NamedTuple):
    """Keys to store, and the master key that they were checked against (None: there was none)."""

    keys: tuple[CrossKey, ...]
    old_master: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    """The keys to check signatures with: all of the signer's, and the other users' master keys."""

    devices: Mapping[DeviceId, KeyedDevice]
    crossed: Mapping[UserId, Mapping[Usage, CrossKey]]


class _Claim(NamedTuple):
    """An uploaded signed object, the stored object that it must equal, and the keys that may have signed it."""

    target: Target
    body: Content
    stored: Content
    keys: Mapping[str, VerifyKey]


class CrossSigning:
    """Accepts cross-signing keys and signatures."""

    def __init__(self, *, db: Database, timeline: Appends, settings: EncryptionSettings) -> None:
        self._db = db
        self._timeline = timeline
        self._settings = settings

    async def needs_proof(self, requester: Requester, request: CrossSigningUpload) -> bool:
        """True if this upload needs user-interactive authentication.

        False for the first keys, and for a repeated upload of the same ones. Raises as `upload` does.
        """
        wanted, old = await self._current(requester, request)
        return _needs_proof(wanted, old)

    async def upload(
        self, requester: Requester, request: CrossSigningUpload, *, proven: bool = False
    ) -> None:
        """Publish cross-signing keys. `proven`: the user has just passed user-interactive authentication.

        Raises Forbidden("proof_needed", "key_id_in_use", "no_device"), Invalid("bad_cross_signing_key",
        "missing_master_key", "invalid_signature"), TooLarge.
        """
        wanted, old = await self._current(requester, request)
        if not proven and _needs_proof(wanted, old):
            raise Forbidden("changing these keys requires authentication", code="proof_needed")
        changed = tuple(key for key in wanted if not _is_stored(key, old))
        if not changed:
            return
        old_master = old[Usage.MASTER].public_key if Usage.MASTER in old else None
        user_id = requester.user_id
        news = keys_signed(user_id, []) if _are_own(changed) else devices_changed(user_id)
        await self._timeline.append([news], also=[SideWrite(_write_keys, _NewKeys(changed, old_master))])

    async def sign(self, requester: Requester, signed: Mapping[UserId, Mapping[str, Content]]) -> Failures:
        """Add signatures to keys: {user id: {device id or public key: the unchanged key with new signatures}}.

        A user's devices are signed by their self-signing key, their master key by their devices, and other users'
        master keys by their user-signing key. Returns the failures; everything else is stored. Raises
        Forbidden("no_device"), Invalid("bad_user_id"), TooLarge.
        """
        validation.device_of(requester)
        validation.check_count(sum(map(len, signed.values())), self._settings.max_signatures)
        validation.split_users(signed, "")
        known = await self._known(requester.user_id, signed)
        good: list[Signature] = []
        failures: Failures = {}
        # In a thread: checking many signatures takes long enough to delay all other requests.
        for target, outcome in (
            await asyncio.to_thread(_check_all, requester.user_id, signed, known)
        ).items():
            if isinstance(outcome, HomeserverError):
                failures.setdefault(target.user_id, {})[target.name] = outcome
            else:
                good += outcome
        if good:
            await self._write(requester.user_id, good)
        return failures

    async def _current(
        self, requester: Requester, request: CrossSigningUpload
    ) -> tuple[list[CrossKey], Mapping[Usage, CrossKey]]:
        """The validated new keys, and the stored ones."""
        device = validation.device_of(requester)
        user_id = device.user_id
        wanted = [
            validation.cross_key(user_id, usage, body, self._settings.max_key_bytes)
            for usage, body in request.items()
        ]
        names = [DeviceId(key.public_key) for key in wanted]
        if len(set(names)) < len(names):
            raise Invalid("the keys must differ from one another", code="bad_cross_signing_key")
        async with self._db.read() as conn:
            old = (await stored.cross_keys_of(conn, [user_id]))[user_id]
            taken = await stored_sessions.sessions_on(conn, user_id, names) if names else {}
            dried = (await dehydrated.dehydrated_of(conn, [user_id])).get(user_id)
        if taken or (dried is not None and dried.device.device_id in names):
            raise Forbidden("one of these keys has the id of a device", code="key_id_in_use")
        _check_by_master(wanted, old)
        return wanted, old

    async def _known(self, user_id: UserId, signed: Mapping[UserId, object]) -> _Known:
        async with self._db.read() as conn:
            devices = (await stored_devices.keys_of_users(conn, [user_id]))[user_id]
            crossed = await stored.cross_keys_of(conn, {user_id, *signed})
        return _Known(devices, crossed)

    async def _write(self, user_id: UserId, good: Sequence[Signature]) -> None:
        others = sorted({one.target.user_id for one in good} - {user_id})
        news = [devices_changed(user_id)] if _is_own(good) else []
        if others:
            news.append(keys_signed(user_id, others))
        await self._timeline.append(news, also=[SideWrite(_write_signatures, tuple(good))])


def _is_stored(key: CrossKey, old: Mapping[Usage, CrossKey]) -> bool:
    stored_key = old.get(key.usage)
    return stored_key is not None and same_json(stored_key.body, key.body)


def _needs_proof(wanted: Sequence[CrossKey], old: Mapping[Usage, CrossKey]) -> bool:
    return Usage.MASTER in old and any(
        key.usage not in old or old[key.usage].public_key != key.public_key for key in wanted
    )


def _check_by_master(wanted: Sequence[CrossKey], old: Mapping[Usage, CrossKey]) -> None:
    """Raise Invalid unless the master key signed the other two."""
    master = next((key for key in wanted if key.usage is Usage.MASTER), old.get(Usage.MASTER))
    for key in wanted:
        if master is None:
            raise Invalid("no master key", code="missing_master_key")
        if key.usage is not Usage.MASTER:
            validation.check_signature(key.body, key.user_id, validation.verifier(master))


def _check_all(
    signer: UserId, signed: Mapping[UserId, Mapping[str, Content]], known: _Known
) -> dict[Target, list[Signature] | HomeserverError]:
    outcomes: dict[Target, list[Signature] | HomeserverError] = {}
    for user_id, keys in signed.items():
        for name, body in keys.items():
            target = Target(user_id, name)
            try:
                outcomes[target] = _check(signer, _claim(signer, target, body, known))
            except HomeserverError as error:
                outcomes[target] = error
    return outcomes


def _claim(signer: UserId, target: Target, body: Content, known: _Known) -> _Claim:
    """The stored object for a target, and the keys that may sign it. Raises NotFound("no_such_key")."""
    own = known.crossed[signer]
    if target.user_id == signer and (device := known.devices.get(DeviceId(target.name))) is not None:
        return _Claim(target, body, device.keys, _verifiers(own.get(Usage.SELF_SIGNING)))
    master = known.crossed[target.user_id].get(Usage.MASTER)
    if master is None or master.public_key != target.name:
        raise NotFound("no such key", code="no_such_key")
    if target.user_id != signer:
        return _Claim(target, body, master.body, _verifiers(own.get(Usage.USER_SIGNING)))
    keys = [
        validation.signing_key(Device(signer, device_id), one.keys)
        for device_id, one in known.devices.items()
    ]
    return _Claim(target, body, master.body, {key.key_id: key for key in keys if key is not None})


def _check(signer: UserId, claim: _Claim) -> list[Signature]:
    """The new signatures. Raises Invalid if there are none, or any is wrong."""
    if not validation.same_but_signatures(claim.body, claim.stored):
        raise Invalid("not the key that is stored", code="key_differs")
    made = {
        key_id: text for key_id, text in signatures_of(claim.body, signer).items() if key_id in claim.keys
    }
    if not made:
        raise Invalid("no valid signature by a key that may sign this", code="invalid_signature")
    for key_id in made:
        validation.check_signature(claim.body, signer, claim.keys[key_id])
    return [Signature(signer, key_id, claim.target, text) for key_id, text in made.items()]


def _verifiers(key: CrossKey | None) -> dict[str, VerifyKey]:
    return {} if key is None else {key.key_id: validation.verifier(key)}


async def _write_keys(conn: AsyncConnection, items: Sequence[Placed[_NewKeys]]) -> None:
    rows = [item.row for item in items]
    users = sorted({key.user_id for row in rows for key in row.keys})
    old = await stored.cross_keys_of(conn, users)
    wanted: dict[tuple[UserId, Usage], CrossKey] = {}
    for row in rows:
        user_id = row.keys[0].user_id
        there = {
            key.usage: wanted.get((user_id, key.usage)) or old[user_id].get(key.usage) for key in row.keys
        }
        if all(there[key.usage] == key for key in row.keys):
            continue  # an equal upload was faster
        master = wanted.get((user_id, Usage.MASTER)) or old[user_id].get(Usage.MASTER)
        if (None if master is None else master.public_key) != row.old_master:
            # Signatures, and whether UIA was needed, were checked against another master key.
            raise Forbidden("the keys were changed in the meantime", code="proof_needed")
        wanted |= {(key.user_id, key.usage): key for key in row.keys}
    if not wanted:
        return
    replaced = [
        before
        for key in wanted.values()
        if (before := old[key.user_id].get(key.usage)) is not None and before.public_key != key.public_key
    ]
    if replaced:
        await stored.drop_signatures_of_keys(conn, replaced)
    await stored.set_cross_keys(conn, list(wanted.values()))
    position = max(item.position for item in items)
    own = {row.keys[0].user_id for row in rows if _are_own(row.keys)}
    others = {row.keys[0].user_id for row in rows if not _are_own(row.keys)}
    if own:
        await lists.set_own_changed(conn, sorted(own), position)
    if others:
        await lists.set_changed(conn, sorted(others), position)


def _are_own(keys: Sequence[CrossKey]) -> bool:
    """True if only their user may see these keys."""
    return all(key.usage is Usage.USER_SIGNING for key in keys)


async def _write_signatures(conn: AsyncConnection, items: Sequence[Placed[tuple[Signature, ...]]]) -> None:
    # Only the last signature of a key on a target is kept: an upsert takes each row once.
    latest = {
        # The entry about other users' keys follows the one about the signer's own.
        (one.signer, one.signer_key, one.target): (one, item.position + _is_own(item.row))
        for item in items
        for one in item.row
    }
    await stored.add_signatures(conn, list(latest.values()))
    own = sorted({item.row[0].signer for item in items if _is_own(item.row)})
    if own:
        await lists.set_changed(conn, own, max(item.position for item in items))


def _is_own(signatures: Sequence[Signature]) -> bool:
    """True if any of the signatures is on one of the signer's own keys."""
    return any(one.target.user_id == one.signer for one in signatures)

"""Device keys, cross-signing keys and to-device messages (client-server API, "End-to-End Encryption")."""

from collections.abc import Mapping, Sequence
from typing import Any

from homeserver.api.matrix import keyschemas as schemas
from homeserver.api.matrix.errors import ERRORS
from homeserver.api.matrix.keyschemas import (
    ChangesQuery,
    CrossSigningKeys,
    Json,
    KeyClaim,
    KeyQuery,
    KeyUpload,
    ToDevice,
)
from homeserver.api.matrix.schemas import Empty
from homeserver.api.matrix.tokens import position_of
from homeserver.api.matrix.uia import Passwords
from homeserver.errors import HomeserverError, Invalid
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call, Route
from homeserver.model import LOG_START
from homeserver.protocol.ids import DeviceId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.e2ee import devicekeys
from homeserver.services.e2ee.crosssigning import CrossSigningUpload, Usage
from homeserver.services.e2ee.encryption import Encryption

_UNREACHABLE: Json = {"errcode": "M_UNKNOWN", "error": "Federation is not available."}


class KeyCalls:
    """The handlers under keys, and of sendToDevice."""

    def __init__(self, e2ee: Encryption, *, passwords: Passwords, profiles: Profiles) -> None:
        self._e2ee = e2ee
        self._profiles = profiles
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        """The routes."""
        keys = "/client/v3/keys"
        return (
            _post(
                f"{keys}/upload",
                self.upload,
                "Upload device keys and one-time keys",
                KeyUpload,
                schemas.KeyCounts,
                guests=True,
            ),
            _post(f"{keys}/query", self.query, "Query device keys", KeyQuery, schemas.FoundKeys, guests=True),
            _post(
                f"{keys}/claim", self.claim, "Claim one-time keys", KeyClaim, schemas.ClaimedKeys, guests=True
            ),
            Route(
                "GET",
                f"{keys}/changes",
                self.changes,
                "List users whose device keys changed",
                query=ChangesQuery,
                answer=schemas.Changes,
            ),
            _post(
                f"{keys}/device_signing/upload",
                self.upload_cross_signing,
                "Upload cross-signing keys",
                JsonObject,
                Empty,
            ),
            _post(
                f"{keys}/signatures/upload",
                self.upload_signatures,
                "Upload signatures",
                JsonObject,
                schemas.SignatureFailures,
            ),
            Route(
                "PUT",
                "/client/v3/sendToDevice/{type}/{txn_id}",
                self.send_to_device,
                "Send to-device messages",
                body=ToDevice,
                answer=Empty,
                guests=True,
            ),
        )

    async def upload(self, call: Call[KeyUpload, None]) -> schemas.KeyCounts:
        """`POST /_matrix/client/v3/keys/upload`: upload identity keys, one-time keys and fallback keys of the
        device; answers the counts of unused one-time keys.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_BAD_JSON (malformed keys), M_UNKNOWN (a published one-time key cannot be replaced),
          M_TOO_LARGE.
        """
        body = call.body
        request = devicekeys.KeyUpload(body.device_keys, body.one_time_keys, body.fallback_keys)
        return {"one_time_key_counts": {**await self._e2ee.device_keys.upload(call.requester, request)}}

    async def query(self, call: Call[KeyQuery, None]) -> schemas.FoundKeys:
        """`POST /_matrix/client/v3/keys/query`: device keys and cross-signing keys of users; an empty list of
        devices means all of a user's.

        Users of other servers stand in `failures`, by server. Devices of users whom the requester may not look up have
        no display name, as that often is the user's.

        Spec: client-server API, "End-to-end encryption".
        """
        wanted = {
            UserId(user_id): [DeviceId(one) for one in devices]
            for user_id, devices in call.body.device_keys.items()
        }
        found = await self._e2ee.device_keys.query(call.requester, wanted)
        people = await self._profiles.people(found.devices)
        visible = await self._profiles.visibility.visible(call.requester, people.values())
        return {
            "failures": dict.fromkeys(found.elsewhere, _UNREACHABLE),
            "device_keys": {
                user_id: devices if user_id in visible else _nameless(devices)
                for user_id, devices in found.devices.items()
            },
            "master_keys": found.master,
            "self_signing_keys": found.self_signing,
            "user_signing_keys": found.user_signing,
        }

    async def claim(self, call: Call[KeyClaim, None]) -> schemas.ClaimedKeys:
        """`POST /_matrix/client/v3/keys/claim`: take one one-time key of each device named, or its fallback
        key.

        Devices without a key are left out.

        Spec: client-server API, "End-to-end encryption".
        """
        wanted = {
            UserId(user_id): {DeviceId(one): algorithm for one, algorithm in devices.items()}
            for user_id, devices in call.body.one_time_keys.items()
        }
        claimed = await self._e2ee.device_keys.claim(call.requester, wanted)
        return {
            "failures": dict.fromkeys(claimed.elsewhere, _UNREACHABLE),
            "one_time_keys": claimed.keys,
        }

    async def changes(self, call: Call[None, ChangesQuery]) -> schemas.Changes:
        """`GET /_matrix/client/v3/keys/changes`: users whose keys changed between two tokens of /sync.

        `to` is ignored: changes up to now are listed.

        Spec: client-server API, "End-to-end encryption".
        Errors: M_INVALID_PARAM (not a token).
        """
        after = position_of(call.query.from_)
        found = await self._e2ee.lists.changes(call.requester, after or LOG_START)
        return {"changed": sorted(found.changed), "left": sorted(found.left)}

    async def upload_cross_signing(self, call: Call[JsonObject, None]) -> Empty:
        """`POST /_matrix/client/v3/keys/device_signing/upload`: publish the user's cross-signing keys.

        Replacing keys asks for the password (UIA); the first ones do not.

        Spec: client-server API, "End-to-end encryption".
        Errors: 401 with `flows` (UIA), M_INVALID_PARAM, M_INVALID_SIGNATURE, M_MISSING_PARAM (no master key).
        """
        requester = call.requester
        body = {name: value for name, value in call.body.root.items() if name != "auth"}
        is_proven = call.body.root.get("auth") is not None or await self._e2ee.cross_signing.needs_proof(
            requester, _request(body)
        )
        if is_proven:
            body = dict((await self._passwords.prove(call, "POST keys/device_signing/upload")).params)
        await self._e2ee.cross_signing.upload(requester, _request(body), proven=is_proven)
        return {}

    async def upload_signatures(self, call: Call[JsonObject, None]) -> schemas.SignatureFailures:
        """`POST /_matrix/client/v3/keys/signatures/upload`: upload signatures of devices and cross-signing
        keys.

        What was refused stands in `failures`; the rest is stored.

        Spec: client-server API, "End-to-end encryption".
        """
        signed = _signed(call.body.root)
        failures = await self._e2ee.cross_signing.sign(call.requester, signed)
        return {
            "failures": {
                user_id: {name: _error(error) for name, error in by_name.items()}
                for user_id, by_name in failures.items()
            }
        }

    async def send_to_device(self, call: Call[ToDevice, None]) -> Empty:
        """`PUT /_matrix/client/v3/sendToDevice/{type}/{txn_id}`: send messages to devices.

        A repeated transaction id sends nothing.

        Spec: client-server API, "Send-to-Device messaging".
        Errors: M_INVALID_PARAM, M_TOO_LARGE.
        """
        messages = {
            UserId(user_id): {DeviceId(one): content for one, content in devices.items()}
            for user_id, devices in call.body.messages.items()
        }
        kind, txn_id = call.text("type"), call.text("txn_id")
        await self._e2ee.to_device.send(call.requester, kind, messages, txn_id)
        return {}


def _post(path: str, handler: Any, summary: str, body: Any, answer: Any, *, guests: bool = False) -> Route:
    return Route("POST", path, handler, summary, body=body, answer=answer, guests=guests)


def _request(body: Mapping[str, Any]) -> CrossSigningUpload:
    keys = check(CrossSigningKeys, body)
    given = {
        Usage.MASTER: keys.master_key,
        Usage.SELF_SIGNING: keys.self_signing_key,
        Usage.USER_SIGNING: keys.user_signing_key,
    }
    return {usage: key for usage, key in given.items() if key is not None}


def _signed(body: Mapping[str, Any]) -> dict[UserId, dict[str, Json]]:
    signed: dict[UserId, dict[str, Json]] = {}
    for user_id, by_name in body.items():
        if not isinstance(by_name, dict) or not all(isinstance(one, dict) for one in by_name.values()):
            raise Invalid(f"{user_id}: must be an object of objects", code="invalid_param")
        signed[UserId(user_id)] = by_name
    return signed


def _error(error: HomeserverError) -> Json:
    return dict(ERRORS.shape(ERRORS.failure(error)))


def _nameless(devices: Mapping[DeviceId, Json]) -> dict[DeviceId, Json]:
    return {device_id: {**keys, "unsigned": {}} for device_id, keys in devices.items()}

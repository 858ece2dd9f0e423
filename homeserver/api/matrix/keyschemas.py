"""Request and response bodies of end-to-end encryption. Keys are passed on unchanged."""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from homeserver.http.body import Body, Flag, Query
from homeserver.protocol.ids import DeviceId, UserId


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null")
    return value


Json = dict[str, Any]
AnyJson = Annotated[Any, AfterValidator(_given)]
"""Any JSON value but null. The specification says that these are objects; some clients send text."""

_VERSION = Field(max_length=100)


class KeyUpload(Body):
    device_keys: Json | None = None
    one_time_keys: Json = Field(default_factory=dict)
    fallback_keys: Json = Field(default_factory=dict)


class KeyQuery(Body):
    device_keys: dict[str, list[str]]
    timeout: int | None = Field(default=None, ge=0)


class KeyClaim(Body):
    one_time_keys: dict[str, dict[str, str]]
    timeout: int | None = Field(default=None, ge=0)


class ChangesQuery(Query):
    from_: str = Field(max_length=200, alias="from")
    to: str | None = Field(default=None, max_length=200)


class CrossSigningKeys(Body):
    master_key: Json | None = None
    self_signing_key: Json | None = None
    user_signing_key: Json | None = None


class ToDevice(Body):
    messages: dict[str, dict[str, Json]]


class NewBackup(Body):
    algorithm: str = Field(max_length=255)
    auth_data: AnyJson


class ChangedBackup(NewBackup):
    version: str | None = None


class VersionQuery(Query):
    version: str = _VERSION


class BackupKeyBody(Body):
    first_message_index: int = Field(ge=0)
    forwarded_count: int = Field(ge=0)
    is_verified: Flag
    session_data: AnyJson


class RoomKeys(Body):
    sessions: dict[str, Json]


class AllKeys(Body):
    rooms: dict[str, RoomKeys]


class KeyCounts(TypedDict):
    one_time_key_counts: dict[str, int]


class FoundKeys(TypedDict):
    failures: Mapping[str, Json]
    device_keys: Mapping[UserId, Mapping[DeviceId, Json]]
    master_keys: Mapping[UserId, Json]
    self_signing_keys: Mapping[UserId, Json]
    user_signing_keys: Mapping[UserId, Json]


class ClaimedKeys(TypedDict):
    failures: Mapping[str, Json]
    one_time_keys: Mapping[UserId, Mapping[DeviceId, dict[str, object]]]


class Changes(TypedDict):
    changed: list[str]
    left: list[str]


class SignatureFailures(TypedDict):
    failures: dict[str, Json]


class CreatedBackup(TypedDict):
    version: str


class Backup(TypedDict):
    algorithm: str
    auth_data: Any
    count: int
    etag: str
    version: str


class BackupState(TypedDict):
    count: int
    etag: str


class StoredKey(TypedDict):
    first_message_index: int
    forwarded_count: int
    is_verified: bool
    session_data: Any


class StoredRoom(TypedDict):
    sessions: dict[str, StoredKey]


class StoredKeys(TypedDict):
    rooms: NotRequired[dict[str, StoredRoom]]

"""Constructors of log entries that are no events: how services about users and keys tell the other workers."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from homeserver.model import EntryKind, MediaId, SessionId
from homeserver.protocol.ids import DeviceId, RoomId, UserId
from homeserver.storage.log import Entry
from homeserver.timeline.submission import NewEntry, SideWrite


class Appends(Protocol):
    """The part of the timeline that these services need."""

    async def append(
        self, entries: Sequence[NewEntry], *, also: Sequence[SideWrite[Any]] = ()
    ) -> list[Entry]:
        """Commit the entries, and the rows with them; return once both are stored."""
        ...


def session_ended(user_id: UserId, session_id: SessionId | None, reason: str) -> NewEntry:
    """The entry that ends a session; without a session id, all sessions and access tokens of a user."""
    return NewEntry(
        kind=EntryKind.SESSION_ENDED,
        user_id=user_id,
        body={"session_id": session_id, "reason": reason},
    )


def profile_changed(user_id: UserId, *, erased: bool = False) -> NewEntry:
    """The entry that announces a changed profile; `erased`: the user also asked for erasure."""
    return NewEntry(kind=EntryKind.PROFILE, user_id=user_id, body={"erased": True} if erased else {})


def service_key_revoked(key_id: str) -> NewEntry:
    """The entry that ends a service key."""
    return NewEntry(kind=EntryKind.SERVICE_KEY_REVOKED, body={"key_id": key_id})


def devices_changed(user_id: UserId) -> NewEntry:
    """The entry that announces that a user's devices or keys changed."""
    return NewEntry(kind=EntryKind.DEVICES, user_id=user_id, body={})


def keys_signed(signer: UserId, user_ids: Sequence[UserId]) -> NewEntry:
    """The entry that announces that a user signed keys of others, or changed the key for it. Only they may see that."""
    return NewEntry(kind=EntryKind.KEYS_SIGNED, user_id=signer, body={"user_ids": list(user_ids)})


def device_messages(user_id: UserId, device_ids: Sequence[DeviceId]) -> NewEntry:
    """The entry that announces to-device messages for these devices of a user."""
    return NewEntry(kind=EntryKind.TO_DEVICE, user_id=user_id, body={"device_ids": list(device_ids)})


def account_data_changed(user_id: UserId, room_id: RoomId | Literal[""], kind: str) -> NewEntry:
    """The entry that announces changed account data. It has no room, as only its user may hear of it."""
    return NewEntry(kind=EntryKind.ACCOUNT_DATA, user_id=user_id, body={"room_id": room_id, "type": kind})


def room_forgotten(user_id: UserId, room_id: RoomId) -> NewEntry:
    """The entry that announces that a user forgot a room; only they may hear of it."""
    return NewEntry(kind=EntryKind.FORGOTTEN, user_id=user_id, body={"room_id": room_id})


def media_arrived(media_id: MediaId) -> NewEntry:
    """The entry that announces an uploaded file, for downloads that wait for it."""
    return NewEntry(kind=EntryKind.MEDIA, body={"media_id": media_id})


def blocks_changed(user_id: UserId, *, guest: UserId | None = None) -> NewEntry:
    """The entry that announces a changed block list; `guest`: with the blocks of this guest, who became the user."""
    return NewEntry(
        kind=EntryKind.BLOCKS, user_id=user_id, body={"guest": guest} if guest is not None else {}
    )

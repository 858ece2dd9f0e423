"""To-device messages (client-server API, "Send-to-Device messaging"). Each is delivered once.

A device's inbox is bounded; when it is full, the oldest messages of who has sent most of it are dropped. A device
that was offline for that long should read new messages, and can get older keys from a backup or from its user's other
devices, while a sender would never learn that a new key was dropped, and not send it again. Refusing the whole request
is no option: one lost phone would keep a room from being encrypted for all.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import TooLarge
from homeserver.kit.cache import BoundedCache
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import LOG_START, Content, EntryKind, LogPosition, Requester
from homeserver.protocol.ids import DeviceId, EventId, RoomId, UserId
from homeserver.services.e2ee import validation
from homeserver.settings.models import EncryptionSettings
from homeserver.storage import transactions
from homeserver.storage.db import Database
from homeserver.storage.e2ee import devices as stored_devices
from homeserver.storage.e2ee import inbox
from homeserver.storage.e2ee.devices import Device
from homeserver.storage.e2ee.inbox import DeviceMessage, InboxLimits
from homeserver.storage.log import Entry
from homeserver.storage.retry import write_with_retry
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.entries import Appends, device_messages
from homeserver.timeline.submission import Placed, SideWrite

EVERY_DEVICE = DeviceId("*")


class Delivery(NamedTuple):
    """Messages for a device: `bodies` are JSON of type, sender and content, the oldest first.

    `position`: to be given as `since` to the next read, which acknowledges these messages. `more`: further messages
    are waiting.
    """

    bodies: tuple[bytes, ...]
    position: LogPosition
    more: bool


class _Sending(NamedTuple):
    """The messages of one request: the body for each device, user by user in the order of their log entries."""

    txn: TxnKey
    sender: UserId
    people: tuple[Mapping[Device, bytes], ...]


class ToDevice:
    """Sends to-device messages, and reads each device's inbox."""

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
        self._inbox = InboxLimits(
            settings.max_inbox_messages, settings.max_inbox_bytes, settings.max_user_inbox_bytes
        )
        self._empty: BoundedCache[Device, bool] = BoundedCache(settings.cached_inboxes)

    async def send(
        self,
        requester: Requester,
        kind: str,
        messages: Mapping[UserId, Mapping[DeviceId, Content]],
        txn_id: str,
    ) -> None:
        """Send to devices, `*` for all of a user's that are not named; a repeated `txn_id` sends nothing again.

        Unknown devices are ignored. Raises Invalid("bad_name", "bad_user_id"), TooLarge, RateLimited.
        """
        self._limits.check("encryption", requester.user_id)
        validation.checked_name(kind, "an event type")
        txn = TxnKey(
            requester.session_key,
            RoomId(""),
            f"to-device/{kind}",
            validation.checked_name(txn_id, "a transaction id"),
        )
        here, _ = validation.split_users(messages, self._server_name)
        validation.check_count(sum(map(len, messages.values())), self._settings.max_items)
        bodies = {
            user_id: {
                validation.checked_device(device_id): self._body(kind, requester.user_id, content)
                for device_id, content in messages[user_id].items()
            }
            for user_id in here
        }
        async with self._db.read() as conn:
            repeated = await transactions.find(conn, [txn])
            known = await stored_devices.devices_of(conn, here, self._clock.now_ms())
        people = _addressed(bodies, known)
        validation.check_count(sum(map(len, people)), self._settings.max_items)
        if people and not repeated:
            self._limits.charge("encryption", requester.user_id, self._cost(people))
            news = [
                device_messages(next(iter(devices)).user_id, [device.device_id for device in devices])
                for devices in people
            ]
            await self._timeline.append(
                news, also=[SideWrite(self._write, _Sending(txn, requester.user_id, people))]
            )

    def note(self, entry: Entry) -> None:
        """Handle a log entry: inboxes that got messages are no longer known to be empty."""
        if entry.kind is EntryKind.TO_DEVICE and entry.user_id is not None:
            for device_id in (entry.body or {}).get("device_ids", ()):
                self._empty.drop(Device(entry.user_id, device_id))

    async def read(
        self, requester: Requester, *, since: LogPosition, limit: int | None = None, heard: bool = False
    ) -> Delivery:
        """The messages for the requester's device after `since`, the oldest first.

        Messages up to `since` are acknowledged by that and deleted. Empty for a requester without a device. `heard`:
        this process has read the log far enough, so that an inbox known to be empty needs no query.
        """
        if requester.device_id is None:
            return Delivery((), since, more=False)
        device = validation.device_of(requester)
        validation.checked_position(since)
        if heard and self._empty.get(device):
            return Delivery((), since, more=False)
        age = self._empty.age
        most = page_size(limit, self._settings.max_page)
        async with self._db.read() as conn:
            found = await inbox.messages_after(conn, device, LOG_START, most + 1)
        if found and found[0].position <= since:
            await write_with_retry(self._db, lambda conn: inbox.acknowledge(conn, device, since))
            async with self._db.read() as conn:
                found = await inbox.messages_after(conn, device, since, most + 1)
        if not found:
            self._empty.put(device, True, age)
        return delivery(found, since, most)

    def _body(self, kind: str, sender: UserId, content: Content) -> bytes:
        body = orjson.dumps({"type": kind, "sender": sender, "content": content})
        if len(body) > self._settings.max_message_bytes:
            raise TooLarge(
                f"a message must have at most {self._settings.max_message_bytes} bytes",
                code="message_too_large",
            )
        return body

    def _cost(self, people: Sequence[Mapping[Device, bytes]]) -> int:
        """The tokens that the bytes of a request cost, as they are stored: one for each `max_message_bytes`."""
        size = sum(len(body) for devices in people for body in set(devices.values()))
        return size // self._settings.max_message_bytes

    async def _write(self, conn: AsyncConnection, items: Sequence[Placed[_Sending]]) -> None:
        done = await transactions.find(conn, [item.row.txn for item in items])
        new: dict[TxnKey, Placed[_Sending]] = {}
        for item in items:
            if item.row.txn not in done:
                new.setdefault(item.row.txn, item)
        messages = [
            DeviceMessage(device, LogPosition(item.position + number), item.row.sender, body)
            for item in new.values()
            for number, devices in enumerate(item.row.people)
            for device, body in devices.items()
        ]
        if not messages:
            return
        await transactions.add(conn, dict.fromkeys(new, EventId("")), self._clock.now_ms())
        await inbox.add_messages(conn, messages)
        full = await inbox.full_inboxes(conn, {one.device for one in messages}, self._inbox)
        if full:
            # A little more than needed, so that the next message does not need it again.
            less = InboxLimits(*(limit * 9 // 10 for limit in self._inbox))
            await inbox.trim_inboxes(conn, full, less)


def page_size(limit: int | None, most: int) -> int:
    """The number of messages in one response: the requested limit, at most `most`."""
    return most if limit is None else max(1, min(limit, most))


def delivery(found: Sequence[DeviceMessage], since: LogPosition, most: int) -> Delivery:
    """The delivery of messages after `since`; `found` was queried with a limit of `most` + 1."""
    shown = found[:most]
    position = shown[-1].position if shown else since
    return Delivery(tuple(one.body for one in shown), position, more=len(found) > most)


def _addressed(
    bodies: Mapping[UserId, Mapping[DeviceId, bytes]], known: Mapping[UserId, Sequence[DeviceId]]
) -> tuple[Mapping[Device, bytes], ...]:
    """The body for each known device, user by user; users without a message are left out."""
    people = []
    for user_id, wanted in bodies.items():
        to_all = wanted.get(EVERY_DEVICE)
        mine = {
            Device(user_id, device_id): body
            for device_id in known[user_id]
            if (body := wanted.get(device_id, to_all)) is not None
        }
        if mine:
            people.append(mine)
    return tuple(people)

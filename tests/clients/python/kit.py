"""What the stories share: devices of matrix-nio that follow the server, waiting, and telling what was seen.

A story is run as `python -m tests.clients.python.STORY URL`, by the clients' own Python. Each thing seen is a line of
JSON on standard output.
"""

import asyncio
import json
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nio

PASSWORD = "correct horse battery"
PATIENCE_S = 20.0
LOOK_EVERY_S = 0.01
POLL_MS = 5000
ENCRYPTED = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


def saw(what: str, found: Any = True) -> None:
    """Tell what was seen."""
    print(json.dumps({"saw": what, "found": found}), file=sys.__stdout__, flush=True)


async def until(what: str, probe: Callable[[], Any]) -> Any:
    """What `probe` finds, as soon as it finds something."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not (found := probe()):
        assert asyncio.get_running_loop().time() < deadline, f"it did not come: {what}"
        await asyncio.sleep(LOOK_EVERY_S)
    return found


async def must(asked: Awaitable[Any]) -> Any:
    """The answer; this library hands out errors as answers too."""
    answer = await asked
    assert not isinstance(answer, nio.ErrorResponse), answer
    return answer


@dataclass
class Device:
    """A client that follows the server.

    `heard` are all events of rooms, `notes` everything beside them, `left` the last events of rooms that were left, of
    which the library keeps nothing itself.
    """

    client: nio.AsyncClient
    heard: list[tuple[str, nio.Event]] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    left: dict[str, list[nio.Event]] = field(default_factory=dict)
    complaints: list[Any] = field(default_factory=list)
    following: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.client.add_event_callback(self._hear, nio.Event)
        self.client.add_ephemeral_callback(self._note_in_room, nio.EphemeralEvent)
        self.client.add_room_account_data_callback(self._note_in_room, nio.AccountDataEvent)
        self.client.add_global_account_data_callback(self._note, nio.AccountDataEvent)
        self.client.add_presence_callback(self._note, nio.PresenceEvent)
        self.client.add_to_device_callback(self._note, nio.ToDeviceEvent)
        self.client.add_response_callback(self._part, nio.SyncResponse)
        self.client.add_response_callback(self._complain, nio.ErrorResponse)

    async def follow(self) -> None:
        """Sync from now on; returns when the first answer is in."""
        self.following = following = asyncio.create_task(self.client.sync_forever(POLL_MS))
        await until(f"the first sync of {self.user_id}", lambda: self.client.next_batch or following.done())

    async def rest(self) -> None:
        """Follow no longer, as before a log-out; raises what ended it before."""
        following, self.following = self.following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
            if not following.cancelled():
                following.result()

    @property
    def user_id(self) -> str:
        return str(self.client.user_id)

    async def event(self, room_id: str, wanted: Callable[[Any], Any]) -> Any:
        """The first event of the room that is wanted."""

        def find() -> Any:
            return next((one for room, one in self.heard if room == room_id and wanted(one)), None)

        return await until(f"an event in {room_id} for {self.user_id}", find)

    async def text(self, room_id: str, text: str) -> Any:
        """A message with this text."""
        return await self.event(
            room_id, lambda one: isinstance(one, nio.RoomMessageText) and one.body == text
        )

    async def note(self, kind: type, wanted: Callable[[Any], Any] = bool) -> Any:
        """The first thing of this kind that is wanted, of what is no event of a room."""

        def find() -> Any:
            return next((one for one in self.notes if isinstance(one, kind) and wanted(one)), None)

        return await until(f"{kind.__name__} for {self.user_id}", find)

    async def invited(self, room_id: str) -> None:
        await until(f"an invitation for {self.user_id}", lambda: room_id in self.client.invited_rooms)

    async def meet(self, other: "Device", **request: Any) -> str:
        """A room of both; answers when both know of each other."""
        room_id = str((await must(self.client.room_create(invite=[other.user_id], **request))).room_id)
        await other.invited(room_id)
        await must(other.client.join(room_id))
        for device in (self, other):
            await until(f"both in {room_id}", partial(device.knows, room_id, {self.user_id, other.user_id}))
        return room_id

    def knows(self, room_id: str, user_ids: set[str]) -> bool:
        """Whether it knows that exactly these people are in the room."""
        room = self.client.rooms.get(room_id)
        return (
            room is not None and {one.user_id for one in room.users.values() if not one.invited} == user_ids
        )

    async def say(self, room_id: str, text: str, **more: Any) -> str:
        """Send a text; answers the event's id."""
        return await self.send(room_id, {"msgtype": "m.text", "body": text, **more})

    async def send(self, room_id: str, content: Any, kind: str = "m.room.message") -> str:
        sent = await must(self.client.room_send(room_id, kind, content, ignore_unverified_devices=True))
        return str(sent.event_id)

    async def _hear(self, room: nio.MatrixRoom, event: nio.Event) -> None:
        if isinstance(event, nio.BadEvent | nio.UnknownBadEvent):
            self.complaints.append(event.source)
        self.heard.append((room.room_id, event))

    async def _note_in_room(self, _: nio.MatrixRoom, event: Any) -> None:
        self.notes.append(event)

    async def _note(self, event: Any) -> None:
        self.notes.append(event)

    async def _part(self, answer: nio.SyncResponse) -> None:
        for room_id, room in answer.rooms.leave.items():
            self.left[room_id] = room.timeline.events

    async def _complain(self, answer: nio.ErrorResponse) -> None:
        self.complaints.append(str(answer))


class Devices(AsyncExitStack):
    """Makes devices, and ends them with the story."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__()
        self.url = url
        self.folder = folder
        self._all: list[Device] = []

    async def register(self, name: str, *, encrypted: bool = False) -> Device:
        """A new account and its first device."""
        client = self._client(name, encrypted)
        await must(client.register(name, PASSWORD))
        return await self._follow(client)

    async def login(self, name: str, *, encrypted: bool = False) -> Device:
        """Another device of somebody."""
        client = self._client(name, encrypted)
        await must(client.login(PASSWORD))
        return await self._follow(client)

    def check(self) -> None:
        """What the library could not read, or was refused while it followed."""
        complaints = [one for device in self._all for one in device.complaints]
        assert not complaints, complaints

    def _client(self, name: str, encrypted: bool) -> nio.AsyncClient:
        config = nio.AsyncClientConfig(encryption_enabled=encrypted, store_sync_tokens=False)
        store = tempfile.mkdtemp(dir=self.folder)
        client = nio.AsyncClient(self.url, name, store_path=store, config=config)
        self.push_async_callback(client.close)
        return client

    async def _follow(self, client: nio.AsyncClient) -> Device:
        device = Device(client)
        self._all.append(device)
        self.push_async_callback(device.rest)
        await device.follow()
        return device


def story(tell: Callable[[Devices], Coroutine[Any, Any, None]]) -> None:
    """Run a story; the exit status says whether it went well."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with Devices(sys.argv[1], Path(folder)) as devices:
                await tell(devices)
                devices.check()

    sys.stdout = sys.stderr  # libraries print
    try:
        asyncio.run(run())
    except Exception as error:
        saw("a failure", {"error": repr(error), "stack": traceback.format_exc()})
        raise SystemExit(1) from error
    saw("the end")

"""The smallest bridge that does something: a person who says again whatever is said to them.

It has all that a bridge can have: settings, an API, a listener, a task. docs/bridges.md goes through it.
"""

import asyncio
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from homeserver.app import Homeserver
from homeserver.bridges import Context, Entry, Parts
from homeserver.errors import HomeserverError
from homeserver.http.apps import face_application
from homeserver.http.errors import PLAIN
from homeserver.http.routes import Call, Face, Route
from homeserver.model import Requester

MAX_WAITING = 1000


class EchoSettings(BaseModel):
    """The section `bridges: {echo: {...}}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str = Field(default="/api/echo", pattern=r"^(/[a-z0-9-]+)+$")
    name: str = Field(default="Echo", min_length=1, max_length=50)


class Bot(TypedDict):
    id: int
    display_name: str


class Echo:
    """Hears the log, and answers through the services, as the person that it is."""

    def __init__(self, hs: Homeserver, settings: EchoSettings) -> None:
        self._hs = hs
        self._settings = settings
        self._self: asyncio.Future[Requester] = asyncio.get_running_loop().create_future()
        self._heard: asyncio.Queue[Entry] = asyncio.Queue(MAX_WAITING)

    def hear(self, entry: Entry) -> None:
        """A listener must be quick, so it only notes what there is to do; too much at once is left out."""
        if entry.event is not None and entry.event.shown and not self._heard.full():
            self._heard.put_nowait(entry)

    async def run(self) -> None:
        """A task: it has the time to wait for others."""
        if not self._self.done():
            person = await self._hs.accounts.accounts.create(display_name=self._settings.name)
            self._self.set_result(Requester(person.user_id, person.number, session_key="echo"))
        own = await self._self
        while True:
            entry = await self._heard.get()
            if entry.event is None or entry.event.event.sender == own.user_id:
                continue
            try:  # the id of what was said makes a repeated answer harmless
                room = await self._hs.events.access.room(own, entry.event.event.room_id)
                await self._hs.messages.messages.send(
                    room,
                    text=str(entry.event.event.content.get("body", "?")),
                    txn_id=entry.event.event.event_id,
                )
            except HomeserverError:
                continue  # not in that room, or no text: nothing to say again

    async def who(self, _call: Call[None, None]) -> Bot:
        """Whom to write to."""
        own = await self._self
        return {"id": own.number, "display_name": self._settings.name}


@dataclass(frozen=True, slots=True)
class EchoBridge:
    settings: type[BaseModel] = EchoSettings

    def setup(self, context: Context, settings: EchoSettings) -> Parts:
        """Nothing runs yet: the server starts tasks and listeners when all is built."""
        echo = Echo(context.hs, settings)
        routes = (Route("GET", "/who", echo.who, "Whom to write to", answer=Bot, tags=("Echo",)),)
        face = Face(
            "Echo",
            settings.prefix,
            face_application(context.dispatcher(context.authenticator), PLAIN, routes),
            routes,
        )
        return Parts(
            faces=[face], listeners=[echo.hear], tasks={"answers": echo.run}, warnings=["it talks back"]
        )


BRIDGE = EchoBridge()

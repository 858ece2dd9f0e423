"""The payload of pushes: each API renders its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from homeserver.model import Content, Message, Person
from homeserver.protocol.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Notice:
    """A message, and a user who is notified of it. `text`: the beginning of its text, or of its file's name, up to
    the limit."""

    message: Message
    recipient: Person
    text: str


class Words(Protocol):
    """Renders the payloads of an API."""

    async def __call__(self, notices: Sequence[Notice], /) -> Sequence[Content | None]:
        """The payload of each notice, as small JSON; None if this API has none. All notices are rendered in one
        call."""
        ...


def _nowhere(_user_id: UserId, _room_id: RoomId) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class PushFace:
    """An API whose users may subscribe to pushes, by the name that its subscriptions carry.

    `attends`: True if a user has a view open here that shows a room's messages, other than a live connection to the
    room (services/realtime/connections.py). It is called often, and must be quick.
    """

    name: str
    words: Words
    attends: Callable[[UserId, RoomId], bool] = _nowhere


class Faces:
    """The APIs that render pushes."""

    def __init__(self) -> None:
        self._faces: dict[str, PushFace] = {}

    def add(self, face: PushFace) -> None:
        """Register an API: its users get pushes from now on."""
        self._faces[face.name] = face

    def words(self, name: str) -> Words | None:
        """The renderer of an API; None if the API is not served any more."""
        face = self._faces.get(name)
        return None if face is None else face.words

    def attends(self, user_id: UserId, room_id: RoomId) -> bool:
        """True if any API shows the user this room's messages now."""
        return any(face.attends(user_id, room_id) for face in self._faces.values())

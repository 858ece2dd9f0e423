"""What a push says: each API has its own words for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from homeserver.model import Content, Message, Person
from homeserver.protocol.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Notice:
    """A message, and a person who shall be told of it. `text`: so much of it, or of its file's name, as may be said."""

    message: Message
    recipient: Person
    text: str


class Words(Protocol):
    """Says notices in the words of an API."""

    async def __call__(self, notices: Sequence[Notice], /) -> Sequence[Content | None]:
        """The payload of each, small JSON; None where this API has nothing to say. All of them at once."""
        ...


def _nowhere(_user_id: UserId, _room_id: RoomId) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class PushFace:
    """An API whose people may want pushes, by the name that its subscriptions carry.

    `attends`: whether a person has something open here that shows a room's news, other than what counts as being
    in the room (services/realtime/connections.py). It is asked often, and must be quick.
    """

    name: str
    words: Words
    attends: Callable[[UserId, RoomId], bool] = _nowhere


class Faces:
    """The APIs that have words for pushes."""

    def __init__(self) -> None:
        self._faces: dict[str, PushFace] = {}

    def add(self, face: PushFace) -> None:
        """From now on this API's people get pushes."""
        self._faces[face.name] = face

    def words(self, name: str) -> Words | None:
        """Who says the words of an API; None for one that is not here any more."""
        face = self._faces.get(name)
        return None if face is None else face.words

    def attends(self, user_id: UserId, room_id: RoomId) -> bool:
        """Whether any API shows a person the news of a room now."""
        return any(face.attends(user_id, room_id) for face in self._faces.values())

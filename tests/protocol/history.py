"""Valid signed histories of a room, forked where a test asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from homeserver.protocol.auth import auth_types_for, check_against_state, check_alone
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId
from homeserver.protocol.power import CREATE_KEY
from homeserver.protocol.resolve import resolve
from homeserver.protocol.seal import seal
from homeserver.protocol.signing import SigningKey
from homeserver.protocol.versions import RULES, EventIdFormat, RoomRules

State = dict[StateKey, EventId]
START_MS = 1_700_000_000_000


def key_of(server: str) -> SigningKey:
    """Every server of a test has one key, made from its name, so that event ids are the same in every run."""
    return SigningKey("ed25519:test", sha256(server.encode()).digest())


@dataclass
class History:
    """A room that grows by events which pass the auth rules; each may follow any earlier ones."""

    rules: RoomRules
    events: dict[EventId, Event] = field(default_factory=dict)
    state_after: dict[EventId, State] = field(default_factory=dict)
    last: EventId | None = None

    @classmethod
    def begin(cls, version: str, creator: str = "@alice:one", **create_content: Any) -> "History":
        """A room of `creator`, who has joined."""
        room = cls(RULES[version])
        content = {"room_version": version, **create_content}
        if not room.rules.creator_is_sender:
            content["creator"] = creator
        room.add(creator, "m.room.create", content, "")
        room.join(creator)
        return room

    @property
    def room_id(self) -> str:
        first = next(iter(self.events.values()), None)
        return "!room:one" if first is None else first.room_id

    @property
    def create(self) -> Event:
        return next(iter(self.events.values()))

    def join(self, user_id: str, **given: Any) -> Event:
        return self.member(user_id, user_id, "join", **given)

    def member(self, sender: str, target: str, membership: str, **given: Any) -> Event:
        return self.add(sender, "m.room.member", {"membership": membership}, target, **given)

    def power(self, sender: str, content: Mapping[str, Any], **given: Any) -> Event:
        return self.add(sender, "m.room.power_levels", content, "", **given)

    def add(
        self,
        sender: str,
        event_type: str,
        content: Mapping[str, Any],
        state_key: str | None = None,
        *,
        after: Sequence[EventId] | None = None,
        ts: int = 0,
    ) -> Event:
        """Build, check, seal and keep an event. `after` defaults to the last one. Raises AuthRefused."""
        prev = tuple(after) if after is not None else ((self.last,) if self.last else ())
        before = self.state_before(prev)
        auth_types = auth_types_for(event_type, state_key, sender, content, self.rules)
        auth_ids = [before[key] for key in auth_types if key in before]
        pdu = self._pdu(sender, event_type, content, state_key, prev, auth_ids)
        pdu["origin_server_ts"] = START_MS + ts
        server = sender.partition(":")[2]
        event = seal(pdu, self.rules, server, key_of(server))
        self.check(event, before)
        self.keep(event, before)
        return event

    def state_before(self, prev: Sequence[EventId]) -> State:
        return resolve([self.state_after[event_id] for event_id in prev], self.events, self.rules)

    def check(self, event: Event, before: State) -> None:
        auth_events = [self.events[event_id] for event_id in event.auth_events]
        create = self.events[before[CREATE_KEY]] if before else None
        check_alone(event, auth_events, self.rules, create=create)
        check_against_state(event, self.full(before), self.rules)

    def keep(self, event: Event, before: State) -> None:
        self.events[event.event_id] = event
        changed = {event.key: event.event_id} if event.is_state else {}
        self.state_after[event.event_id] = {**before, **changed}
        self.last = event.event_id

    def full(self, state: State) -> dict[StateKey, Event]:
        return {key: self.events[event_id] for key, event_id in state.items()}

    @property
    def state(self) -> dict[StateKey, Event]:
        """The state after the last event."""
        assert self.last is not None
        return self.full(self.state_after[self.last])

    def _pdu(
        self,
        sender: str,
        event_type: str,
        content: Mapping[str, Any],
        state_key: str | None,
        prev: Sequence[EventId],
        auth_ids: Sequence[EventId],
    ) -> dict[str, Any]:
        pdu: dict[str, Any] = {
            "type": event_type,
            "sender": sender,
            "content": dict(content),
            "depth": 1 + max((self.events[event_id].depth for event_id in prev), default=0),
            "prev_events": self._references(prev),
            "auth_events": self._references(auth_ids),
        }
        if not (self.rules.room_id_is_hash and event_type == "m.room.create"):
            pdu["room_id"] = self.room_id
        if state_key is not None:
            pdu["state_key"] = state_key
        if self.rules.event_id_format is EventIdFormat.GIVEN:
            pdu["event_id"] = f"${len(self.events)}:{sender.partition(':')[2]}"
        return pdu

    def _references(self, event_ids: Sequence[EventId]) -> list[Any]:
        return [[one, {}] if self.rules.references_have_hashes else one for one in event_ids]

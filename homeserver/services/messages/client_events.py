"""Sending message and state events, and redacting, as Matrix clients do (client-server API, "Sending events to a
room")."""

from typing import Final

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.model import Content, Draft, Requester
from homeserver.protocol.canonical import same_json
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.accounts.status import check_may_act
from homeserver.services.events.access import head_for_member
from homeserver.services.messages.messages import Messages
from homeserver.services.messages.relation_rules import check_relation
from homeserver.services.moderation.send_policy import SendPolicy
from homeserver.services.rooms import product_rules
from homeserver.services.rooms.aliases import CANONICAL, Aliases
from homeserver.services.rooms.guestaccess import check_member_state
from homeserver.services.rooms.initial_state import TOMBSTONE
from homeserver.services.rooms.membership import CheckLeave
from homeserver.services.rooms.upgrades import Upgrades
from homeserver.storage import events
from homeserver.storage.db import Database
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.build import relation_of
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import levels_of
from homeserver.timeline.submission import NOTHING, Decided, Written
from homeserver.timeline.writer import Timeline

_STATE_BY_OTHER_WAYS: Final = frozenset({"m.room.create"})
MAX_TXN_CHARS: Final = 255


class RoomEvents:
    """Sends clients' events. The requester is the first argument of each method."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        messages: Messages,
        send_policy: SendPolicy,
        aliases: Aliases,
        upgrades: Upgrades,
        check_leave: CheckLeave,
    ) -> None:
        self._upgrades = upgrades
        self._check_leave = check_leave
        self._aliases = aliases
        self._db = db
        self._timeline = timeline
        self._messages = messages
        self._send_policy = send_policy

    async def send(
        self, requester: Requester, room_id: RoomId, kind: str, content: Content, *, txn_id: str | None
    ) -> EventId:
        """Send a message event. A repeated `txn_id` of the same device returns the first event's id.

        Raises NotFound("room_not_found"), Forbidden("not_joined", "auth_rule", "blocked", "word_refused", or a code
        of `product_rules`), Invalid (also what `check_relation` raises), TooLarge, RateLimited.
        """
        if kind == "m.room.redaction" and isinstance(content.get("redacts"), str):
            return await self.redact(
                requester, room_id, EventId(content["redacts"]), content, scope=f"send/{kind}", txn_id=txn_id
            )
        head = await head_for_member(self._timeline, requester, room_id)
        self._messages.admit(requester)
        product_rules.check_send(head, kind, content)
        text, edits = _text_in(kind, content)
        txn = txn_key(requester, room_id, f"send/{kind}", txn_id)
        draft = Draft(kind, requester.user_id, content)
        also = await check_relation(self._db, room_id, draft, txn)
        written = await self._messages.write(
            requester, head, draft, text=text, txn=txn, edits=edits, also=also
        )
        return _first(written)

    async def set_state(
        self, requester: Requester, room_id: RoomId, kind: str, state_key: str, content: Content
    ) -> EventId:
        """Send a state event; with unchanged content no event is sent, and the current event's id is returned."""
        head = await self._timeline.head(room_id)
        self._messages.admit(requester)
        draft = Draft(kind, requester.user_id, content, state_key=state_key)
        self._check_state(requester, head, draft)
        if kind == "m.room.member" and content.get("membership") == "invite":
            await self._send_policy.check_people(requester, [UserId(state_key)])
        if (kind, state_key) == (CANONICAL, ""):
            before = head.state.events.get((kind, state_key))
            await self._aliases.check_canonical(room_id, before.content if before else {}, content)
        there: Event | None = None

        def decide(head: Head) -> Decided:
            nonlocal there
            self._check_state(requester, head, draft)
            there = head.state.events.get((kind, state_key))
            if there is not None and there.sender == draft.sender and same_json(there.content, content):
                return NOTHING
            return Decided([draft])

        written = await self._timeline.decide(room_id, decide)
        if not written.events and there is not None:
            return there.event_id
        if (kind, state_key) == (TOMBSTONE, ""):
            await self._upgrades.note_tombstone(room_id, content)
        return _first(written)

    def _check_state(self, requester: Requester, head: Head, draft: Draft) -> None:
        """What the auth rules do not say of a state event."""
        state_key = draft.state_key or ""
        if draft.type in _STATE_BY_OTHER_WAYS:
            raise Forbidden("m.room.create can only be the first event of a room", code="auth_rule")
        product_rules.check_state(requester, head, draft.type, state_key, draft.content)
        if (draft.type, draft.content.get("replacement_room")) == (TOMBSTONE, head.room_id):
            raise Invalid("a room cannot be replaced by itself", code="invalid_param")
        if draft.type == "m.room.member":
            check_member_state(requester, head, state_key, draft.content)
            if (state_key, draft.content.get("membership")) == (requester.user_id, "leave"):
                self._check_leave(head, requester.user_id)

    async def redact(
        self,
        requester: Requester,
        room_id: RoomId,
        target: EventId,
        content: Content,
        *,
        txn_id: str | None,
        scope: str = "",
    ) -> EventId:
        """Redact an event, and with a message its edits and files; for its sender, and for users with the power to
        redact. `scope`: of the transaction id, if the redaction is sent as an event.

        Raises NotFound("event_not_found"), Forbidden("not_joined", "low_power").
        """
        head = await head_for_member(self._timeline, requester, room_id)
        self._send_policy.check_pace(requester)
        async with self._db.read() as conn:
            found = (await events.events_by_id(conn, [target])).get(target)
        if found is None or found.event.room_id != room_id:
            raise NotFound("no such event in this room", code="event_not_found")
        levels = levels_of(head)
        if found.event.sender != requester.user_id:
            check_may_act(requester)
        if found.event.sender != requester.user_id and levels.user(requester.user_id) < levels.redact:
            raise Forbidden("you may not redact events of other users", code="low_power")
        product_rules.check_redaction(head, found.event)
        txn = txn_key(requester, room_id, scope or f"redact/{target}", txn_id)
        return _first(await self._messages.redact_as(requester.user_id, found, content=content, txn=txn))


def _text_in(kind: str, content: Content) -> tuple[str | None, EventId | None]:
    """What users read in an event, and the message that it edits. The server cannot read what is encrypted."""
    edited = content.get("m.new_content")
    body = (edited if isinstance(edited, dict) else content).get("body")
    text = body if kind == "m.room.message" and isinstance(body, str) else None
    relation = relation_of(content)
    return text, relation[1] if relation is not None and relation[0] == "m.replace" else None


def txn_key(requester: Requester, room_id: RoomId, scope: str, txn_id: str | None) -> TxnKey | None:
    """The key of a client's transaction id; None without one. Raises Invalid if it is too long."""
    if txn_id is None:
        return None
    if len(txn_id) > MAX_TXN_CHARS:
        raise Invalid(f"a transaction id must have at most {MAX_TXN_CHARS} characters", code="invalid_param")
    return TxnKey(requester.session_key, room_id, scope, txn_id)


def _first(written: Written) -> EventId:
    return written.events[0].event.event_id

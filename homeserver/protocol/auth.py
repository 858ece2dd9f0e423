"""The authorization rules (sections 9 and 11). Numbers in comments and in AuthRefused are those of section 11.

`check_alone` has the rules that depend only on the event and its auth events (1-3), `check_against_state` those that
depend on a state (4-13). A received event must pass the first once, and the second against the state of its auth
events, the state before it, and the room's current state.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import AuthRefused, BadPowerLevel, UnknownRoomVersion
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId, ServerName, is_user_id
from homeserver.protocol.member import JOIN_RULES_KEY, check_member, membership_in
from homeserver.protocol.power import CREATE_KEY, POWER_LEVELS_KEY, Level, PowerLevels, check_power_levels
from homeserver.protocol.versions import RoomRules, rules_for

CREATE = "m.room.create"
MEMBER = "m.room.member"


def auth_types_for(
    event_type: str, state_key: str | None, sender: str, content: JsonObject, rules: RoomRules
) -> list[StateKey]:
    """The state keys of an event's auth events in the state before it (section 9); they may be absent there."""
    if event_type == CREATE:
        return []
    keys = [CREATE_KEY] if rules.create_in_auth_events else []
    keys += [POWER_LEVELS_KEY, (MEMBER, sender)]
    if event_type == MEMBER and state_key is not None:
        keys += _member_auth_types(state_key, content, rules)
    return list(dict.fromkeys(keys))  # a sender may be the target


def _member_auth_types(target: str, content: JsonObject, rules: RoomRules) -> list[StateKey]:
    membership = content.get("membership")
    keys = [(MEMBER, target)]
    if membership in ("join", "invite", "knock"):
        keys.append(JOIN_RULES_KEY)
    if membership == "invite":
        invite = content.get("third_party_invite")
        signed = invite.get("signed") if isinstance(invite, dict) else None
        token = signed.get("token") if isinstance(signed, dict) else None
        if isinstance(token, str):
            keys.append(("m.room.third_party_invite", token))
    elif membership == "join" and rules.restricted_join:
        authoriser = content.get("join_authorised_via_users_server")
        if isinstance(authoriser, str):
            keys.append((MEMBER, authoriser))
    return keys


def auth_types_of(event: Event, rules: RoomRules) -> list[StateKey]:
    """`auth_types_for` of a complete event."""
    return auth_types_for(event.type, event.state_key, event.sender, event.content, rules)


def check_alone(
    event: Event,
    auth_events: Sequence[Event],
    rules: RoomRules,
    *,
    rejected: Collection[EventId] = (),
    create: Event | None = None,
) -> None:
    """Rules 1-3, which do not depend on a state. Raises AuthRefused.

    `auth_events` are the events that `event.auth_events` names, all of them; `rejected` holds the ids of those that
    were rejected. `create` is the accepted create event of the room that the event claims: room version 12 needs
    it (rule 2), others find it among the auth events.
    """
    if event.type == CREATE:
        _check_create(event, rules)
        return
    if rules.room_id_is_hash:
        _check_room(event, create, rejected)
    _check_auth_events(event, auth_events, rules, rejected)


def check_by_own(
    event: Event,
    auth_events: Sequence[Event],
    rules: RoomRules,
    *,
    rejected: Collection[EventId] = (),
    create: Event | None = None,
) -> None:
    """All rules by the auth events of the event: `check_alone`, and the others against the state that they make.
    Arguments and errors are those of `check_alone`."""
    check_alone(event, auth_events, rules, rejected=rejected, create=create)
    state = {one.key: one for one in auth_events if one.is_state}
    if create is not None:
        state.setdefault(CREATE_KEY, create)
    check_against_state(event, state, rules)


def _check_create(event: Event, rules: RoomRules) -> None:
    if event.prev_events:
        raise AuthRefused("1.1", "a create event must be the first event")
    if rules.room_id_is_hash:
        if "room_id" in event.pdu:
            raise AuthRefused("1.2", "the create event has a room id")
    elif _domain(event.room_id) != _domain(event.sender):
        raise AuthRefused("1.2", "the room id is of another server")
    if "room_version" in event.content:
        try:
            rules_for(event.content["room_version"])
        except UnknownRoomVersion as error:
            raise AuthRefused("1.3", str(error)) from None
    if not rules.creator_is_sender and "creator" not in event.content:
        raise AuthRefused("1.4", "no creator")
    if rules.additional_creators and "additional_creators" in event.content:
        more = event.content["additional_creators"]
        if not isinstance(more, list) or not all(isinstance(one, str) and is_user_id(one) for one in more):
            raise AuthRefused("1.4", "additional_creators is not a list of user ids")


def _check_room(event: Event, create: Event | None, rejected: Collection[EventId]) -> None:
    if create is None or create.type != CREATE or create.event_id in rejected:
        raise AuthRefused("2", "the room has no accepted create event")
    if create.event_id != "$" + event.room_id[1:]:
        raise AuthRefused("2", "the room id is not that of the create event")


def _check_auth_events(
    event: Event, auth_events: Sequence[Event], rules: RoomRules, rejected: Collection[EventId]
) -> None:
    if sorted(one.event_id for one in auth_events) != sorted(event.auth_events):
        raise AuthRefused("3", "not all auth events are known")
    wanted = auth_types_of(event, rules)
    seen: set[StateKey] = set()
    for one in auth_events:
        if not one.is_state or one.key not in wanted:
            raise AuthRefused("3.2", f"{one.event_id} is not for this event")
        if one.key in seen:
            raise AuthRefused("3.1", f"two auth events at {one.key}")
        if one.event_id in rejected:
            raise AuthRefused("3.3", f"{one.event_id} was rejected")
        if one.room_id != event.room_id:
            raise AuthRefused("3.5", f"{one.event_id} is of another room")
        seen.add(one.key)
    if rules.create_in_auth_events and CREATE_KEY not in seen:
        raise AuthRefused("3.4", "no create event")


def check_against_state(
    event: Event,
    state: Mapping[StateKey, Event],
    rules: RoomRules,
    *,
    signers: Collection[ServerName] | None = None,
) -> None:
    """Rules 4-13 against one state. Raises AuthRefused.

    `state` may hold more than the event needs, and must hold the create event in every room version (in 12, where no
    event names it, the caller adds it). `signers` are the servers whose signatures on the event were verified, for
    rule 6.2; None if the signatures of `signing.required_signers`, which say the same, were checked before.
    """
    if event.type == CREATE:
        return  # decided by rule 1
    create = state.get(CREATE_KEY)
    if create is None:
        raise AuthRefused("3.4" if rules.create_in_auth_events else "2", "no create event in the state")
    _check_federation(event, create)
    if rules.aliases_auth_rule and event.type == "m.room.aliases":
        _check_aliases(event)
        return
    levels = PowerLevels.from_events(create, state.get(POWER_LEVELS_KEY), rules)
    try:
        if event.type == MEMBER:
            check_member(event, state, create, levels, signers)
        else:
            _check_ordinary(event, state, levels)
    except BadPowerLevel as error:
        raise AuthRefused("levels", str(error)) from None


def _check_federation(event: Event, create: Event) -> None:
    """4; existing servers ask it of the target of a member event too."""
    if create.content.get("m.federate", True) is not False:
        return
    home = _domain(create.sender)
    if _domain(event.sender) != home:
        raise AuthRefused("4", "the room does not federate")
    if event.type == MEMBER and event.state_key is not None and _domain(event.state_key) != home:
        raise AuthRefused("4", "the room does not federate")


def _check_aliases(event: Event) -> None:
    if event.state_key is None or event.state_key != _domain(event.sender):
        raise AuthRefused("5", "the state key is not the sender's server")


def _check_ordinary(event: Event, state: Mapping[StateKey, Event], levels: PowerLevels) -> None:
    """7-13: everything but create, aliases and member events."""
    if membership_in(state, event.sender) != "join":
        raise AuthRefused("7", "the sender is not joined")
    own = levels.user(event.sender)
    if event.type == "m.room.third_party_invite":
        if own < levels.invite:
            raise AuthRefused("8", "the sender may not invite")
        return
    if levels.event(event.type, is_state=event.is_state) > own:
        raise AuthRefused("9", f"the sender's level is too low for {event.type}")
    if event.state_key is not None and event.state_key[:1] == "@" and event.state_key != event.sender:
        raise AuthRefused("10", "the state key is another user")
    if event.type == "m.room.power_levels":
        check_power_levels(event, levels)
    elif event.type == "m.room.redaction" and levels.rules.redaction_auth_rule:
        _check_redaction(event, own, levels)


def _check_redaction(event: Event, own: Level, levels: PowerLevels) -> None:
    """12, room versions 1 and 2; ids name the server that made an event there."""
    if own < levels.redact and _domain(event.redacts or "") != _domain(event.event_id):
        raise AuthRefused("12", "the sender may not redact events of other servers")


def may_redact(redaction: Event, target: Event, levels: PowerLevels) -> bool:
    """True if a redaction applies to its target (section 12); `levels` are those of the state at the redaction.

    Both must have been accepted. In room versions 1 and 2 the auth rules have checked this already.
    """
    if redaction.redacts != target.event_id or redaction.room_id != target.room_id:
        return False
    if levels.rules.redaction_auth_rule or _domain(redaction.sender) == _domain(target.sender):
        return True
    try:
        return levels.user(redaction.sender) >= levels.redact
    except BadPowerLevel:
        return False


def _domain(identifier: str) -> str:
    """The part after the first colon, "" if there is none."""
    return identifier.partition(":")[2]

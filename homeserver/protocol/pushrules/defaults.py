"""The predefined rules ("Predefined Rules"), highest priority first.

NOTSPEC: the three rules that search for names in the text were removed in version 1.17 of the specification. They are
kept, for events without m.mentions: users of the product APIs write names, not mentions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from homeserver.protocol.event import Event
from homeserver.protocol.pushrules.conditions import (
    Condition,
    ContainsDisplayName,
    EventMatch,
    EventPropertyContains,
    EventPropertyIs,
    Owner,
    RoomMemberCount,
    SenderNotificationPermission,
)
from homeserver.protocol.pushrules.occasion import BODY
from homeserver.protocol.pushrules.rules import Actions, Kind, Rule

_HIGHLIGHT = {"set_tweak": "highlight"}
_SOUND = {"set_tweak": "sound", "value": "default"}
_RING = {"set_tweak": "sound", "value": "ring"}

_QUIET: Actions = ()
_NOTIFY: Actions = ("notify",)
_LOUD: Actions = ("notify", _SOUND)
_CALL: Actions = ("notify", _RING)
_SHOUT: Actions = ("notify", _HIGHLIGHT)
_PERSONAL: Actions = ("notify", _SOUND, _HIGHLIGHT)

_OF_TWO = RoomMemberCount("2")
_MAY_SHOUT = SenderNotificationPermission("room")
_ROOM_STATE = EventMatch("state_key", "")


def _type(name: str) -> Condition:
    return EventMatch("type", name)


def _override(name: str, actions: Actions, *conditions: Condition) -> Rule:
    return Rule(Kind.OVERRIDE, name, actions, conditions, default=True)


def _underride(name: str, actions: Actions, *conditions: Condition) -> Rule:
    return Rule(Kind.UNDERRIDE, name, actions, conditions, default=True)


MASTER = replace(_override(".m.rule.master", _QUIET), enabled=False)
"""The master rule, which disables all others. Only this one precedes user-defined rules."""

_INVITE = EventMatch("content.membership", "invite")
_FOR_ME = EventMatch("state_key", Owner.USER_ID)
_MENTIONS_ME = EventPropertyContains(r"content.m\.mentions.user_ids", Owner.USER_ID)
_MENTIONS_ALL = EventPropertyIs(r"content.m\.mentions.room", True)
_EDIT = EventPropertyIs(r"content.m\.relates_to.rel_type", "m.replace")

_OVERRIDES = (
    _override(".m.rule.suppress_notices", _QUIET, EventMatch("content.msgtype", "m.notice")),
    _override(".m.rule.invite_for_me", _LOUD, _type("m.room.member"), _INVITE, _FOR_ME),
    _override(".m.rule.member_event", _QUIET, _type("m.room.member")),
    _override(".m.rule.is_user_mention", _PERSONAL, _MENTIONS_ME),
    replace(
        _override(".m.rule.contains_display_name", _PERSONAL, ContainsDisplayName()), unless_mentions=True
    ),
    _override(".m.rule.is_room_mention", _SHOUT, _MENTIONS_ALL, _MAY_SHOUT),
    replace(
        _override(".m.rule.roomnotif", _SHOUT, EventMatch(BODY, "@room"), _MAY_SHOUT), unless_mentions=True
    ),
    _override(".m.rule.tombstone", _SHOUT, _type("m.room.tombstone"), _ROOM_STATE),
    _override(".m.rule.reaction", _QUIET, _type("m.reaction")),
    _override(".m.rule.room.server_acl", _QUIET, _type("m.room.server_acl"), _ROOM_STATE),
    _override(".m.rule.suppress_edits", _QUIET, _EDIT),
    _override(".org.matrix.msc3930.rule.poll_response", _QUIET, _type("org.matrix.msc3381.poll.response")),
)
_CONTENTS = (
    Rule(
        Kind.CONTENT,
        ".m.rule.contains_user_name",
        _PERSONAL,
        pattern=Owner.LOCALPART,
        default=True,
        unless_mentions=True,
    ),
)
_POLL_START, _POLL_END = _type("org.matrix.msc3381.poll.start"), _type("org.matrix.msc3381.poll.end")
_UNDERRIDES = (
    _underride(".m.rule.call", _CALL, _type("m.call.invite")),
    _underride(".m.rule.encrypted_room_one_to_one", _LOUD, _OF_TWO, _type("m.room.encrypted")),
    _underride(".m.rule.room_one_to_one", _LOUD, _OF_TWO, _type("m.room.message")),
    _underride(".m.rule.message", _NOTIFY, _type("m.room.message")),
    _underride(".m.rule.encrypted", _NOTIFY, _type("m.room.encrypted")),
    _underride(".org.matrix.msc3930.rule.poll_start_one_to_one", _LOUD, _OF_TWO, _POLL_START),
    _underride(".org.matrix.msc3930.rule.poll_start", _NOTIFY, _POLL_START),
    _underride(".org.matrix.msc3930.rule.poll_end_one_to_one", _LOUD, _OF_TWO, _POLL_END),
    _underride(".org.matrix.msc3930.rule.poll_end", _NOTIFY, _POLL_END),
)

NOTIFYING = frozenset(
    condition.pattern
    for rule in _UNDERRIDES
    for condition in rule.conditions
    if isinstance(condition, EventMatch) and condition.key == "type" and isinstance(condition.pattern, str)
)
"""Event types for which predefined rules may notify all members of a room."""


def notifies_everybody(event: Event) -> bool:
    """True if the predefined rules, unchanged, notify all members of the room: fast, and right for nearly all events.

    Other effects of the rules (highlights, sounds, exceptions) are found by evaluating them.
    """
    if event.type not in NOTIFYING or event.content.get("msgtype") == "m.notice":
        return False
    relation = event.content.get("m.relates_to")
    return not (isinstance(relation, Mapping) and relation.get("rel_type") == "m.replace")


BELOW: Mapping[Kind, tuple[Rule, ...]] = MappingProxyType(
    {Kind.OVERRIDE: _OVERRIDES, Kind.CONTENT: _CONTENTS, Kind.UNDERRIDE: _UNDERRIDES}
)
"""Predefined rules by kind, which follow user-defined ones."""

BY_ID: Mapping[str, Rule] = MappingProxyType(
    {rule.rule_id: rule for rule in (MASTER, *_OVERRIDES, *_CONTENTS, *_UNDERRIDES)}
)

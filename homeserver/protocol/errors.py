"""Errors of the protocol core. The layers above turn these into their own errors.

ProtocolError
├── BadIdentifier       a user, room, event or server name breaks its grammar
├── BadJson             a value has no canonical JSON (or not the strict one of room versions 6 and later)
├── BadEvent            a PDU is not well-formed for its room version
├── TooLarge            a PDU, or one of its size-limited fields, is over the limit
├── BadPowerLevel       a power level cannot be read as a number in this room version
├── BadSignature        a signature is missing, unreadable or wrong
├── AuthRefused         an authorisation rule rejects the event
├── MissingEvent        state resolution was not given an event that it needs
├── BadFilter           a client's filter is malformed
├── BadPushRule         a client's push rule is malformed, or there are too many
├── UnknownPushRule     there is no push rule with this id
└── UnknownRoomVersion  a room version that this server does not support
"""

from __future__ import annotations


class ProtocolError(ValueError):
    """Base of all errors of the protocol core."""


class BadIdentifier(ProtocolError):
    """A user, room, event or server name breaks its grammar."""


class BadJson(ProtocolError):
    """The value has no canonical JSON form, or not the strict one of room versions 6 and later."""


class BadEvent(ProtocolError):
    """The PDU is not well-formed for its room version: drop it."""


class TooLarge(ProtocolError):
    """The PDU or one of its fields is over a size limit: drop it."""


class BadPowerLevel(ProtocolError):
    """The value cannot be read as a power level in this room version."""


class BadSignature(ProtocolError):
    """A required signature is missing, unreadable or does not verify."""


class BadFilter(ProtocolError):
    """A client's filter is malformed. The message says where."""


class BadPushRule(ProtocolError):
    """A client's push rule is malformed, its `before` or `after` rule is unknown, or there are too many rules."""


class UnknownPushRule(ProtocolError):
    """There is no push rule of this kind and id, or it cannot be deleted."""


class UnknownRoomVersion(ProtocolError):
    """The room version is none of those in `versions.RULES`."""

    def __init__(self, version: object) -> None:
        super().__init__(f"unknown room version {version!r}")
        self.version = version


class MissingEvent(ProtocolError):
    """State resolution was not given an event that the states or their auth chains refer to."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id} is needed but was not given")
        self.event_id = event_id


class AuthRefused(ProtocolError):
    """An authorisation rule rejects the event. `rule` is its number, such as "6.3.4".

    It is "levels" if a power level that must be compared cannot be read.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"auth rule {rule}: {reason}")
        self.rule = rule
        self.reason = reason

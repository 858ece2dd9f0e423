"""Room versions as data: a frozen record of flags for each, derived from the version before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from homeserver.protocol.errors import UnknownRoomVersion

ContentKeys = Mapping[str, frozenset[str]]


class StateResolution(Enum):
    """The state resolution algorithm."""

    V1 = "1"
    V2 = "2"
    V2_1 = "2.1"


class EventIdFormat(Enum):
    """The format of event ids."""

    GIVEN = "given"
    """`$opaque:domain`, chosen by the origin server and sent in the PDU."""
    BASE64 = "base64"
    """`$` + unpadded standard base64 of the reference hash; may hold `/` and `+`."""
    BASE64_URL = "base64url"
    """`$` + unpadded URL-safe base64 of the reference hash."""


@dataclass(frozen=True, slots=True, eq=False)
class Redaction:
    """The keys of an event that redaction keeps (section 6)."""

    top_level: frozenset[str]
    """Top-level keys of the PDU that are kept."""
    content: ContentKeys
    """Keys of `content` that are kept, by event type; types that are not listed keep none."""
    whole_content: frozenset[str] = frozenset()
    """Types whose whole content is kept (v11: m.room.create)."""
    third_party_signed: bool = False
    """v11: a member event keeps `third_party_invite.signed`."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RoomRules:
    """All differences between room versions. Comments name the version that changed the default of v1."""

    version: str
    state_resolution: StateResolution = StateResolution.V1  # v2: 2, v12: 2.1
    event_id_format: EventIdFormat = EventIdFormat.GIVEN  # v3: base64, v4: base64url
    references_have_hashes: bool = (
        True  # v3: auth_events and prev_events are plain ids, no [id, hashes] pairs
    )
    key_validity_enforced: bool = False  # v5: a signing key must have been valid at origin_server_ts
    strict_json: bool = False  # v6: canonical JSON is enforced; no floats, integers within 53 bits
    float_power_levels: bool = True  # v6: no
    string_power_levels: bool = True  # v10: no, and every level is checked to be an integer
    aliases_auth_rule: bool = True  # v6: m.room.aliases is an ordinary event
    notification_levels_checked: bool = False  # v6: `notifications` is part of the power level rule
    redaction_auth_rule: bool = True  # v3: no; whether a redaction applies is decided when it is applied
    knock: bool = False  # v7
    restricted_join: bool = False  # v8
    knock_restricted_join: bool = False  # v10
    redaction: Redaction  # v6, v8, v9, v11
    redacts_in_content: bool = False  # v11: `redacts` moved from the top level into content
    creator_is_sender: bool = False  # v11: the sender of the create event; before, its content.creator
    additional_creators: bool = False  # v12: content.additional_creators, and creators have infinite power
    room_id_is_hash: bool = False  # v12: the create event's id with "!", and no room_id in the create event
    create_in_auth_events: bool = True  # v12: no; the room id implies it
    max_depth: int = 2**63 - 1  # v6: 2^53 - 1


def _content(**by_short_type: str) -> ContentKeys:
    return MappingProxyType(
        {f"m.room.{name}": frozenset(keys.split()) for name, keys in by_short_type.items()}
    )


def _with(before: ContentKeys, changes: ContentKeys) -> ContentKeys:
    return MappingProxyType({**before, **changes})


_TOP_LEVEL = frozenset(
    (
        *("event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures"),
        *("depth", "prev_events", "prev_state", "auth_events", "origin", "origin_server_ts", "membership"),
    )
)
_POWER = "ban events events_default kick redact state_default users users_default"

_REDACTION_V1 = Redaction(
    top_level=_TOP_LEVEL,
    content=_content(
        member="membership",
        create="creator",
        join_rules="join_rule",
        power_levels=_POWER,
        aliases="aliases",
        history_visibility="history_visibility",
    ),
)
_REDACTION_V6 = replace(_REDACTION_V1, content=_with(_REDACTION_V1.content, _content(aliases="")))
_REDACTION_V8 = replace(
    _REDACTION_V6, content=_with(_REDACTION_V6.content, _content(join_rules="join_rule allow"))
)
_REDACTION_V9 = replace(
    _REDACTION_V8,
    content=_with(_REDACTION_V8.content, _content(member="membership join_authorised_via_users_server")),
)
_REDACTION_V11 = replace(
    _REDACTION_V9,
    top_level=_TOP_LEVEL - {"prev_state", "origin", "membership"},
    content=_with(_REDACTION_V9.content, _content(power_levels=_POWER + " invite", redaction="redacts")),
    whole_content=frozenset({"m.room.create"}),
    third_party_signed=True,
)

_V1 = RoomRules(version="1", redaction=_REDACTION_V1)
_V2 = replace(_V1, version="2", state_resolution=StateResolution.V2)
_V3 = replace(
    _V2,
    version="3",
    event_id_format=EventIdFormat.BASE64,
    references_have_hashes=False,
    redaction_auth_rule=False,
)
_V4 = replace(_V3, version="4", event_id_format=EventIdFormat.BASE64_URL)
_V5 = replace(_V4, version="5", key_validity_enforced=True)
_V6 = replace(
    _V5,
    version="6",
    strict_json=True,
    float_power_levels=False,
    aliases_auth_rule=False,
    notification_levels_checked=True,
    redaction=_REDACTION_V6,
    max_depth=2**53 - 1,
)
_V7 = replace(_V6, version="7", knock=True)
_V8 = replace(_V7, version="8", restricted_join=True, redaction=_REDACTION_V8)
_V9 = replace(_V8, version="9", redaction=_REDACTION_V9)
_V10 = replace(_V9, version="10", knock_restricted_join=True, string_power_levels=False)
_V11 = replace(_V10, version="11", redacts_in_content=True, creator_is_sender=True, redaction=_REDACTION_V11)
_V12 = replace(
    _V11,
    version="12",
    state_resolution=StateResolution.V2_1,
    additional_creators=True,
    room_id_is_hash=True,
    create_in_auth_events=False,
)

RULES: Mapping[str, RoomRules] = MappingProxyType(
    {rules.version: rules for rules in (_V1, _V2, _V3, _V4, _V5, _V6, _V7, _V8, _V9, _V10, _V11, _V12)}
)
"""The rules of every supported room version, by version."""

DEFAULT_VERSION = "12"
"""The version of new rooms unless another is requested."""


def rules_for(version: object) -> RoomRules:
    """The rules of a version. Raises UnknownRoomVersion, also for values that are no strings."""
    rules = RULES.get(version) if isinstance(version, str) else None
    if rules is None:
        raise UnknownRoomVersion(version)
    return rules


def version_of_create(content: Mapping[str, object]) -> str:
    """The room version that the content of an m.room.create names; absent means "1".

    Raises UnknownRoomVersion.
    """
    return rules_for(content.get("room_version", "1")).version

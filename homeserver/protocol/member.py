"""Membership transitions (rule 6): one function each for join, invite, leave, ban and knock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from homeserver.protocol.canonical import JsonObject
from homeserver.protocol.errors import AuthRefused, BadSignature
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import RoomId, ServerName, is_room_id
from homeserver.protocol.power import PowerLevels
from homeserver.protocol.signing import VerifyKey, signatures_of, verify_json
from homeserver.protocol.versions import RoomRules

JOIN_RULES_KEY: StateKey = ("m.room.join_rules", "")
RESTRICTED_RULES = frozenset({"restricted", "knock_restricted"})
_MAX_ALLOWED = 100  # rooms of a join rule that are considered; further ones are ignored


def membership_in(state: Mapping[StateKey, Event], user_id: str) -> str:
    """The membership of a user in a state; absent means "leave"."""
    event = state.get(("m.room.member", user_id))
    return (event.membership if event is not None else None) or "leave"


def join_rule_in(state: Mapping[StateKey, Event]) -> str:
    """The join rule of a state; absent or unreadable means "invite"."""
    event = state.get(JOIN_RULES_KEY)
    rule = event.content.get("join_rule") if event is not None else None
    return rule if isinstance(rule, str) else "invite"


def allowed_rooms_in(state: Mapping[StateKey, Event]) -> list[RoomId]:
    """The rooms whose members may join by a restricted join rule. Malformed entries are ignored."""
    event = state.get(JOIN_RULES_KEY)
    if event is None or join_rule_in(state) not in RESTRICTED_RULES:
        return []
    allow = event.content.get("allow")
    return [
        RoomId(one["room_id"])
        for one in (allow[:_MAX_ALLOWED] if isinstance(allow, list) else ())
        if isinstance(one, dict)
        and one.get("type") == "m.room_membership"
        and isinstance(one.get("room_id"), str)
        and is_room_id(one["room_id"])
    ]


@dataclass(frozen=True, slots=True)
class Transition:
    """A member event, whose state key is `target`, and the state that it is checked against."""

    event: Event
    target: str
    state: Mapping[StateKey, Event]
    create: Event
    levels: PowerLevels
    rules: RoomRules

    @property
    def is_own(self) -> bool:
        return self.event.sender == self.target

    @property
    def before(self) -> str:
        """The target's previous membership."""
        return membership_in(self.state, self.target)

    def require_joined_sender(self, rule: str) -> None:
        if membership_in(self.state, self.event.sender) != "join":
            raise AuthRefused(rule, "the sender is not joined")

    def sender_outranks_target(self) -> bool:
        return self.levels.user(self.target) < self.levels.user(self.event.sender)


def check_member(
    event: Event,
    state: Mapping[StateKey, Event],
    create: Event,
    levels: PowerLevels,
    signers: Collection[ServerName] | None,
) -> None:
    """Rule 6. Raises AuthRefused. `signers` as in `auth.check_against_state`."""
    rules = levels.rules
    if event.state_key is None or "membership" not in event.content:
        raise AuthRefused("6.1", "a member event must have a state key and a membership")
    if signers is not None and rules.restricted_join:
        _check_authoriser_signed(event.content, signers)
    check = _CHECKS.get(event.membership or "")
    if check is None or (check is check_knock and not rules.knock):
        raise AuthRefused("6.8", "unknown membership")
    check(Transition(event, event.state_key, state, create, levels, rules))


def _check_authoriser_signed(content: JsonObject, signers: Collection[ServerName]) -> None:
    """6.2: the server of the user who authorised a restricted join must have signed it."""
    if "join_authorised_via_users_server" in content:
        authoriser = content["join_authorised_via_users_server"]
        if not isinstance(authoriser, str) or authoriser.partition(":")[2] not in signers:
            raise AuthRefused("6.2", "the event is not signed by the authorising user's server")


def check_join(case: Transition) -> None:
    """6.3"""
    event, before = case.event, case.before
    if event.prev_events == (case.create.event_id,) and case.target == _first_member(case):
        return  # 6.3.1
    if not case.is_own:
        raise AuthRefused("6.3.2", "users can only join themselves")
    if before == "ban":
        raise AuthRefused("6.3.3", "the user is banned")
    join_rule = join_rule_in(case.state)
    if join_rule == "public":  # 6.3.6
        return
    if join_rule == "invite" or (join_rule == "knock" and case.rules.knock):
        if before not in {"invite", "join"}:
            raise AuthRefused("6.3.4", "the user is not invited")
        return
    if _is_restricted(join_rule, case.rules):
        if before not in {"invite", "join"}:
            _check_authoriser(case)
        return
    raise AuthRefused("6.3.7", "the join rule does not allow joining")


def _first_member(case: Transition) -> object:
    """The only user who may join a room that has nothing but its create event."""
    if case.rules.creator_is_sender:
        return case.create.sender
    return case.create.content.get("creator")


def _is_restricted(join_rule: str, rules: RoomRules) -> bool:
    return (join_rule == "restricted" and rules.restricted_join) or (
        join_rule == "knock_restricted" and rules.knock_restricted_join
    )


def _check_authoriser(case: Transition) -> None:
    """6.3.5: a restricted join needs a joined user with permission to invite as its authoriser."""
    authoriser = case.event.content.get("join_authorised_via_users_server")
    if not isinstance(authoriser, str):
        raise AuthRefused("6.3.5", "the join is not authorised by a member")
    if membership_in(case.state, authoriser) != "join":
        raise AuthRefused("6.3.5", "the authorising user is not joined")
    if case.levels.user(authoriser) < case.levels.invite:
        raise AuthRefused("6.3.5", "the authorising user may not invite")


def check_invite(case: Transition) -> None:
    """6.4"""
    if "third_party_invite" in case.event.content:
        _check_third_party_invite(case)
        return
    case.require_joined_sender("6.4.2")
    if case.before in {"join", "ban"}:
        raise AuthRefused("6.4.3", f"the target's membership is {case.before}")
    if case.levels.user(case.event.sender) < case.levels.invite:  # 6.4.4
        raise AuthRefused("6.4.5", "the sender may not invite")


def _check_third_party_invite(case: Transition) -> None:
    """6.4.1: a third-party invite, redeemed by the owner of the invited address."""
    if case.before == "ban":
        raise AuthRefused("6.4.1.1", "the user is banned")
    invite = case.event.content["third_party_invite"]
    signed = invite.get("signed") if isinstance(invite, dict) else None
    if not isinstance(signed, dict):
        raise AuthRefused("6.4.1.2", "signed is missing")
    mxid, token = signed.get("mxid"), signed.get("token")
    if not isinstance(mxid, str) or not isinstance(token, str):
        raise AuthRefused("6.4.1.3", "mxid or token is missing")
    if mxid != case.target:
        raise AuthRefused("6.4.1.4", "mxid is not the invited user")
    offer = case.state.get(("m.room.third_party_invite", token))
    if offer is None:
        raise AuthRefused("6.4.1.5", "no such third-party invite")
    if offer.sender != case.event.sender:
        raise AuthRefused("6.4.1.6", "the sender is not the sender of the third-party invite")
    if not any(_is_signed_by(signed, key) for key in _public_keys(offer.content)):  # 6.4.1.7
        raise AuthRefused("6.4.1.8", "no signature verifies")


def _public_keys(content: JsonObject) -> list[str]:
    """The keys of a third-party invite: `public_key` and each of `public_keys`."""
    keys = [content.get("public_key")]
    more = content.get("public_keys")
    if isinstance(more, list):
        keys += [entry.get("public_key") for entry in more if isinstance(entry, dict)]
    return [key for key in keys if isinstance(key, str)]


def _is_signed_by(signed: JsonObject, public_key: str) -> bool:
    """True if any signature in `signed`, of whatever key id, verifies with the key."""
    entities = signed.get("signatures")
    if not isinstance(entities, dict):
        return False
    for entity in entities:
        for key_id, signature in signatures_of(signed, entity).items():
            alone = {**signed, "signatures": {entity: {key_id: signature}}}
            try:
                verify_json(alone, entity, {key_id: VerifyKey.from_base64(key_id, public_key)})
            except BadSignature:
                continue
            return True
    return False


def check_leave(case: Transition) -> None:
    """6.5: leaving, refusing an invite, kicking, unbanning."""
    before = case.before
    if case.is_own:
        if before not in {"invite", "join"} and not (before == "knock" and case.rules.knock):
            raise AuthRefused("6.5.1", "the user is not joined, invited or knocking")
        return
    case.require_joined_sender("6.5.2")
    own = case.levels.user(case.event.sender)
    if before == "ban" and own < case.levels.ban:
        raise AuthRefused("6.5.3", "the sender may not unban")
    if own < case.levels.kick or not case.sender_outranks_target():  # 6.5.4
        raise AuthRefused("6.5.5", "the sender may not kick the target")


def check_ban(case: Transition) -> None:
    """6.6"""
    case.require_joined_sender("6.6.1")
    if case.levels.user(case.event.sender) < case.levels.ban or not case.sender_outranks_target():  # 6.6.2
        raise AuthRefused("6.6.3", "the sender may not ban the target")


def check_knock(case: Transition) -> None:
    """6.7, room versions 7 and later"""
    join_rule = join_rule_in(case.state)
    if join_rule != "knock" and not (join_rule == "knock_restricted" and case.rules.knock_restricted_join):
        raise AuthRefused("6.7.1", "the join rule does not allow knocking")
    if not case.is_own:
        raise AuthRefused("6.7.2", "users can only knock for themselves")
    if case.before in {"ban", "invite", "join"}:  # 6.7.3
        raise AuthRefused("6.7.4", f"the membership is {case.before}")


_CHECKS: Mapping[str, Callable[[Transition], None]] = MappingProxyType(
    {
        "join": check_join,
        "invite": check_invite,
        "leave": check_leave,
        "ban": check_ban,
        "knock": check_knock,
    }
)

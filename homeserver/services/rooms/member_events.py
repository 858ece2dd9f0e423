"""The m.room.member events of each change of membership (client-server API, "Room membership"). Pure functions.

Every API builds its member events here. Whether a change is allowed is decided by the room's auth rules when the
event is built, and by the calling service. `reason` is human-readable text; it may be empty.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from homeserver.model import Content, Draft, Person
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.status import guests_refused, is_matrix_guest
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import ADMIN_LEVEL, joined_in, levels_of, ours_in

MXC = "mxc://"


def join(
    person: Person,
    *,
    reason: str = "",
    extra: Mapping[str, Any] | None = None,
    voucher: UserId | None = None,
) -> Draft:
    """A user joins, or changes their profile in the room. `extra` is added to the content.

    `voucher`: the member for `join_authorised_via_users_server`, if the join rule is restricted.
    """
    content: Content = {**(extra or {}), **_member_content(person), **_reason(reason)}
    if voucher is not None:
        content["join_authorised_via_users_server"] = voucher
    return _draft(person.user_id, person.user_id, content)


def invite(inviter: UserId, person: Person, *, is_direct: bool = False, reason: str = "") -> Draft:
    """A user is invited."""
    content = {**_member_content(person, "invite"), **_reason(reason)}
    if is_direct:
        content["is_direct"] = True
    return _draft(inviter, person.user_id, content)


def knock(person: Person, *, reason: str = "") -> Draft:
    """A user knocks."""
    return _draft(person.user_id, person.user_id, {**_member_content(person, "knock"), **_reason(reason)})


def leave(user_id: UserId, *, reason: str = "") -> Draft:
    """A user leaves, rejects an invite, or retracts a knock."""
    return kick(user_id, user_id, reason=reason)


def kick(sender: UserId, user_id: UserId, *, reason: str = "") -> Draft:
    """A user is kicked; or their invite is revoked, their knock rejected, or their ban lifted."""
    return _draft(sender, user_id, {"membership": "leave", **_reason(reason)})


def ban(sender: UserId, user_id: UserId, *, reason: str = "") -> Draft:
    """A user is banned."""
    return _draft(sender, user_id, {"membership": "ban", **_reason(reason)})


def bring_in(inviter: UserId, people: Sequence[Person], *, is_direct: bool = False) -> list[Draft]:
    """Users of this server are added to a room at once: each is invited and joins in their own name.

    Raises Forbidden("guests_refused") for guests of the Matrix API, as rooms of the product APIs allow none.
    """
    drafts = []
    for person in people:
        if is_matrix_guest(person.number):
            raise guests_refused()
        drafts += [invite(inviter, person, is_direct=is_direct), join(person)]
    return drafts


def promotion(head: Head, by: UserId, to: UserId) -> Draft:
    """m.room.power_levels with one more admin, sent by `by`."""
    return _levels(head, by, lambda users: {**users, to: ADMIN_LEVEL})


def demotion(head: Head, by: UserId, to: UserId) -> Draft:
    """m.room.power_levels with one admin less, sent by `by`."""
    return _levels(head, by, lambda users: {one: level for one, level in users.items() if one != to})


def _levels(head: Head, by: UserId, change: Callable[[Content], Content]) -> Draft:
    current = head.state.events.get(("m.room.power_levels", ""))
    content: Content = dict(current.content) if current is not None else {}
    users = content.get("users")
    content["users"] = change(users if isinstance(users, dict) else {})
    return Draft("m.room.power_levels", by, content, state_key="")


def _member_content(person: Person, membership: Literal["join", "invite", "knock"] = "join") -> Content:
    """The content of a member event, with the user's profile."""
    content: Content = {"membership": membership}
    if person.display_name:
        content["displayname"] = person.display_name
    if person.avatar_url.startswith(MXC):  # Matrix clients load mxc:// addresses only
        content["avatar_url"] = person.avatar_url
    return content


def inviter_in(head: Head) -> UserId | None:
    """The member of this server with the most power, if they may invite: the server adds users in their name."""
    levels = levels_of(head)
    able = [one for one in joined_in(head.state.events) if levels.user(one) >= levels.invite]
    return max(able, key=levels.user, default=None)


def strongest_in(head: Head) -> UserId:
    """The member of this server with the most power. Raises ValueError if none of its users has joined the room."""
    return max(ours_in(head), key=levels_of(head).user)


def _draft(sender: UserId, user_id: UserId, content: Content) -> Draft:
    return Draft("m.room.member", sender, content, state_key=user_id)


def _reason(reason: str) -> Content:
    return {"reason": reason} if reason else {}

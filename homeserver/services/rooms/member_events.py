"""The events by which people come into rooms and go (client-server API, "Room membership"). Pure.

Whoever changes a membership, by whatever API, makes the event here. Whether the step is allowed is decided by the
room's auth rules when the event is built, and by the service that asks for it. `reason` is text for people, and may be
empty.
"""

from collections.abc import Mapping, Sequence
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
    """A person joins, or says anew how they are called. `extra` goes into the content.

    `voucher`: the member who lets them in, where the join rule is restricted.
    """
    content: Content = {**(extra or {}), **_member_content(person), **_reason(reason)}
    if voucher is not None:
        content["join_authorised_via_users_server"] = voucher
    return _draft(person.user_id, person.user_id, content)


def invite(inviter: UserId, person: Person, *, is_direct: bool = False, reason: str = "") -> Draft:
    """A person is invited."""
    content = {**_member_content(person, "invite"), **_reason(reason)}
    if is_direct:
        content["is_direct"] = True
    return _draft(inviter, person.user_id, content)


def knock(person: Person, *, reason: str = "") -> Draft:
    """A person asks to be let in."""
    return _draft(person.user_id, person.user_id, {**_member_content(person, "knock"), **_reason(reason)})


def leave(user_id: UserId, *, reason: str = "") -> Draft:
    """A person leaves, refuses an invite, or takes a knock back."""
    return kick(user_id, user_id, reason=reason)


def kick(sender: UserId, user_id: UserId, *, reason: str = "") -> Draft:
    """A person is removed from a room; or their invite, their knock or their ban is taken back."""
    return _draft(sender, user_id, {"membership": "leave", **_reason(reason)})


def ban(sender: UserId, user_id: UserId, *, reason: str = "") -> Draft:
    """A person is removed from a room, and cannot come again."""
    return _draft(sender, user_id, {"membership": "ban", **_reason(reason)})


def bring_in(inviter: UserId, people: Sequence[Person], *, is_direct: bool = False) -> list[Draft]:
    """People of this server come into a room at once: invited, and joined in their own name.

    Raises Forbidden("guests_refused") for guests of the Matrix API, as rooms of products take none.
    """
    drafts = []
    for person in people:
        if is_matrix_guest(person.number):
            raise guests_refused()
        drafts += [invite(inviter, person, is_direct=is_direct), join(person)]
    return drafts


def promotion(head: Head, by: UserId, to: UserId) -> Draft:
    """The power levels with one admin more, as an event of `by`."""
    current = head.state.events.get(("m.room.power_levels", ""))
    content: Content = dict(current.content) if current is not None else {}
    users = content.get("users")
    content["users"] = {**(users if isinstance(users, dict) else {}), to: ADMIN_LEVEL}
    return Draft("m.room.power_levels", by, content, state_key="")


def _member_content(person: Person, membership: Literal["join", "invite", "knock"] = "join") -> Content:
    """The content of a member event that says how a person is called."""
    content: Content = {"membership": membership}
    if person.display_name:
        content["displayname"] = person.display_name
    if person.avatar_url.startswith(MXC):  # other addresses mean nothing to clients of Matrix
        content["avatar_url"] = person.avatar_url
    return content


def inviter_in(head: Head) -> UserId | None:
    """The member with the most power, if they may invite: the server brings people in in their name."""
    levels = levels_of(head)
    able = [one for one in joined_in(head.state.events) if levels.user(one) >= levels.invite]
    return max(able, key=levels.user, default=None)


def strongest_in(head: Head) -> UserId:
    """The member of this server with the most power. ValueError for a room that none of its users is in."""
    return max(ours_in(head), key=levels_of(head).user)


def _draft(sender: UserId, user_id: UserId, content: Content) -> Draft:
    return Draft("m.room.member", sender, content, state_key=user_id)


def _reason(reason: str) -> Content:
    return {"reason": reason} if reason else {}

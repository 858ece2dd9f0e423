"""Searching users by name or id: a page of all users, and those that the user directory may show."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.folding import like_escaped
from homeserver.model import Person
from homeserver.protocol.ids import UserId
from homeserver.publicids import HOST_NUMBERS
from homeserver.storage.accounts import FIRST_GUEST_NUMBER, PEOPLE, PERSON_COLUMNS, person_of
from homeserver.storage.schema.directory import room_summaries
from homeserver.storage.schema.people import users
from homeserver.storage.schema.timeline import members

SEARCH_WORDS = 4
"""Further words of a search are ignored."""

_mine = members.alias("mine")
_theirs = members.alias("theirs")
_shares_a_room = exists().where(
    _theirs.c.user_id == users.c.user_id,
    _theirs.c.membership == "join",
    _mine.c.room_id == _theirs.c.room_id,
    _mine.c.user_id == bindparam("reader"),
    _mine.c.membership == "join",
)
_visible = or_(
    users.c.number < HOST_NUMBERS.start,
    and_(users.c.number >= bindparam("first_host"), users.c.number < bindparam("end_of_hosts")),
    users.c.user_id.in_(
        select(_theirs.c.user_id)
        .join_from(_mine, _theirs, _theirs.c.room_id == _mine.c.room_id)
        .where(
            _mine.c.user_id == bindparam("reader"),
            _mine.c.membership == "join",
            _theirs.c.membership == "join",
        )
    ),
)
_is_in_the_open = exists().where(
    _theirs.c.user_id == users.c.user_id,
    _theirs.c.membership == "join",
    room_summaries.c.room_id == _theirs.c.room_id,
    or_(room_summaries.c.join_rule == "public", room_summaries.c.world_readable),
)
_names = [users.c.search_text.like(bindparam(f"name_{n}"), escape="\\") for n in range(SEARCH_WORDS)]
_fits = [or_(name, users.c.user_id.like(bindparam(f"id_{n}"), escape="\\")) for n, name in enumerate(_names)]
_begins = or_(
    users.c.search_text.like(bindparam("name_begins"), escape="\\"),
    users.c.user_id.like(bindparam("id_begins"), escape="\\"),
)
_people: Select[Any] = (
    select(*PERSON_COLUMNS)
    .select_from(PEOPLE)
    .where(~users.c.suspended, ~users.c.deactivated, users.c.number < FIRST_GUEST_NUMBER)
    .limit(bindparam("count"))
)
_is_other = users.c.user_id != bindparam("reader")
_PAGE = _people.where(_is_other, _visible, *_names).order_by(users.c.number).offset(bindparam("skip"))
_FITTING = _people.where(~users.c.locked, *_fits).order_by(case((_begins, 0), else_=1), users.c.number)
_ALL = _FITTING.where(_is_other, _visible)
_KNOWN = _FITTING.where(or_(and_(_is_other, _shares_a_room), _is_in_the_open))


async def page_of_people(
    conn: AsyncConnection, words: Sequence[str], *, reader: UserId, hosts: range, limit: int, offset: int
) -> list[Person]:
    """Users with all of the words (case-folded) in their names or tag, in the order of their numbers.

    Only the first SEARCH_WORDS words count. Left out are suspended and deactivated accounts, guests, `reader`, and
    users of host applications whose number is not in `hosts` and who share no room with `reader`.
    """
    values: dict[str, object] = {"reader": reader, "count": limit, "skip": offset, **_bounds(hosts)}
    values |= {f"name_{n}": f"%{word}%" for n, word in enumerate(_escaped(words))}
    return [person_of(row) for row in await conn.execute(_PAGE, values)]


async def find_people(
    conn: AsyncConnection,
    words: Sequence[str],
    *,
    reader: UserId,
    hosts: range | None,
    server: str,
    limit: int,
) -> list[Person]:
    """Users with all of the words (case-folded) in their names or the local part of their id.

    Only the first SEARCH_WORDS words count. Left out are suspended, locked and deactivated accounts, and guests; with
    `hosts` also the users that `page_of_people` leaves out, without it (None) all users who are in no room that is
    public or shared with `reader`, who is found too, where everybody finds them.
    """
    escaped = _escaped(words)
    end = f"%:{like_escaped(server)}"
    values: dict[str, object] = {"reader": reader, "count": limit}
    for n, word in enumerate(escaped):
        values |= {f"name_{n}": f"%{word}%", f"id_{n}": f"@%{word}{end}"}
    values |= {"name_begins": f"{escaped[0]}%", "id_begins": f"@{escaped[0]}{end}"}
    if hosts is None:
        return [person_of(row) for row in await conn.execute(_KNOWN, values)]
    return [person_of(row) for row in await conn.execute(_ALL, {**values, **_bounds(hosts)})]


def _bounds(hosts: range) -> dict[str, object]:
    return {"first_host": hosts.start, "end_of_hosts": hosts.stop}


def _escaped(words: Sequence[str]) -> list[str]:
    """LIKE patterns, as many as the statements have parameters; the ones beyond the words match everything."""
    escaped = [like_escaped(word) for word in words[:SEARCH_WORDS]]
    return escaped + [""] * (SEARCH_WORDS - len(escaped))

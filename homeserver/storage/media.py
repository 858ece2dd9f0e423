"""The table of media. The files themselves are on disk (`services/media/store.py`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import MediaId
from homeserver.protocol.ids import UserId
from homeserver.storage.schema.people import media, pending_media

Source = Literal["product", "matrix", "preview"]


@dataclass(frozen=True, slots=True)
class MediaRow:
    """A file. `content_type` was detected from its content, `declared_type` is what the Matrix client declared;
    `delete_after_ms` is set once its message is deleted."""

    media_id: MediaId
    uploader: UserId
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    sha256: str
    created_ms: int
    delete_after_ms: int | None = None
    declared_type: str = ""
    source: Source = "product"


class StoredTotals(NamedTuple):
    """Total size and count of a user's media, and of recent ones; `since_ms`: the oldest of the recent ones."""

    size: int = 0
    files: int = 0
    late_size: int = 0
    late_files: int = 0
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A media id that was created without its file (POST /_matrix/media/v1/create)."""

    media_id: MediaId
    uploader: UserId
    expires_ms: int


_COLUMNS = (
    media.c.media_id,
    media.c.uploader,
    media.c.name,
    media.c.content_type,
    media.c.size,
    media.c.width,
    media.c.height,
    media.c.sha256,
    media.c.created_ms,
    media.c.delete_after_ms,
    media.c.declared_type,
    media.c.source,
)
_BY_ID: Select[Any] = select(*_COLUMNS).where(media.c.media_id.in_(bindparam("media_ids", expanding=True)))
_IS_LATE = media.c.created_ms > bindparam("late_ms")
_KEPT = (
    select(
        media.c.uploader,
        func.sum(media.c.size),
        func.count(),
        func.sum(case((_IS_LATE, media.c.size), else_=0)),
        func.sum(case((_IS_LATE, 1), else_=0)),
        func.min(case((_IS_LATE, media.c.created_ms))),
    )
    .where(media.c.uploader.in_(bindparam("uploaders", expanding=True)))
    .group_by(media.c.uploader)
)
_ADD = insert(media)
_DELETE_AFTER = (
    update(media)
    .where(
        media.c.media_id == bindparam("of"),
        media.c.source != "matrix",  # a Matrix client's file may be shown in any number of rooms
        or_(media.c.delete_after_ms.is_(None), media.c.delete_after_ms > bindparam("after_ms")),
    )
    .values(delete_after_ms=bindparam("after_ms"))
)
_DUE = (
    select(media.c.media_id)
    .where(media.c.delete_after_ms <= bindparam("now_ms"))
    .order_by(media.c.delete_after_ms)
    .limit(bindparam("count"))
)
_FORGET = delete(media).where(media.c.media_id.in_(bindparam("media_ids", expanding=True)))
_PENDING = select(pending_media.c.media_id, pending_media.c.uploader, pending_media.c.expires_ms).where(
    pending_media.c.media_id.in_(bindparam("media_ids", expanding=True))
)
_COUNT_PENDING = (
    select(func.count())
    .select_from(pending_media)
    .where(
        pending_media.c.uploader == bindparam("uploader"), pending_media.c.expires_ms > bindparam("now_ms")
    )
)
_ADD_PENDING = insert(pending_media)
_TAKE_PENDING = delete(pending_media).where(
    pending_media.c.media_id == bindparam("of"),
    pending_media.c.uploader == bindparam("by"),
    pending_media.c.expires_ms > bindparam("now_ms"),
)
_FORGET_PENDING = delete(pending_media).where(pending_media.c.expires_ms <= bindparam("now_ms"))


async def media_of(conn: AsyncConnection, media_ids: Collection[MediaId]) -> dict[MediaId, MediaRow]:
    """Files by media id, those due for deletion included; unknown ones are left out."""
    rows = await conn.execute(_BY_ID, {"media_ids": list(media_ids)})
    return {row.media_id: MediaRow(*row) for row in rows}


async def kept_by(
    conn: AsyncConnection, uploaders: Collection[UserId], *, late_ms: int
) -> dict[UserId, StoredTotals]:
    """The totals of each uploader; files uploaded after `late_ms` are also totalled separately."""
    rows = await conn.execute(_KEPT, {"uploaders": list(uploaders), "late_ms": late_ms})
    found = {
        uploader: StoredTotals(int(size), files, int(late_size), int(late_files), since_ms)
        for uploader, size, files, late_size, late_files, since_ms in rows
    }
    return {uploader: found.get(uploader, StoredTotals()) for uploader in uploaders}


async def add_media(conn: AsyncConnection, files: Sequence[MediaRow]) -> None:
    """Insert files."""
    rows = [
        {
            "media_id": one.media_id,
            "uploader": one.uploader,
            "name": one.name,
            "content_type": one.content_type,
            "size": one.size,
            "width": one.width,
            "height": one.height,
            "sha256": one.sha256,
            "created_ms": one.created_ms,
            "delete_after_ms": one.delete_after_ms,
            "declared_type": one.declared_type,
            "source": one.source,
        }
        for one in files
    ]
    await conn.execute(_ADD, rows)


async def delete_media_after(conn: AsyncConnection, deadlines: Sequence[tuple[MediaId, int]]) -> None:
    """Schedule deletion of product and preview files, given as (media id, ms). An earlier deadline stays."""
    if deadlines:
        await conn.execute(_DELETE_AFTER, [{"of": media_id, "after_ms": ms} for media_id, ms in deadlines])


async def media_due(conn: AsyncConnection, *, now_ms: int, limit: int) -> list[MediaId]:
    """Files due for deletion, the longest due first."""
    return list((await conn.execute(_DUE, {"now_ms": now_ms, "count": limit})).scalars())


async def forget_media(conn: AsyncConnection, media_ids: Collection[MediaId]) -> None:
    """Delete rows of files that were deleted from disk."""
    await conn.execute(_FORGET, {"media_ids": list(media_ids)})


async def pending_of(conn: AsyncConnection, media_ids: Collection[MediaId]) -> dict[MediaId, PendingRow]:
    """Those of the ids that wait for their files, expired ones included."""
    rows = await conn.execute(_PENDING, {"media_ids": list(media_ids)})
    return {row.media_id: PendingRow(*row) for row in rows}


async def count_pending(conn: AsyncConnection, uploader: UserId, *, now_ms: int) -> int:
    """How many unexpired media ids of a user wait for their files."""
    counted = await conn.execute(_COUNT_PENDING, {"uploader": uploader, "now_ms": now_ms})
    return int(counted.scalar_one())


async def add_pending(conn: AsyncConnection, new: Sequence[PendingRow]) -> None:
    """Insert media ids whose files are to be uploaded."""
    rows = [{"media_id": one.media_id, "uploader": one.uploader, "expires_ms": one.expires_ms} for one in new]
    await conn.execute(_ADD_PENDING, rows)


async def take_pending(conn: AsyncConnection, media_id: MediaId, uploader: UserId, *, now_ms: int) -> bool:
    """Delete a pending id as its file was uploaded; False if it is expired, unknown or another user's."""
    taken = await conn.execute(_TAKE_PENDING, {"of": media_id, "by": uploader, "now_ms": now_ms})
    return taken.rowcount > 0


async def forget_pending(conn: AsyncConnection, *, now_ms: int) -> None:
    """Delete expired pending ids."""
    await conn.execute(_FORGET_PENDING, {"now_ms": now_ms})

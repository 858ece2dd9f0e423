"""The list of files. The files themselves lie on disk (`services/media/store.py`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import MediaId
from homeserver.protocol.ids import UserId
from homeserver.storage.schema import media


@dataclass(frozen=True, slots=True)
class MediaRow:
    """A file. `content_type` was found by looking at it; `delete_after_ms` is set when its message goes."""

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
)
_BY_ID: Select[Any] = select(*_COLUMNS).where(media.c.media_id.in_(bindparam("media_ids", expanding=True)))
_STORED_BYTES = (
    select(media.c.uploader, func.sum(media.c.size))
    .where(media.c.uploader.in_(bindparam("uploaders", expanding=True)))
    .group_by(media.c.uploader)
)
_ADD = insert(media)
_DELETE_AFTER = (
    update(media)
    .where(
        media.c.media_id == bindparam("of"),
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


async def media_of(conn: AsyncConnection, media_ids: Collection[MediaId]) -> dict[MediaId, MediaRow]:
    """Those of the files that are listed, also those that wait for their deletion."""
    rows = await conn.execute(_BY_ID, {"media_ids": list(media_ids)})
    return {row.media_id: MediaRow(*row) for row in rows}


async def stored_bytes(conn: AsyncConnection, uploaders: Collection[UserId]) -> dict[UserId, int]:
    """How much each of these people keeps here, in bytes."""
    rows = await conn.execute(_STORED_BYTES, {"uploaders": list(uploaders)})
    found = {uploader: int(total) for uploader, total in rows}
    return {uploader: found.get(uploader, 0) for uploader in uploaders}


async def add_media(conn: AsyncConnection, files: Sequence[MediaRow]) -> None:
    """List new files."""
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
        }
        for one in files
    ]
    await conn.execute(_ADD, rows)


async def delete_media_after(conn: AsyncConnection, deadlines: Sequence[tuple[MediaId, int]]) -> None:
    """Have files deleted once a time has come: [(media id, ms)]. An earlier deadline stays."""
    if deadlines:
        await conn.execute(_DELETE_AFTER, [{"of": media_id, "after_ms": ms} for media_id, ms in deadlines])


async def media_due(conn: AsyncConnection, *, now_ms: int, limit: int) -> list[MediaId]:
    """Files whose time has come, the longest due first."""
    return list((await conn.execute(_DUE, {"now_ms": now_ms, "count": limit})).scalars())


async def forget_media(conn: AsyncConnection, media_ids: Collection[MediaId]) -> None:
    """Take files off the list, after they were deleted."""
    await conn.execute(_FORGET, {"media_ids": list(media_ids)})

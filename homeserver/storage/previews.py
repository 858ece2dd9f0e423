"""Cached previews of web pages."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import MediaId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.previews import url_previews


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A preview. `body`: JSON as clients get it; `media_id`: its image."""

    url: str
    body: bytes
    media_id: MediaId | None
    fetched_ms: int
    expires_ms: int


_COLUMNS = (
    url_previews.c.url,
    url_previews.c.body,
    url_previews.c.media_id,
    url_previews.c.fetched_ms,
    url_previews.c.expires_ms,
)
_BY_URL: Select[Any] = select(*_COLUMNS).where(url_previews.c.url.in_(bindparam("urls", expanding=True)))
_PUT = Upsert(url_previews, ["url"], ["body", "media_id", "fetched_ms", "expires_ms"])
_OLD: Select[Any] = (
    select(*_COLUMNS)
    .where(url_previews.c.expires_ms <= bindparam("before_ms"))
    .order_by(url_previews.c.expires_ms)
    .limit(bindparam("count"))
)
_OLDEST: Select[Any] = select(*_COLUMNS).order_by(url_previews.c.fetched_ms).limit(bindparam("count"))
_COUNT = select(func.count()).select_from(url_previews)
_FORGET = delete(url_previews).where(url_previews.c.url.in_(bindparam("urls", expanding=True)))


async def previews_of(conn: AsyncConnection, urls: Collection[str]) -> dict[str, PreviewRow]:
    """Stored previews by URL, expired ones included."""
    rows = await conn.execute(_BY_URL, {"urls": list(urls)})
    return {row.url: PreviewRow(*row) for row in rows}


async def put_previews(conn: AsyncConnection, previews: Sequence[PreviewRow]) -> None:
    """Store previews, replacing older ones of the same URLs."""
    await conn.execute(_PUT.on(conn), [asdict(one) for one in previews])


async def previews_to_forget(
    conn: AsyncConnection, *, before_ms: int, most: int, limit: int
) -> list[PreviewRow]:
    """Some previews that expired before a time, or else the oldest beyond `most`."""
    old = [PreviewRow(*row) for row in await conn.execute(_OLD, {"before_ms": before_ms, "count": limit})]
    if old:
        return old
    too_many = (await conn.execute(_COUNT)).scalar_one() - most
    if too_many <= 0:
        return []
    return [PreviewRow(*row) for row in await conn.execute(_OLDEST, {"count": min(limit, too_many)})]


async def forget_previews(conn: AsyncConnection, urls: Collection[str]) -> None:
    """Delete previews."""
    await conn.execute(_FORGET, {"urls": list(urls)})

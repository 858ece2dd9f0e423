"""The list of notifications, computed from the stored counts, so that no row is kept for each notification."""

from typing import Any, Final

from homeserver.errors import Invalid
from homeserver.model import LOG_START, Content, LogPosition, Requester
from homeserver.protocol.pushrules.defaults import NOTIFYING
from homeserver.services.clientdata.accountdata import AccountData, is_ignored
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.visibility import Visibility
from homeserver.services.push.notifications.hidden import common_count
from homeserver.storage import notified as stored
from homeserver.storage.db import Database
from homeserver.storage.notified import Notified
from homeserver.timeline.consume import Progress
from homeserver.timeline.live import Live

_STRETCH: Final = 50_000  # log entries that are searched for one page


class Listing:
    """Answers GET /notifications, with a fixed number of statements."""

    def __init__(
        self,
        *,
        db: Database,
        live: Live,
        progress: Progress,
        visibility: Visibility,
        rendering: Rendering,
        data: AccountData,
        max_page: int,
    ) -> None:
        self._db = db
        self._data = data
        self._live = live
        self._progress = progress
        self._visibility = visibility
        self._rendering = rendering
        self._max_page = max_page

    async def page(
        self, requester: Requester, *, start: str | None, limit: int, only_highlights: bool
    ) -> Content:
        """The newest notifications before `start`; there may be more even if the page is short. Raises
        Invalid("bad_token")."""
        await self._progress.catch_up()
        before = LogPosition(self._live.position + 1) if start is None else _position(start)
        after, limit = max(LOG_START, LogPosition(before - _STRETCH)), min(limit, self._max_page)
        async with self._db.read() as conn:
            found = await stored.notified(
                conn,
                requester.user_id,
                types=None if only_highlights else NOTIFYING,
                after=after,
                before=before,
                limit=limit,
            )
        ignored = await self._data.ignored_by(requester.user_id)
        shown = [
            one
            for one in found
            if common_count(one).notify + one.own_notify > 0
            and (_highlight(one) or not only_highlights)
            and not is_ignored(one.stored.event, ignored)
        ]
        answer: Content = {"notifications": await self._shown(requester, shown)}
        end = found[-1].stored.arrived if len(found) == limit else after + 1
        if end > 1:
            answer["next_token"] = str(end)
        return answer

    async def _shown(self, requester: Requester, notified: list[Notified]) -> list[dict[str, Any]]:
        if not notified:
            return []
        rooms = {one.stored.event.room_id for one in notified}
        outlooks = await self._visibility.outlooks(requester.user_id, rooms)
        pages = await self._rendering.pages(
            requester,
            [(outlooks[one.stored.event.room_id], [one.stored]) for one in notified],
            room_id=False,
        )
        return [
            {
                "actions": ["notify", {"set_tweak": "highlight"}] if _highlight(one) else ["notify"],
                "event": event,
                "profile_tag": "",  # those were of rules for one device, of which there are none any more
                "read": one.is_read,
                "room_id": one.stored.event.room_id,
                "ts": one.stored.event.origin_server_ts,
            }
            for one, (event,) in zip(notified, pages, strict=True)
        ]


def _highlight(one: Notified) -> bool:
    return one.own_highlight + common_count(one).highlight > 0


def _position(token: str) -> LogPosition:
    if not token.isascii() or not token.isdecimal() or len(token) > 18:
        raise Invalid("not a token of this list", code="bad_token")
    return LogPosition(int(token))

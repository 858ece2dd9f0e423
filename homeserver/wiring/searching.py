"""What Matrix clients search, report, and have sent later."""

from dataclasses import dataclass

from homeserver.services.accounts.userdirectory import UserDirectory
from homeserver.services.chat import Chat
from homeserver.services.messages.delayed import DelayedEvents
from homeserver.services.moderation.complaints import Complaints
from homeserver.services.search.index import SearchIndex
from homeserver.services.search.messages import MessageSearch
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core
from homeserver.wiring.matrix import RawRooms
from homeserver.wiring.people import People
from homeserver.wiring.sync import Keeping


@dataclass(frozen=True, slots=True)
class Searching:
    """`messages` and `people` are searched, `index` is what messages are found by."""

    index: SearchIndex
    messages: MessageSearch
    people: UserDirectory
    complaints: Complaints
    delayed: DelayedEvents


def build_searching(
    settings: Settings, core: Core, people: People, chat: Chat, raw: RawRooms, keeping: Keeping
) -> Searching:
    """Build it."""
    visibility = raw.visibility
    return Searching(
        index=SearchIndex(db=core.db, live=core.live, gather_s=settings.matrix.search_gather_s),
        messages=MessageSearch(
            db=core.db,
            visibility=visibility,
            data=keeping.data,
            limits=people.limits,
            max_page=settings.matrix.max_search_page,
        ),
        people=UserDirectory(
            db=core.db,
            limits=people.limits,
            server=settings.server.name,
            shows_all=settings.user_directory.all_users,
        ),
        complaints=Complaints(
            db=core.db,
            timeline=core.timeline,
            visibility=visibility,
            profiles=people.profiles,
            reports=chat.reports,
        ),
        delayed=DelayedEvents(
            db=core.db,
            timeline=core.timeline,
            events=raw.events,
            clock=core.clock,
            limits=people.limits,
            settings=settings.matrix,
        ),
    )

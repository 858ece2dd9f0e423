"""Wiring of sending messages, the checks before that, and message search."""

from homeserver.services.accounts.services import AccountServices
from homeserver.services.admin.server_notices import Notices
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.events.services import EventServices
from homeserver.services.messages.client_events import RoomEvents
from homeserver.services.messages.delayed import DelayedEvents
from homeserver.services.messages.messages import Files, Messages
from homeserver.services.messages.services import MessageServices
from homeserver.services.moderation.reports import Reports
from homeserver.services.moderation.send_policy import SendPolicy
from homeserver.services.moderation.services import ModerationServices
from homeserver.services.moderation.spam import Spam
from homeserver.services.moderation.wordlist import WordList
from homeserver.services.rooms.services import RoomServices
from homeserver.services.search.index import SearchIndex
from homeserver.services.search.messages import MessageSearch
from homeserver.services.search.services import SearchServices
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core


def build_moderation(
    settings: Settings, core: Core, accounts: AccountServices, events: EventServices
) -> ModerationServices:
    """Build reports and the checks before a send."""
    reports = Reports(
        db=core.db,
        access=events.access,
        profiles=accounts.profiles,
        limits=core.limits,
        clock=core.clock,
        settings=settings.moderation,
        server=settings.server.name,
    )
    spam = Spam(
        settings.moderation,
        core.clock,
        enabled=settings.rate_limits.enabled,
        refused=core.metrics.rate_limited,
    )
    words = WordList(settings.moderation)
    return ModerationServices(
        send_policy=SendPolicy(
            limits=core.limits, blocks=accounts.blocks, spam=spam, words=words, reports=reports
        ),
        word_list=words,
        reports=reports,
    )


def build_messages(
    settings: Settings,
    core: Core,
    events: EventServices,
    rooms: RoomServices,
    moderation: ModerationServices,
    notices: Notices,
) -> MessageServices:
    """Build the services that send. `notices` are asked before a state event ends a membership."""
    messages = Messages(
        db=core.db,
        timeline=core.timeline,
        access=events.access,
        views=events.message_views,
        send_policy=moderation.send_policy,
        settings=settings.rooms,
        files=Files(server=settings.server.name, clock=core.clock, settings=settings.media),
    )
    client_events = RoomEvents(
        db=core.db,
        timeline=core.timeline,
        messages=messages,
        send_policy=moderation.send_policy,
        aliases=rooms.aliases,
        upgrades=rooms.upgrades,
        check_leave=notices.check_leave,
    )
    delayed = DelayedEvents(
        db=core.db,
        timeline=core.timeline,
        events=client_events,
        clock=core.clock,
        limits=core.limits,
        settings=settings.matrix,
    )
    return MessageServices(messages, client_events, delayed)


def build_search(
    settings: Settings, core: Core, events: EventServices, clientdata: ClientDataServices
) -> SearchServices:
    """Build message search."""
    matrix = settings.matrix
    index = SearchIndex(
        db=core.db, live=core.live, gather_s=matrix.search_gather_s, wait_s=matrix.catch_up_wait_s
    )
    return SearchServices(
        index=index,
        messages=MessageSearch(
            db=core.db,
            index=index,
            visibility=events.visibility,
            data=clientdata.account_data,
            limits=core.limits,
            max_page=matrix.max_search_page,
        ),
    )

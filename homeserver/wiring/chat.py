"""Rooms and messages, and what stands against abuse."""

from dataclasses import dataclass

from homeserver.services.admin.rooms import Moderation
from homeserver.services.chat import Chat
from homeserver.services.enquiries.enquiries import Enquiries
from homeserver.services.enquiries.enquiryviews import EnquiryViews
from homeserver.services.events.access import Access
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.messages.messages import Files, Messages
from homeserver.services.moderation.reports import Reports
from homeserver.services.moderation.send_policy import SendPolicy
from homeserver.services.moderation.spam import Spam
from homeserver.services.moderation.wordlist import WordList
from homeserver.services.push.service import Around, Push
from homeserver.services.realtime.catch_up import CatchUp
from homeserver.services.realtime.connections import Presence
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.read_markers import Receipts
from homeserver.services.realtime.typing import Typing
from homeserver.services.rooms.initial_state import Founding
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.rooms import Rooms
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core
from homeserver.wiring.people import People


@dataclass(frozen=True, slots=True)
class Safety:
    """What the admins have against abuse; what people have is in `Chat`."""

    words: WordList
    moderation: Moderation


def build_chat(settings: Settings, core: Core, people: People, words: WordList) -> Chat:
    """Build what the chat is made of."""
    server, profiles, blocks = settings.server.name, people.profiles, people.blocks
    access = Access(core.db, core.timeline, cached_rooms=settings.timeline.cached_rooms)
    message_views = MessageViews(db=core.db, timeline=core.timeline, profiles=profiles, server=server)
    room_views = RoomViews(db=core.db, profiles=profiles, messages=message_views)
    members = Members(
        timeline=core.timeline, access=access, views=room_views, profiles=profiles, blocks=blocks
    )
    rooms = Rooms(
        timeline=core.timeline,
        access=access,
        views=room_views,
        members=members,
        profiles=profiles,
        limits=people.limits,
        founding=Founding(settings.rooms, settings.server.default_room_version),
    )
    reports = _reports(settings, core, people, access)
    send_policy = _send_policy(settings, core, people, words, reports)
    messages = Messages(
        db=core.db,
        timeline=core.timeline,
        access=access,
        views=message_views,
        send_policy=send_policy,
        settings=settings.rooms,
        files=Files(server=server, clock=core.clock, settings=settings.media),
    )
    feed = Feed(
        db=core.db,
        timeline=core.timeline,
        views=message_views,
        rooms=room_views,
        profiles=profiles,
        max_waiting=settings.timeline.ring_entries,
    )
    return Chat(
        access=access,
        rooms=rooms,
        members=members,
        messages=messages,
        receipts=Receipts(db=core.db, timeline=core.timeline, access=access, clock=core.clock),
        feed=feed,
        replay=CatchUp(db=core.db, access=access, views=message_views),
        typing=Typing(feed, access, blocks),
        presence=Presence(feed, access, blocks),
        enquiries=_enquiries(settings, core, people, rooms, (access, message_views)),
        blocks=blocks,
        reports=reports,
        send_policy=send_policy,
    )


def _reports(settings: Settings, core: Core, people: People, access: Access) -> Reports:
    return Reports(
        db=core.db,
        access=access,
        profiles=people.profiles,
        limits=people.limits,
        clock=core.clock,
        settings=settings.moderation,
        server=settings.server.name,
    )


def _send_policy(
    settings: Settings, core: Core, people: People, words: WordList, reports: Reports
) -> SendPolicy:
    spam = Spam(
        settings.moderation,
        core.clock,
        enabled=settings.rate_limits.enabled,
        refused=core.metrics.rate_limited,
    )
    return SendPolicy(limits=people.limits, blocks=people.blocks, spam=spam, words=words, reports=reports)


def build_moderation(core: Core, chat: Chat) -> Moderation:
    """Build the admins' tools."""
    return Moderation(
        db=core.db, timeline=core.timeline, messages=chat.messages, rooms=chat.rooms, clock=core.clock
    )


def build_push(settings: Settings, core: Core, people: People, chat: Chat) -> Push:
    """Build the pushes to browsers."""
    around = Around(
        db=core.db,
        clock=core.clock,
        live=core.live,
        metrics=core.metrics,
        key=core.keys.vapid,
        limits=people.limits,
        profiles=people.profiles,
        views=MessageViews(
            db=core.db, timeline=core.timeline, profiles=people.profiles, server=settings.server.name
        ),
        presence=chat.presence,
    )
    return Push(around, settings.push)


def _enquiries(
    settings: Settings, core: Core, people: People, rooms: Rooms, parts: tuple[Access, MessageViews]
) -> Enquiries:
    access, message_views = parts
    return Enquiries(
        timeline=core.timeline,
        access=access,
        rooms=rooms,
        views=EnquiryViews(core.db, people.profiles, message_views, settings.rooms.cached_enquiries),
        limits=people.limits,
        founding=Founding(settings.rooms, settings.server.default_room_version),
        blocks=people.blocks,
    )

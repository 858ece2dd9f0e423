"""The composition root: what there is, in the order in which each part can be built.

`build` makes the parts of a server and starts nothing; `make_app` puts the faces on them; `running` brings both to
life and down again. A constructor takes only what stands above it here, so the order proves that there is no cycle.
"""

from dataclasses import dataclass
from pathlib import Path

from homeserver.clock import Clock, SystemClock
from homeserver.metrics import Metrics
from homeserver.services.access import Access
from homeserver.services.accounts import Accounts
from homeserver.services.blocks import Blocks
from homeserver.services.chat import Chat
from homeserver.services.enquiries import Enquiries
from homeserver.services.enquiryviews import EnquiryViews
from homeserver.services.feed import Feed
from homeserver.services.founding import Founding
from homeserver.services.guests import GuestKey, Guests
from homeserver.services.hosts import Hosts, make_issuers
from homeserver.services.media.files import Disk, Places
from homeserver.services.media.store import Media
from homeserver.services.media.sweep import Sweep
from homeserver.services.media.urls import MediaUrls
from homeserver.services.members import Members
from homeserver.services.messages import Files, Messages
from homeserver.services.messageviews import MessageViews
from homeserver.services.moderation import Moderation
from homeserver.services.passwords import Passwords
from homeserver.services.presence import Presence
from homeserver.services.profiles import Profiles
from homeserver.services.push.service import Around, Push
from homeserver.services.ratelimit import RateLimits
from homeserver.services.receipts import Receipts
from homeserver.services.replay import Replay
from homeserver.services.reports import Reports
from homeserver.services.rooms import Rooms
from homeserver.services.roomviews import RoomViews
from homeserver.services.servicekeys import ServiceKeys
from homeserver.services.sessions import Sessions
from homeserver.services.spam import Spam
from homeserver.services.speech import Speech
from homeserver.services.tokens import TokenKey
from homeserver.services.typing import Typing
from homeserver.services.words import WordList
from homeserver.settings.models import Settings
from homeserver.settings.secrets import ServerKeys, open_keys
from homeserver.storage.db import Database, database_url
from homeserver.tasks import Tasks
from homeserver.timeline.appender import Appender
from homeserver.timeline.build import Signer
from homeserver.timeline.chain import Chainer
from homeserver.timeline.heads import Heads
from homeserver.timeline.live import Live
from homeserver.timeline.writer import Timeline


@dataclass(frozen=True, slots=True)
class Core:
    """The log and what it stands on."""

    db: Database
    clock: Clock
    metrics: Metrics
    tasks: Tasks
    keys: ServerKeys
    live: Live
    appender: Appender
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class People:
    """Accounts, sessions and what people may do how often."""

    limits: RateLimits
    passwords: Passwords
    profiles: Profiles
    accounts: Accounts
    sessions: Sessions
    hosts: Hosts
    guests: Guests
    blocks: Blocks
    service_keys: ServiceKeys


@dataclass(frozen=True, slots=True)
class Storehouse:
    """Files: kept, served, deleted."""

    media: Media
    sweep: Sweep
    disk: Disk


@dataclass(frozen=True, slots=True)
class Safety:
    """What the admins have against abuse; what people have is in `Chat`."""

    words: WordList
    moderation: Moderation


@dataclass(frozen=True, slots=True)
class Homeserver:
    """All parts of one server."""

    settings: Settings
    core: Core
    people: People
    files: Storehouse
    chat: Chat
    push: Push
    safety: Safety


def build(settings: Settings, *, clock: Clock | None = None) -> Homeserver:
    """Build a server. Makes the keys at the first start; touches neither the network nor the database."""
    core = _core(settings, clock or SystemClock())
    people = _people(settings, core)
    words = WordList(settings.moderation)
    chat = _chat(settings, core, people, words)
    return Homeserver(
        settings=settings,
        core=core,
        people=people,
        files=_files(settings, core, people),
        chat=chat,
        push=_push(settings, core, people, chat),
        safety=Safety(words, _moderation(core, chat)),
    )


def _core(settings: Settings, clock: Clock) -> Core:
    data_dir = Path(settings.server.data_dir)
    keys = open_keys(data_dir)
    metrics = Metrics()
    db = Database(database_url(settings.database, data_dir), settings.database, metrics.statement_sent)
    live = Live(db, settings.timeline.ring_entries)
    signer = Signer(settings.server.name, keys.signing, settings.timeline.snapshot_chain)
    chainer = Chainer(signer, clock)
    heads = Heads(db, settings.timeline.cached_rooms)
    appender = Appender(
        db=db, live=live, chainer=chainer, clock=clock, settings=settings.timeline, metrics=metrics
    )
    timeline = Timeline(server=settings.server.name, heads=heads, chainer=chainer, appender=appender)
    return Core(
        db=db,
        clock=clock,
        metrics=metrics,
        tasks=Tasks(metrics),
        keys=keys,
        live=live,
        appender=appender,
        timeline=timeline,
    )


def _people(settings: Settings, core: Core) -> People:
    limits = RateLimits(settings.rate_limits, core.clock, core.metrics.rate_limited)
    passwords = Passwords(settings.accounts)
    profiles = Profiles(db=core.db, timeline=core.timeline, cached_people=settings.accounts.cached_people)
    accounts = Accounts(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        settings=settings.accounts,
        passwords=passwords,
        limits=limits,
        server_name=settings.server.name,
    )
    sessions = Sessions(
        db=core.db,
        timeline=core.timeline,
        key=TokenKey(core.keys.access_token, settings.server.name),
        clock=core.clock,
        settings=settings.tokens,
        limits=limits,
    )
    return People(
        limits=limits,
        passwords=passwords,
        profiles=profiles,
        accounts=accounts,
        sessions=sessions,
        hosts=_hosts(settings, core, profiles),
        guests=_guests(settings, core, profiles, limits),
        blocks=_blocks(settings, core, profiles, limits),
        service_keys=_service_keys(settings, core, limits),
    )


def _hosts(settings: Settings, core: Core, profiles: Profiles) -> Hosts:
    return Hosts(
        db=core.db,
        profiles=profiles,
        issuers=make_issuers(settings.issuers, core.clock),
        clock=core.clock,
        server_name=settings.server.name,
        cache_entries=settings.tokens.cache_entries,
    )


def _guests(settings: Settings, core: Core, profiles: Profiles, limits: RateLimits) -> Guests:
    return Guests(
        db=core.db,
        timeline=core.timeline,
        profiles=profiles,
        clock=core.clock,
        key=GuestKey(core.keys.guests, settings.server.name),
        settings=settings.guests,
        limits=limits,
    )


def _blocks(settings: Settings, core: Core, profiles: Profiles, limits: RateLimits) -> Blocks:
    return Blocks(
        db=core.db,
        timeline=core.timeline,
        profiles=profiles,
        limits=limits,
        clock=core.clock,
        settings=settings.moderation,
    )


def _service_keys(settings: Settings, core: Core, limits: RateLimits) -> ServiceKeys:
    return ServiceKeys(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        limits=limits,
        scopes=("university", "messenger", *settings.bridges),
        cache_entries=settings.tokens.cache_entries,
    )


def _files(settings: Settings, core: Core, people: People) -> Storehouse:
    disk, places = Disk(), Places(Path(settings.server.data_dir) / "media")
    media = Media(
        db=core.db,
        clock=core.clock,
        settings=settings.media,
        limits=people.limits,
        urls=MediaUrls(core.keys.media_url, settings.media.url_ttl_s),
        disk=disk,
        places=places,
    )
    sweep = Sweep(
        db=core.db, clock=core.clock, disk=disk, places=places, interval_s=settings.media.sweep_interval_s
    )
    return Storehouse(media, sweep, disk)


def _chat(settings: Settings, core: Core, people: People, words: WordList) -> Chat:
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
    messages = Messages(
        db=core.db,
        timeline=core.timeline,
        access=access,
        views=message_views,
        speech=_speech(settings, core, people, words, reports),
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
        replay=Replay(db=core.db, access=access, views=message_views),
        typing=Typing(feed, access, blocks),
        presence=Presence(feed, access, blocks),
        enquiries=_enquiries(settings, core, people, rooms, (access, message_views)),
        blocks=blocks,
        reports=reports,
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


def _speech(settings: Settings, core: Core, people: People, words: WordList, reports: Reports) -> Speech:
    spam = Spam(
        settings.moderation,
        core.clock,
        enabled=settings.rate_limits.enabled,
        refused=core.metrics.rate_limited,
    )
    return Speech(limits=people.limits, blocks=people.blocks, spam=spam, words=words, reports=reports)


def _moderation(core: Core, chat: Chat) -> Moderation:
    return Moderation(
        db=core.db, timeline=core.timeline, messages=chat.messages, rooms=chat.rooms, clock=core.clock
    )


def _push(settings: Settings, core: Core, people: People, chat: Chat) -> Push:
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

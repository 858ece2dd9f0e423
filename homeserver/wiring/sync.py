"""What keeps Matrix clients up to date, and what they keep with the server."""

from dataclasses import dataclass

from homeserver.services.admin.server_notices import speakers
from homeserver.services.chat import Chat
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.clientdata.filters import Filters
from homeserver.services.clientdata.push_rules import PushRules
from homeserver.services.e2ee.encryption import Encryption
from homeserver.services.notify.counts import Counts
from homeserver.services.notify.listing import Listing
from homeserver.services.realtime.presence import Availability
from homeserver.services.realtime.receipts import Markers
from homeserver.services.sliding.connections import Connections
from homeserver.services.sliding.extensions import Extensions
from homeserver.services.sliding.lists import Lists
from homeserver.services.sliding.room_list import RoomLists
from homeserver.services.sliding.rooms import SlidingRooms
from homeserver.services.sliding.service import Sections, SlidingSyncs
from homeserver.services.sync.changes import NewsDesk
from homeserver.services.sync.direct_chats import DirectChats
from homeserver.services.sync.legacy import LegacySyncs
from homeserver.services.sync.long_polls import LongPolls
from homeserver.services.sync.memberships import OwnRooms
from homeserver.services.sync.rooms import RoomSections
from homeserver.services.sync.timelines import Timelines
from homeserver.services.sync.v3 import Sources, Syncs
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core
from homeserver.wiring.matrix import RawRooms


@dataclass(frozen=True, slots=True)
class Keeping:
    """What clients keep with the server for their people."""

    data: AccountData
    rules: PushRules
    filters: Filters
    markers: Markers
    availability: Availability


def build_keeping(settings: Settings, core: Core, chat: Chat) -> Keeping:
    """Build it."""
    rules = PushRules(db=core.db, timeline=core.timeline)
    data = AccountData(
        db=core.db,
        timeline=core.timeline,
        rules=rules,
        max_bytes=settings.matrix.max_account_data_bytes,
        max_pieces=settings.matrix.max_account_data,
        heard=speakers(settings.notices, settings.server.name),
    )
    return Keeping(
        data=data,
        rules=rules,
        filters=Filters(db=core.db, max_filters=settings.matrix.max_filters),
        markers=Markers(db=core.db, timeline=core.timeline, data=data, clock=core.clock),
        availability=Availability(
            db=core.db,
            clock=core.clock,
            blocks=chat.blocks,
            enabled=settings.matrix.presence,
            most=settings.matrix.max_presences,
            forget_s=settings.matrix.presence_forget_s,
        ),
    )


@dataclass(frozen=True, slots=True)
class Following:
    """What tells clients the news."""

    waiting: LongPolls
    syncs: Syncs
    own: OwnRooms
    counts: Counts
    sliding: SlidingSyncs
    room_lists: RoomLists
    connections: Connections
    old: LegacySyncs
    notified: Listing


def build_following(
    settings: Settings, core: Core, chat: Chat, raw: RawRooms, keeping: Keeping, e2ee: Encryption
) -> Following:
    """Build it."""
    waiting, direct = (
        LongPolls(core.db, settings.matrix.max_waiting_syncs),
        DirectChats(core.db, keeping.data),
    )
    sources = Sources(keeping.data, chat.typing, e2ee, keeping.availability, direct)
    counts = Counts(core.db)
    own = OwnRooms(core.db, settings.matrix.cached_memberships)
    timelines = Timelines(
        core.db,
        raw.visibility,
        default=settings.matrix.sync_timeline,
        most=settings.matrix.max_sync_timeline,
    )
    syncs = Syncs(
        db=core.db,
        live=core.live,
        waiting=waiting,
        own=own,
        rooms=RoomSections(core.db, timelines, raw.rendering, chat.typing, counts),
        sources=sources,
        max_wait_s=settings.matrix.max_sync_wait_s,
    )
    old = _old(settings, core, raw, syncs, waiting)
    chat.typing.listen(waiting.stir)
    keeping.availability.listen(waiting.stir_around)
    room_lists = RoomLists(core.db, core.live, cached=settings.matrix.cached_rosters)
    connections = Connections(db=core.db, clock=core.clock, settings=settings.matrix)
    sliding = SlidingSyncs(
        news=NewsDesk(core.db, core.live),
        waiting=waiting,
        connections=connections,
        room_lists=room_lists,
        sections=_sections(settings, core, raw, room_lists, sources),
        sources=sources,
        max_wait_s=settings.matrix.max_sync_wait_s,
    )
    notified = _listing(settings, core, raw, keeping)
    return Following(waiting, syncs, own, counts, sliding, room_lists, connections, old, notified)


def _listing(settings: Settings, core: Core, raw: RawRooms, keeping: Keeping) -> Listing:
    return Listing(
        db=core.db,
        live=core.live,
        visibility=raw.visibility,
        rendering=raw.rendering,
        data=keeping.data,
        max_page=settings.matrix.max_page,
    )


def _old(settings: Settings, core: Core, raw: RawRooms, syncs: Syncs, waiting: LongPolls) -> LegacySyncs:
    return LegacySyncs(
        db=core.db,
        syncs=syncs,
        history=raw.history,
        rendering=raw.rendering,
        waiting=waiting,
        most=settings.matrix.max_sync_timeline,
        max_wait_s=settings.matrix.max_sync_wait_s,
    )


def _sections(
    settings: Settings, core: Core, raw: RawRooms, room_lists: RoomLists, sources: Sources
) -> Sections:
    """What sliding sync puts its answers together with."""
    rooms = SlidingRooms(
        core.db,
        raw.visibility,
        raw.rendering,
        most_rooms=settings.matrix.max_sliding_rooms,
        most_events=settings.matrix.max_sync_timeline,
    )
    return Sections(Lists(core.db, room_lists), rooms, Extensions(core.db, sources))

"""Wiring of /sync and sliding sync."""

from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.e2ee.encryption import Encryption
from homeserver.services.events.services import EventServices
from homeserver.services.push.notifications.counts import Counts
from homeserver.services.realtime.services import RealtimeServices
from homeserver.services.sliding.connections import Connections
from homeserver.services.sliding.extensions import Extensions
from homeserver.services.sliding.lists import Lists
from homeserver.services.sliding.room_list import RoomLists
from homeserver.services.sliding.rooms import SlidingRooms
from homeserver.services.sliding.service import Sections, SlidingSyncs
from homeserver.services.sliding.services import SlidingServices
from homeserver.services.sync.changes import NewsDesk
from homeserver.services.sync.direct_chats import DirectChats
from homeserver.services.sync.legacy import LegacySyncs
from homeserver.services.sync.long_polls import LongPolls
from homeserver.services.sync.memberships import OwnRooms
from homeserver.services.sync.rooms import RoomSections
from homeserver.services.sync.services import SyncServices
from homeserver.services.sync.timelines import Timelines
from homeserver.services.sync.v3 import Sources, Syncs
from homeserver.settings.models import Settings
from homeserver.timeline.consume import Progress
from homeserver.wiring.core import Core


def build_sources(
    core: Core, clientdata: ClientDataServices, realtime: RealtimeServices, e2ee: Encryption
) -> Sources:
    """Build the sources of sync data other than rooms, shared by both kinds of sync."""
    direct = DirectChats(core.db, clientdata.account_data)
    return Sources(clientdata.account_data, realtime.typing, e2ee, realtime.presence, direct)


def build_sync(
    settings: Settings,
    core: Core,
    events: EventServices,
    realtime: RealtimeServices,
    sources: Sources,
    evaluation: Progress,
) -> SyncServices:
    """Build /sync and the older calls that it replaced."""
    matrix = settings.matrix
    long_polls = LongPolls(core.db, matrix.max_waiting_syncs, matrix.max_waiting_syncs_per_user)
    realtime.typing.listen(long_polls.wake_room)
    realtime.presence.listen(long_polls.hear_presence)
    counts, memberships = Counts(core.db), OwnRooms(core.db, matrix.cached_memberships)
    timelines = Timelines(
        core.db,
        events.visibility,
        default=matrix.sync_timeline,
        most=matrix.max_sync_timeline,
        most_bytes=matrix.max_sync_timeline_bytes,
    )
    syncs = Syncs(
        db=core.db,
        evaluation=evaluation,
        waiting=long_polls,
        own=memberships,
        rooms=RoomSections(core.db, timelines, events.rendering, realtime.typing, counts),
        sources=sources,
        max_wait_s=matrix.max_sync_wait_s,
    )
    legacy = LegacySyncs(
        db=core.db,
        syncs=syncs,
        history=events.history,
        rendering=events.rendering,
        presence=realtime.presence,
        waiting=long_polls,
        settings=matrix,
    )
    return SyncServices(syncs, legacy, long_polls, memberships, counts)


def build_sliding(
    settings: Settings,
    core: Core,
    events: EventServices,
    sync: SyncServices,
    sources: Sources,
    evaluation: Progress,
) -> SlidingServices:
    """Build sliding sync."""
    matrix = settings.matrix
    room_lists = RoomLists(core.db, core.live, cached=matrix.cached_rosters)
    connections = Connections(db=core.db, clock=core.clock, settings=matrix)
    rooms = SlidingRooms(
        core.db,
        events.visibility,
        events.rendering,
        most_rooms=matrix.max_sliding_rooms,
        most_events=matrix.max_sync_timeline,
    )
    syncs = SlidingSyncs(
        news=NewsDesk(core.db, evaluation),
        waiting=sync.long_polls,
        connections=connections,
        room_lists=room_lists,
        sections=Sections(Lists(core.db, room_lists), rooms, Extensions(core.db, sources)),
        sources=sources,
        max_wait_s=matrix.max_sync_wait_s,
    )
    return SlidingServices(syncs, room_lists, connections)

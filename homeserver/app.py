"""The composition root: all parts of a server, in the order of their dependencies.

`build` makes the parts of a server and starts nothing; `make_app` mounts the APIs on them; `running` starts and stops
both. A constructor takes only parts that stand above it here, so the order proves that there is no cycle.
"""

from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from homeserver.clock import Clock, SystemClock
from homeserver.services.accounts.services import AccountServices
from homeserver.services.admin.services import AdminServices
from homeserver.services.auth.services import AuthServices
from homeserver.services.clientdata.services import ClientDataServices
from homeserver.services.e2ee.encryption import Encryption
from homeserver.services.enquiries.services import EnquiryServices
from homeserver.services.events.services import EventServices
from homeserver.services.media.services import MediaServices
from homeserver.services.messages.services import MessageServices
from homeserver.services.moderation.services import ModerationServices
from homeserver.services.previews.service import Previews
from homeserver.services.push.notifications.service import Notifications
from homeserver.services.push.web.service import Push
from homeserver.services.realtime.services import RealtimeServices
from homeserver.services.rooms.services import RoomServices
from homeserver.services.search.services import SearchServices
from homeserver.services.sliding.services import SlidingServices
from homeserver.services.sync.services import SyncServices
from homeserver.settings.models import Settings
from homeserver.wiring.accounts import build_accounts
from homeserver.wiring.admin import build_admin, build_notices
from homeserver.wiring.auth import build_auth
from homeserver.wiring.clientdata import build_clientdata, build_encryption
from homeserver.wiring.core import Core, build_core
from homeserver.wiring.enquiries import build_enquiries
from homeserver.wiring.events import build_events
from homeserver.wiring.federation import Federation, build_federation
from homeserver.wiring.media import build_media, build_previews
from homeserver.wiring.messages import build_messages, build_moderation, build_search
from homeserver.wiring.push import build_notifications, build_progress, build_push
from homeserver.wiring.realtime import build_realtime
from homeserver.wiring.rooms import build_rooms
from homeserver.wiring.sync import build_sliding, build_sources, build_sync


@dataclass(frozen=True, slots=True)
class Homeserver:
    """All parts of one server, by the packages of the services."""

    settings: Settings
    core: Core
    federation: Federation | None
    clientdata: ClientDataServices
    e2ee: Encryption
    accounts: AccountServices
    auth: AuthServices
    media: MediaServices
    previews: Previews
    events: EventServices
    rooms: RoomServices
    moderation: ModerationServices
    search: SearchServices
    messages: MessageServices
    enquiries: EnquiryServices
    realtime: RealtimeServices
    admin: AdminServices
    push: Push
    notifications: Notifications
    sync: SyncServices
    sliding: SlidingServices


def build(
    settings: Settings, *, clock: Clock | None = None, resolver: AbstractResolver | None = None
) -> Homeserver:
    """Build a server. Creates the keys at the first start; uses neither the network nor the database.

    `resolver` finds the addresses of names in outgoing requests; the system's if there is none.
    """
    core = build_core(settings, clock or SystemClock(), resolver)
    federation = build_federation(settings, core, resolver)
    clientdata = build_clientdata(settings, core)
    e2ee = build_encryption(settings, core)
    accounts = build_accounts(settings, core)
    auth = build_auth(settings, core, accounts)
    media = build_media(settings, core)
    events = build_events(settings, core, accounts, clientdata)
    notices = build_notices(settings, core, clientdata)
    rooms = build_rooms(settings, core, accounts, events, notices, [clientdata.push_rules])
    moderation = build_moderation(settings, core, accounts, events)
    messages = build_messages(settings, core, events, rooms, moderation, notices)
    realtime = build_realtime(settings, core, accounts, clientdata, events, rooms)
    sources = build_sources(core, clientdata, realtime, e2ee)
    evaluation = build_progress(settings, core)
    sync = build_sync(settings, core, events, realtime, sources, evaluation)
    return Homeserver(
        settings=settings,
        core=core,
        federation=federation,
        clientdata=clientdata,
        e2ee=e2ee,
        accounts=accounts,
        auth=auth,
        media=media,
        previews=build_previews(settings, core, media),
        events=events,
        rooms=rooms,
        moderation=moderation,
        search=build_search(settings, core, events, clientdata),
        messages=messages,
        enquiries=build_enquiries(settings, core, accounts, events, rooms),
        realtime=realtime,
        admin=build_admin(settings, core, accounts, auth, rooms, messages, notices),
        push=build_push(settings, core, accounts, events, realtime),
        notifications=build_notifications(settings, core, clientdata, events, evaluation),
        sync=sync,
        sliding=build_sliding(settings, core, events, sync, sources, evaluation),
    )

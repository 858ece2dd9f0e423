"""Puts the messenger face together."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeserver.api.messenger.chats import Chats
from homeserver.api.messenger.errors import ERRORS
from homeserver.api.messenger.live import Live
from homeserver.api.messenger.logins import Logins
from homeserver.api.messenger.messages import MessageCalls
from homeserver.api.messenger.posting import Posting
from homeserver.api.messenger.shape import Views
from homeserver.api.messenger.socket import PersonSocket, SocketLimits, SocketServices
from homeserver.api.messenger.users import Users
from homeserver.http.address import ClientAddress
from homeserver.http.credentials import Door
from homeserver.http.paging import Paging
from homeserver.http.routes import Desk, Face, Route
from homeserver.http.site import face_application
from homeserver.http.sockets import Hub
from homeserver.services.access import Access
from homeserver.services.accounts import Accounts
from homeserver.services.feed import Feed
from homeserver.services.media.addresses import MediaFiles
from homeserver.services.media.store import Media
from homeserver.services.members import Members
from homeserver.services.messages import Messages
from homeserver.services.presence import Presence
from homeserver.services.profiles import Profiles
from homeserver.services.receipts import Receipts
from homeserver.services.rooms import Rooms
from homeserver.services.sessions import Sessions
from homeserver.services.typing import Typing
from homeserver.settings.models import MessengerSettings

ABOUT = """\
## Messenger

All ids are integers. `POST {prefix}/auth/login` gives an access token for `Authorization: Bearer TOKEN`, and a refresh
token that is good for one `POST {prefix}/auth/refresh`. Using a refresh token twice ends its session.

**WebSocket** `{socket_path}?token=TOKEN`: one socket for all chats. All frames are `{{"event": ..., "data": {{...}}}}`.

| the client sends | data |
|---|---|
| `message.send` | as the body of `POST {prefix}/messages` |
| `typing` | `chat_id`, `is_typing` |
| `read` | `chat_id`, `message_id`? (default: the newest) |
| `sync` | `after`: a message id; answered with every message after it, of all chats, in order, as `message.created` |
| `ping` | nothing; answered with `pong` |

| the server sends | data |
|---|---|
| `message.created`, `message.updated` | a Message |
| `message.deleted` | `id`, `chat_id` |
| `message.read` | `chat_id`, `user_id`, `message_id` |
| `chat.created`, `chat.updated` | a Chat: you came into it, or its title or its people changed |
| `chat.deleted` | `id`: you are no longer in it |
| `typing` | `chat_id`, `user_id`, `is_typing` |
| `presence` | `chat_id`, `user_id`, `online` |
| `error` | `code`, `detail`, `client_id`?, `retry_ms`?: a frame was refused; the socket stays open |

Close codes: 1000 do not come back; 1001 the server stops; 1008 no access, or the token or session ended; 1009 frame
too large; 1013 too slow or too busy, come back and `sync`.
"""


@dataclass(frozen=True, slots=True)
class MessengerServices:
    """What this face calls."""

    accounts: Accounts
    sessions: Sessions
    profiles: Profiles
    rooms: Rooms
    members: Members
    messages: Messages
    receipts: Receipts
    typing: Typing
    presence: Presence
    access: Access
    feed: Feed
    media: Media


@dataclass(frozen=True, slots=True)
class Entrance:
    """What stands between this face and the network."""

    desk: Desk
    door: Door
    address: ClientAddress
    hub: Hub
    public_url: str


def make(
    services: MessengerServices, entrance: Entrance, *, settings: MessengerSettings, max_page: int
) -> Sequence[Face]:
    """The face, and its socket, which has an address of its own; it follows the feed from now on."""
    views = Views(MediaFiles(services.media, entrance.public_url))
    posting = Posting(messages=services.messages, access=services.access)
    routes = _calls(services, entrance, posting, views, settings, Paging(max_page))
    socket = _socket(services, entrance, posting, views, settings, max_page)
    return (
        Face(
            name="Messenger",
            prefix=settings.prefix,
            application=face_application(entrance.desk, ERRORS, routes),
            routes=routes,
            about=ABOUT.format(prefix=settings.prefix, socket_path=settings.socket_path),
        ),
        Face(
            name="MessengerSocket",
            prefix=settings.socket_path,
            application=face_application(entrance.desk, ERRORS, (socket,)),
            routes=(socket,),
        ),
    )


def _calls(
    services: MessengerServices,
    entrance: Entrance,
    posting: Posting,
    views: Views,
    settings: MessengerSettings,
    paging: Paging,
) -> Sequence[Route]:
    logins = Logins(accounts=services.accounts, sessions=services.sessions, address=entrance.address)
    users = Users(profiles=services.profiles, members=services.members, paging=paging)
    chats = Chats(
        rooms=services.rooms,
        members=services.members,
        receipts=services.receipts,
        access=services.access,
        views=views,
        paging=paging,
        listed_participants=settings.listed_participants,
    )
    messages = MessageCalls(
        messages=services.messages, posting=posting, access=services.access, views=views, paging=paging
    )
    return (*messages.routes(), *chats.routes(), *logins.routes(), *users.routes())


def _socket(
    services: MessengerServices,
    entrance: Entrance,
    posting: Posting,
    views: Views,
    settings: MessengerSettings,
    max_page: int,
) -> Route:
    live = Live(
        hub=entrance.hub, views=views, presence=services.presence, presence_chats=settings.presence_chats
    )
    services.feed.follow(live)
    socket = PersonSocket(
        SocketServices(
            rooms=services.rooms,
            messages=services.messages,
            receipts=services.receipts,
            typing=services.typing,
            presence=services.presence,
            access=services.access,
        ),
        posting=posting,
        hub=entrance.hub,
        live=live,
        views=views,
        admit=entrance.door.for_socket,
        limits=SocketLimits(chats=settings.live_chats, page=max_page),
    )
    return socket.route()

"""Puts the messenger face together."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeserver.api.messenger.chats import Chats
from homeserver.api.messenger.errors import ERRORS
from homeserver.api.messenger.live import Live
from homeserver.api.messenger.logins import Logins
from homeserver.api.messenger.messages import MessageCalls
from homeserver.api.messenger.sending import Posting
from homeserver.api.messenger.shape import Views
from homeserver.api.messenger.socket import PersonSocket, SocketLimits
from homeserver.api.messenger.users import Users
from homeserver.http.address import ClientAddress
from homeserver.http.apps import ApiContext, face_application
from homeserver.http.paging import Paging
from homeserver.http.routes import Face
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.auth.sessions import Sessions
from homeserver.services.chat import Chat
from homeserver.services.media.addresses import MediaFiles
from homeserver.services.media.store import Media
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
| `sync` | `after`: a message id; answered with what was said, edited and deleted after it, in all chats, in order |
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
    """What this face calls. `address`: whose request it is, for limits."""

    chat: Chat
    accounts: Accounts
    sessions: Sessions
    profiles: Profiles
    media: Media
    address: ClientAddress


def make(services: MessengerServices, api: ApiContext, *, settings: MessengerSettings) -> Sequence[Face]:
    """The face, and its socket, which has an address of its own; it follows the feed from now on."""
    chat = services.chat
    views = Views(MediaFiles(services.media, api.public_url, api.server))
    posting = Posting(messages=chat.messages, access=chat.access)
    paging = Paging(api.max_page)
    messages = MessageCalls(chat, posting=posting, views=views, paging=paging)
    chats = Chats(chat, views=views, paging=paging, listed_participants=settings.listed_participants)
    logins = Logins(
        accounts=services.accounts, sessions=services.sessions, address=services.address, views=views
    )
    users = Users(
        profiles=services.profiles, members=chat.members, blocks=chat.blocks, views=views, paging=paging
    )
    routes = (*messages.routes(), *chats.routes(), *logins.routes(), *users.routes())
    socket = (_socket(chat, api, posting, views, settings).route(),)
    return (
        Face(
            name="Messenger",
            prefix=settings.prefix,
            application=face_application(api.dispatcher, ERRORS, routes),
            routes=routes,
            about=ABOUT.format(prefix=settings.prefix, socket_path=settings.socket_path),
        ),
        Face(
            name="MessengerSocket",
            prefix=settings.socket_path,
            application=face_application(api.dispatcher, ERRORS, socket),
            routes=socket,
        ),
    )


def _socket(
    chat: Chat, api: ApiContext, posting: Posting, views: Views, settings: MessengerSettings
) -> PersonSocket:
    live = Live(hub=api.hub, views=views, presence=chat.presence, presence_chats=settings.presence_chats)
    chat.feed.follow(live)
    return PersonSocket(
        chat,
        posting=posting,
        hub=api.hub,
        live=live,
        views=views,
        admit=api.authenticator.for_socket,
        limits=SocketLimits(chats=settings.live_chats, page=api.max_page),
    )

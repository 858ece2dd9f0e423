"""Builds the messenger API."""

from collections.abc import Sequence
from functools import partial

from homeserver.api.messenger.chats import Chats
from homeserver.api.messenger.errors import ERRORS
from homeserver.api.messenger.live import Live
from homeserver.api.messenger.logins import Logins
from homeserver.api.messenger.messages import MessageCalls
from homeserver.api.messenger.sending import Posting
from homeserver.api.messenger.services import MessengerServices
from homeserver.api.messenger.shape import View, Views
from homeserver.api.messenger.socket import PersonSocket
from homeserver.api.messenger.users import Users
from homeserver.http.apps import ApiContext, face_application
from homeserver.http.paging import Paging
from homeserver.http.routes import Face
from homeserver.services.media.addresses import MediaFiles
from homeserver.settings.models import MessengerSettings

ABOUT = """\
## Messenger

All ids are integers. `POST {prefix}/auth/login` gives an access token for `Authorization: Bearer TOKEN`, and a refresh
token for `POST {prefix}/auth/refresh`. It stays valid until one of the tokens that it was exchanged for is used; its
use after that ends the session.

**WebSocket** `{socket_path}?token=TOKEN`: one socket for all chats. All frames are `{{"event": ..., "data": {{...}}}}`.

| the client sends | data |
|---|---|
| `message.send` | as the body of `POST {prefix}/messages` |
| `typing` | `chat_id`, `is_typing` |
| `read` | `chat_id`, `message_id`? (default: the newest) |
| `sync` | `after`: a message id; answered with messages sent, edited and deleted after it, in all chats, in order |
| `ping` | nothing; answered with `pong` |

| the server sends | data |
|---|---|
| `message.created`, `message.updated` | a Message |
| `message.deleted` | `id`, `chat_id` |
| `message.read` | `chat_id`, `user_id`, `message_id` |
| `chat.created`, `chat.updated` | a Chat: you joined it, or its title or its members changed |
| `chat.deleted` | `id`: you are no longer in it |
| `typing` | `chat_id`, `user_id`, `is_typing` |
| `presence` | `chat_id`, `user_id`, `online` |
| `error` | `code`, `detail`, `client_id`?, `retry_ms`?: a frame was refused; the socket stays open |

Close codes: 1000 do not reconnect; 1001 the server stops; 1008 no access, or the token or session ended; 1009 frame
too large; 1013 too slow or too busy, reconnect and `sync`.
"""


def make(services: MessengerServices, api: ApiContext, *, settings: MessengerSettings) -> Sequence[Face]:
    """The face, and its WebSocket, which has a path of its own; subscribes to the feed."""
    views = Views(partial(View, files=MediaFiles(services.media, api.public_url, api.server)))
    posting = Posting(messages=services.messages.messages)
    paging = Paging(api.max_page)
    messages = MessageCalls(services, posting=posting, views=views, paging=paging)
    chats = Chats(services, views=views, paging=paging, listed_participants=settings.listed_participants)
    logins = Logins(
        accounts=services.accounts.accounts,
        sessions=services.auth.sessions,
        address=services.address,
        views=views,
    )
    users = Users(
        profiles=services.accounts.profiles,
        directory=services.accounts.directory,
        members=services.rooms.members,
        blocks=services.accounts.blocks,
        views=views,
        paging=paging,
    )
    routes = (*messages.routes(), *chats.routes(), *logins.routes(), *users.routes())
    socket = (_socket(services, api, posting, views, settings).route(),)
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
    services: MessengerServices, api: ApiContext, posting: Posting, views: Views, settings: MessengerSettings
) -> PersonSocket:
    live = Live(
        hub=api.hub,
        views=views,
        connections=services.realtime.connections,
        typing=services.realtime.typing,
        presence_chats=settings.presence_chats,
    )
    services.realtime.feed.follow(live)
    return PersonSocket(services, api, posting=posting, live=live, views=views, max_chats=settings.live_chats)

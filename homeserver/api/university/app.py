"""Builds the university API."""

from collections.abc import Sequence
from functools import partial

from homeserver.api.university.attachments import Attachments
from homeserver.api.university.conversations import Conversations
from homeserver.api.university.errors import ERRORS
from homeserver.api.university.live import Live
from homeserver.api.university.messages import MessageCalls
from homeserver.api.university.sending import Posting
from homeserver.api.university.services import UniversityServices
from homeserver.api.university.shape import View, Views
from homeserver.api.university.socket import ConversationSocket
from homeserver.api.university.users import Users
from homeserver.http.apps import ApiContext, face_application
from homeserver.http.paging import Paging
from homeserver.http.routes import Dispatcher, Face
from homeserver.services.media.addresses import MediaFiles
from homeserver.settings.models import UniversitySettings

ABOUT = """\
## University chat

Ids of conversations are UUIDs, of people integers. The token (ours, or a JWT of the host application) is sent in
`Authorization: Bearer TOKEN` or, for clients that send it so, in a request header `WWW-Authenticate`. The host's own
servers may send `X-Service-Key: KEY` with `X-Act-For: NUMBER` instead, except for the WebSocket.

**WebSocket** `{prefix}/ws/conversations/{{conversation_id}}/?token=TOKEN` (also `?Authorization=Bearer%20TOKEN` or
`?WWW-Authenticate=Bearer%20TOKEN`). All frames are `{{"type": ..., "payload": {{...}}}}`.

| the client sends | payload |
|---|---|
| `message:new` | `text`, `reply_to`?, `client_id`? |
| `typing` | `is_typing` |
| `message:read` | `message_id`? (default: the newest) |
| `sync` | `after`: a message id; answered with messages sent, edited and deleted after it, in order |

| the server sends | payload |
|---|---|
| `message:new`, `message:edited` | a Message |
| `message:deleted` | `id`, `conversation_id` |
| `message:read` | `user_id`, `message_id`, `conversation_id` |
| `typing` | `user_id`, `is_typing`, `conversation_id` |
| `presence` | `user_id`, `online`, `conversation_id` |
| `participant:added` | a Participant and `conversation_id` |
| `participant:removed` | `user_id`, `conversation_id` |
| `conversation:updated` | `conversation_id` |
| `error` | `code`, `detail`, `client_id`?, `retry_ms`?: a frame was refused; the socket stays open |

Close codes: 1000 do not reconnect; 1001 the server stops; 1008 no access, or the token or session ended; 1009 frame
too large; 1013 too slow or too busy, reconnect and `sync`.
"""


def make(services: UniversityServices, api: ApiContext, *, settings: UniversitySettings) -> Face:
    """The face; subscribes to the feed."""
    files = MediaFiles(services.media, api.public_url, api.server)
    views = Views(partial(View, files=files, show_contacts=settings.show_contacts))
    paging, access = Paging(api.max_page), services.events.access
    conversations = Conversations(
        rooms=services.rooms.rooms,
        members=services.rooms.members,
        receipts=services.realtime.receipts,
        access=access,
        views=views,
        paging=paging,
    )
    posting = Posting(messages=services.messages.messages, access=access)
    messages = MessageCalls(services, posting=posting, views=views, paging=paging)
    attachments = Attachments(
        messages=services.messages.messages, media=services.media, access=access, views=views
    )
    users = Users(
        directory=services.accounts.directory, blocks=services.accounts.blocks, views=views, paging=paging
    )
    routes = (
        *messages.routes(),
        *conversations.routes(),
        *attachments.routes(),
        *users.routes(),
        _socket(services, api, posting, views).route(),
    )
    return Face(
        name="University",
        prefix=settings.prefix,
        application=face_application(api.dispatcher, ERRORS, routes),
        routes=routes,
        about=ABOUT.format(prefix=settings.prefix),
    )


def _socket(
    services: UniversityServices, api: ApiContext, posting: Posting, views: Views
) -> ConversationSocket:
    live = Live(hub=api.hub, views=views)
    services.realtime.feed.watch(live)
    return ConversationSocket(services, api, posting=posting, live=live, views=views)


def at_other_places(face: Face, dispatcher: Dispatcher, prefixes: Sequence[str]) -> list[Face]:
    """The face under more prefixes; only the first is documented."""
    return [
        Face(face.name, prefix, face_application(dispatcher, ERRORS, face.routes), routes=())
        for prefix in prefixes
    ]

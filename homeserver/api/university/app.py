"""Puts the university face together."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeserver.api.university.attachments import Attachments
from homeserver.api.university.conversations import Conversations
from homeserver.api.university.errors import ERRORS
from homeserver.api.university.live import Live
from homeserver.api.university.messages import MessageCalls
from homeserver.api.university.shape import Views
from homeserver.api.university.socket import ConversationSocket, SocketServices
from homeserver.api.university.users import Users
from homeserver.http.credentials import Door
from homeserver.http.paging import Paging
from homeserver.http.routes import Desk, Face
from homeserver.http.site import face_application
from homeserver.http.sockets import Hub
from homeserver.services.access import Access
from homeserver.services.feed import Feed
from homeserver.services.media.addresses import MediaFiles
from homeserver.services.media.store import Media
from homeserver.services.members import Members
from homeserver.services.messages import Messages
from homeserver.services.presence import Presence
from homeserver.services.profiles import Profiles
from homeserver.services.receipts import Receipts
from homeserver.services.rooms import Rooms
from homeserver.services.typing import Typing
from homeserver.settings.models import UniversitySettings

ABOUT = """\
## University chat

Conversations have UUIDs, people integers. The token (ours, or a JWT of the host application) stands in
`Authorization: Bearer TOKEN` or, for clients that send it so, in a request header `WWW-Authenticate`.

**WebSocket** `{prefix}/ws/conversations/{{conversation_id}}/?token=TOKEN` (also `?Authorization=Bearer%20TOKEN` or
`?WWW-Authenticate=Bearer%20TOKEN`). All frames are `{{"type": ..., "payload": {{...}}}}`.

| the client sends | payload |
|---|---|
| `message:new` | `text`, `reply_to`?, `client_id`? |
| `typing` | `is_typing` |
| `message:read` | `message_id`? (default: the newest) |
| `sync` | `after`: a message id; answered with every message after it, in order, as `message:new` |

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

Close codes: 1000 do not come back; 1001 the server stops; 1008 no access, or the token or session ended; 1009 frame
too large; 1013 too slow or too busy, come back and `sync`.
"""


@dataclass(frozen=True, slots=True)
class UniversityServices:
    """What this face calls."""

    rooms: Rooms
    members: Members
    messages: Messages
    receipts: Receipts
    typing: Typing
    presence: Presence
    profiles: Profiles
    access: Access
    feed: Feed
    media: Media


def make(
    services: UniversityServices,
    *,
    settings: UniversitySettings,
    desk: Desk,
    door: Door,
    hub: Hub,
    public_url: str,
    max_page: int,
) -> Face:
    """The face; it watches the feed from now on."""
    views = Views(MediaFiles(services.media, public_url), settings.show_contacts)
    paging = Paging(max_page)
    live = Live(hub=hub, views=views)
    services.feed.watch(live)
    socket = ConversationSocket(
        SocketServices(
            rooms=services.rooms,
            messages=services.messages,
            receipts=services.receipts,
            typing=services.typing,
            presence=services.presence,
            access=services.access,
        ),
        hub=hub,
        live=live,
        views=views,
        admit=door.for_socket,
        max_page=max_page,
    )
    conversations = Conversations(
        rooms=services.rooms,
        members=services.members,
        receipts=services.receipts,
        access=services.access,
        views=views,
        paging=paging,
    )
    messages = MessageCalls(messages=services.messages, access=services.access, views=views, paging=paging)
    attachments = Attachments(
        messages=services.messages, media=services.media, access=services.access, views=views
    )
    users = Users(profiles=services.profiles, views=views, paging=paging)
    routes = (
        *messages.routes(),
        *conversations.routes(),
        *attachments.routes(),
        *users.routes(),
        socket.route(),
    )
    return Face(
        name="University",
        prefix=settings.prefix,
        application=face_application(desk, ERRORS, routes),
        routes=routes,
        about=ABOUT.format(prefix=settings.prefix),
    )


def at_other_places(face: Face, desk: Desk, prefixes: Sequence[str]) -> list[Face]:
    """The same face under more prefixes; the documentation names the first only."""
    return [
        Face(face.name, prefix, face_application(desk, ERRORS, face.routes), routes=()) for prefix in prefixes
    ]

"""Every field that people write in, at every API, and what becomes of a string there.

The rule of each stands in the table FIELDS:

- `text`: kept as it was typed; one that shows nothing is refused.
- `line`: one line, without what is not in names; one that shows nothing is refused.
- `optional line`: the same, and it may show nothing: then it is empty.
- `file`: the name of a file.
- `data`: a Matrix client's own, kept as sent.
- `alias`: refused if there is anything in it that is hidden.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, unquote

from homeserver.model import Page
from tests.api.driver import PASSWORD, User, email
from tests.api.matrix.driver import Client, login
from tests.api.matrix.mediakit import OLD, get, place_of
from tests.api.matrix.roomkit import path, say, state
from tests.bridges.marketplace.people import Ear as MarketEar
from tests.faces.hands import place
from tests.faces.world import World
from tests.names import fresh

Rule = Literal["text", "line", "optional line", "file", "data", "alias"]
HOST = "https://files.example"


class Refused(NamedTuple):
    """A refusal, by its status and code; of a frame without status."""

    status: int
    code: str


@dataclass
class Story:
    """The world, and what is written into: a message of each API, a device, open sockets."""

    world: World
    sockets: dict[str, Any]
    own: dict[str, Any]
    calls: int = 0

    async def ask(self, who: Any, method: str, at: str, body: Any = None, **more: Any) -> Any:
        """The answer's JSON, or the refusal."""
        headers = who.headers if not isinstance(who, Client) else {"Authorization": f"Bearer {who.token}"}
        self.calls += 1
        async with self.world.session.request(method, at, headers=headers, json=body, **more) as answer:
            found: Any = await answer.json() if answer.content_type == "application/json" else None
            if answer.status >= 400:
                return Refused(answer.status, found.get("errcode") or found["code"])
            return found

    @property
    def alice(self) -> User:
        return self.world.users[0]

    @property
    def anna(self) -> Client:
        return self.world.clients[0]


Write = Callable[[Story, str], Awaitable[Any]]


class Field(NamedTuple):
    rule: Rule
    write: Write
    refusal: str = ""


FIELDS: dict[str, Field] = {}


def field(name: str, rule: Rule, refusal: str = "") -> Callable[[Write], Write]:
    """The function writes a string into the field, and answers what is shown of it, or the refusal."""

    def keep(write: Write) -> Write:
        FIELDS[name] = Field(rule, write, refusal)
        return write

    return keep


def _of(found: Any, *names: Any) -> Any:
    """A part of an answer; the whole of a refusal."""
    if isinstance(found, Refused):
        return found
    for name in names:
        found = found[name]
    return found


U, V1, K, M = "/api/unet-chat", "/api/v1", "/api/chat", "/_matrix/client/v3"


# --- the university -----------------------------------------------------------------------------------------------


@field("university: title of a new group", "line", "empty_title")
async def _(story: Story, text: str) -> Any:
    body = {"type": "group", "title": text}
    return _of(await story.ask(story.alice, "POST", f"{U}/conversations/", body), "title")


@field("university: title", "line", "empty_title")
async def _(story: Story, text: str) -> Any:
    at = f"{U}/conversations/{story.world.conversation['id']}"
    return _of(await story.ask(story.alice, "PATCH", at, {"title": text}), "title")


@field("university: description", "optional line")
async def _(story: Story, text: str) -> Any:
    at = f"{U}/conversations/{story.world.conversation['id']}"
    return _of(await story.ask(story.alice, "PATCH", at, {"description": text}), "description")


@field("university: message", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    body = {"conversation_id": story.world.conversation["id"], "text": text}
    return _of(await story.ask(story.alice, "POST", f"{U}/messages/", body), "text")


@field("university: frame of a message", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    frame = {"type": "message:new", "payload": {"text": text}}
    return _of(await _told(story, "university", frame), "payload", "text")


@field("university: edit", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    at = f"{U}/messages/{story.own['university']}"
    return _of(await story.ask(story.alice, "PUT", at, {"text": text}), "text")


@field("university: name of a linked file", "file")
async def _(story: Story, text: str) -> Any:
    body = {"message_id": story.own["university"], "file_url": f"{HOST}/{quote(text, safe='/')}?x=1"}
    return _of(await story.ask(story.alice, "POST", f"{U}/attachments/", body), "name")


@field("university: report", "optional line")
async def _(story: Story, text: str) -> Any:
    said = await story.world.users[1].say(story.world.conversation, "bad")
    at = f"{U}/messages/{said['id']}/report"
    return await _reported(story, await story.ask(story.alice, "POST", at, {"reason": text}))


# --- the messenger ------------------------------------------------------------------------------------------------


@field("messenger: name of a new account", "line", "empty_name")
async def _(story: Story, text: str) -> Any:
    body = {"email": email(story.world.someone), "password": PASSWORD, "display_name": text}
    return _of(
        await story.ask(User(story.world.session, "", 0), "POST", f"{V1}/auth/register", body),
        "user",
        "display_name",
    )


@field("messenger: name", "line", "empty_name")
async def _(story: Story, text: str) -> Any:
    return _of(
        await story.ask(story.alice, "PATCH", f"{V1}/users/me", {"display_name": text}), "display_name"
    )


@field("messenger: title of a new group", "line", "empty_title")
async def _(story: Story, text: str) -> Any:
    body = {"title": text, "user_ids": []}
    return _of(await story.ask(story.alice, "POST", f"{V1}/chats/group", body), "title")


@field("messenger: message", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    body = {"chat_id": place(story.world.conversation["id"]), "content": text}
    return _of(await story.ask(story.alice, "POST", f"{V1}/messages", body), "content")


@field("messenger: frame of a message", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    data = {"chat_id": story.own["talk"], "content": text}
    return _of(await _told(story, "messenger", {"event": "message.send", "data": data}), "data", "content")


@field("messenger: edit", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    at = f"{V1}/messages/{place(story.own['university'])}"
    return _of(await story.ask(story.alice, "PATCH", at, {"content": text}), "content")


@field("messenger: name of a file", "file")
async def _(story: Story, text: str) -> Any:
    named = {"url": f"{HOST}/x.png", "name": text}
    body = {"chat_id": place(story.world.conversation["id"]), "type": "file", "payload": named}
    found = await story.ask(story.alice, "POST", f"{V1}/messages", body)
    return _of(found, "payload", "name")


@field("messenger: name of a linked file", "file")
async def _(story: Story, text: str) -> Any:
    named = {"url": f"{HOST}/{quote(text, safe='/')}"}
    body = {"chat_id": place(story.world.conversation["id"]), "type": "file", "payload": named}
    sent = await story.ask(story.alice, "POST", f"{V1}/messages", body)
    return sent if isinstance(sent, Refused) else await _last_name(story)


@field("messenger: report", "optional line")
async def _(story: Story, text: str) -> Any:
    said = await story.world.users[1].say(story.world.conversation, "bad")
    at = f"{V1}/messages/{place(said['id'])}/report"
    return await _reported(story, await story.ask(story.alice, "POST", at, {"reason": text}))


# --- the marketplace ----------------------------------------------------------------------------------------------


@field("marketplace: message", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    at = f"{K}/chats/{story.world.chat['id']}/messages"
    return _of(await story.ask(story.world.shoppers[1], "POST", at, {"message_text": text}), "message_text")


@field("marketplace: frame of a message", "text", "empty_text")
async def _(story: Story, text: str) -> Any:
    frame = {"type": "message", "message_text": text}
    return _of(await _told(story, "marketplace", frame), "message", "message_text")


@field("marketplace: name of a file", "file")
async def _(story: Story, text: str) -> Any:
    at = f"{K}/chats/{story.world.chat['id']}/messages"
    body = {"message_type": "file", "file_url": f"{HOST}/", "file_name": text}
    return _of(await story.ask(story.world.shoppers[1], "POST", at, body), "file_name")


@field("marketplace: name of a linked file", "file")
async def _(story: Story, text: str) -> Any:
    at = f"{K}/chats/{story.world.chat['id']}/messages"
    body = {"message_type": "file", "file_url": f"{HOST}/{quote(text, safe='/')}"}
    return _of(await story.ask(story.world.shoppers[1], "POST", at, body), "file_name")


@field("marketplace: report", "optional line")
async def _(story: Story, text: str) -> Any:
    said = await story.world.shoppers[0].say(story.world.chat, "bad")
    at = f"{K}/chats/{story.world.chat['id']}/report"
    body = {"message_id": said["id"], "reason": text}
    return await _reported(story, await story.ask(story.world.shoppers[1], "POST", at, body))


# --- Matrix -------------------------------------------------------------------------------------------------------


@field("Matrix: display name", "line", "M_INVALID_PARAM")
async def _(story: Story, text: str) -> Any:
    at = f"{M}/profile/{story.anna.user_id}"
    refused = await story.ask(story.anna, "PUT", f"{at}/displayname", {"displayname": text})
    return refused or _of(await story.ask(story.anna, "GET", at), "displayname")


@field("Matrix: name of a device", "optional line")
async def _(story: Story, text: str) -> Any:
    at = f"{M}/devices/{story.anna.device_id}"
    refused = await story.ask(story.anna, "PUT", at, {"display_name": text})
    return refused or _of(await story.ask(story.anna, "GET", at), "display_name")


@field("Matrix: name of the device of a log-in", "optional line")
async def _(story: Story, text: str) -> Any:
    body = login(story.own["visitor"].user_id, initial_device_display_name=text)
    made = await story.ask(User(story.world.session, "", 0), "POST", f"{M}/login", body)
    if isinstance(made, Refused):
        return made
    owner = story.own["visitor"].of(made)
    return _of(await story.ask(owner, "GET", f"{M}/devices/{owner.device_id}"), "display_name")


@field("Matrix: file", "file")
async def _(story: Story, text: str) -> Any:
    at = f"{OLD}/upload?filename={quote(text, safe='')}"
    made = await story.anna.call("POST", at, data=b"x", headers={"Content-Type": "text/plain"})
    story.calls += 1
    got = await get(story.anna, f"download/{place_of(made['content_uri'])}")
    said = got.headers["Content-Disposition"]
    if "filename" not in said:  # blank is as good as absent
        return "file"
    return unquote(said.rpartition("UTF-8''")[2]) if "UTF-8''" in said else said.partition('="')[2][:-1]


@field("Matrix: message", "data")
async def _(story: Story, text: str) -> Any:
    return await _sent(story, {"msgtype": "m.text", "body": text}, "body")


@field("Matrix: file's name in a message", "data")
async def _(story: Story, text: str) -> Any:
    named = {"msgtype": "m.file", "body": "x", "filename": text, "url": "mxc://test.example/x"}
    return await _sent(story, named, "filename")


@field("Matrix: file's name in a message, as products show it", "file")
async def _(story: Story, text: str) -> Any:
    named = {"msgtype": "m.file", "body": "x", "filename": text, "url": "mxc://test.example/x"}
    at = path(story.own["room"], "send/m.room.message")
    await story.ask(story.own["matrix"], "POST", at, named)
    return await _last_name(story)


@field("Matrix: name of a room", "data")
async def _(story: Story, text: str) -> Any:
    room_id = story.world.room_id
    set_ = await story.ask(story.anna, "PUT", path(room_id, "state/m.room.name"), {"name": text})
    return set_ if isinstance(set_, Refused) else (await state(story.anna, room_id, "m.room.name"))["name"]


@field("Matrix: name of a room, as products show it", "optional line")
async def _(story: Story, text: str) -> Any:
    await story.ask(story.own["matrix"], "PUT", path(story.own["room"], "state/m.room.name"), {"name": text})
    at = f"{U}/conversations/{story.world.conversation['id']}"
    return _of(await story.ask(story.alice, "GET", at), "title") or ""


@field("Matrix: topic, as products show it", "optional line")
async def _(story: Story, text: str) -> Any:
    await story.ask(
        story.own["matrix"], "PUT", path(story.own["room"], "state/m.room.topic"), {"topic": text}
    )
    at = f"{U}/conversations/{story.world.conversation['id']}"
    return _of(await story.ask(story.alice, "GET", at), "description")


@field("Matrix: reason", "data")
async def _(story: Story, text: str) -> Any:
    body = {"user_id": "@nobody:test.example", "reason": text}
    room_id = story.own["bans"]
    if refused := await story.ask(story.anna, "POST", path(room_id, "ban"), body):
        return refused
    return (await state(story.anna, room_id, "m.room.member", body["user_id"])).get("reason", "")


@field("Matrix: report", "optional line")
async def _(story: Story, text: str) -> Any:
    said = await say(story.world.clients[1], story.world.room_id, str(next(story.world.numbers)))
    at = path(story.world.room_id, f"report/{said}")
    return await _reported(story, await story.ask(story.anna, "POST", at, {"reason": text}))


@field("Matrix: alias", "alias", "M_INVALID_PARAM")
async def _(story: Story, text: str) -> Any:
    alias = f"#{fresh('odd')}{text}:test.example"
    at = f"{M}/directory/room/{quote(alias, safe='')}"
    refused = await story.ask(story.anna, "PUT", at, {"room_id": story.world.room_id})
    if not refused:
        await story.ask(story.anna, "DELETE", at)
    return refused or text


async def _told(story: Story, face: str, frame: Any) -> Any:
    """The frame that a frame is answered by: the message, or the error."""
    ear, story.calls = story.sockets[face], story.calls + 1
    await ear.ws.send_json(frame)
    while True:
        said = (await ear.frame()) if not isinstance(ear, MarketEar) else await ear.next()
        kind = said.get("type") or said.get("event")
        if kind == "error":
            return Refused(400, (said.get("payload") or said.get("data") or said)["code"])
        is_there = kind != "message.created" or said["data"]["chat_id"] == story.own["talk"]
        if kind in ("message:new", "message.created", "message") and is_there:
            return said


async def _reported(story: Story, refused: Any) -> Any:
    """The reason of the report, if it was not refused; it is closed."""
    if isinstance(refused, Refused):
        return refused
    reports = story.world.server.hs.moderation.reports
    (found,) = await reports.listing(Page(10, 0))
    await reports.close(found.row.report_id)
    return found.row.reason


async def _sent(story: Story, content: Any, name: str) -> Any:
    sent = await story.ask(story.anna, "POST", path(story.world.room_id, "send/m.room.message"), content)
    if isinstance(sent, Refused):
        return sent
    at = path(story.world.room_id, f"event/{sent['event_id']}")
    return _of(await story.ask(story.anna, "GET", at), "content", name)


async def _last_name(story: Story) -> Any:
    at = f"{U}/messages/{story.world.conversation['id']}?limit=1"
    return (await story.ask(story.alice, "GET", at))[0]["attachments"][0]["name"]

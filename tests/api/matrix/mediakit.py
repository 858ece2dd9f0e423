"""Files of the tests."""

import io
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict
from PIL import Image

from tests.api.driver import User
from tests.api.matrix.driver import Client, write_down
from tests.api.matrix.roomkit import path
from tests.api.university.test_attachments import form

NEW = "/_matrix/client/v1/media"
OLD = "/_matrix/media/v3"


@dataclass
class Answer:
    status: int
    headers: CIMultiDict[str]
    data: bytes

    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.data))


async def get(client: Client, asked: str, **options: Any) -> Answer:
    """An answer with its bytes; `asked` below the new prefix, or a whole path."""
    headers = {**options.pop("headers", {})}
    if client.token:
        headers["Authorization"] = f"Bearer {client.token}"
    where = asked if asked.startswith("/") else f"{NEW}/{asked}"
    async with client.session.get(where, headers=headers, **options) as answer:
        found = Answer(answer.status, answer.headers.copy(), await answer.read())
        shown = await answer.json() if answer.content_type == "application/json" else None
        write_down("GET", str(answer.url.relative()), answer.status, None, shown, answer.content_type)
        return found


async def upload(client: Client, data: bytes, content_type: str | None = None, name: str = "") -> str:
    """Send a file; answers SERVER/ID."""
    params = {"filename": name} if name else {}
    made = await send(client, "POST", f"{OLD}/upload", data, content_type, params=params)
    return place_of(made["content_uri"])


async def send(
    client: Client,
    method: str,
    asked: str,
    data: Any,
    content_type: str | None,
    status: int = 200,
    **more: Any,
) -> Any:
    """A call whose body is a file."""
    headers = {"Content-Type": content_type} if content_type is not None else {}
    skip = ["Content-Type"] if content_type is None else []
    return await client.call(
        method, asked, status, data=data, headers=headers, skip_auto_headers=skip, **more
    )


async def attach(client: Client, data: bytes, name: str = "data.bin") -> str:
    """Send a file by a product's API; answers SERVER/ID as the message's content shows it."""
    user = User(client.session, client.token, 0)
    group = await user.group()
    await user.chat("POST", "attachments/", data=form(data, name, conversation_id=group["id"]))
    for room_id in (await client.call("GET", "joined_rooms"))["joined_rooms"]:
        page = await client.call("GET", path(room_id, "messages"), params={"dir": "b"})
        for event in page["chunk"]:
            if event["content"].get("filename") == name:
                return place_of(event["content"]["url"])
    raise AssertionError("the message is not there")


def place_of(uri: str) -> str:
    """SERVER/ID of an mxc address."""
    assert uri.startswith("mxc://")
    return uri.removeprefix("mxc://")


def picture(width: int = 400, height: int = 300, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, kind)
    return out.getvalue()


def moving(kind: str, frames: int = 5, size: tuple[int, int] = (200, 100)) -> bytes:
    """A picture that moves."""
    out = io.BytesIO()
    first, *others = (Image.new("RGB", size, (40 * number % 256, 90, 200)) for number in range(frames))
    first.save(out, kind, save_all=True, append_images=others, duration=70, loop=0)
    return out.getvalue()

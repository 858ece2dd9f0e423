"""Files: a picture in the open, its thumbnail, the same encrypted, and as the picture of a person."""

import io
import tempfile
from pathlib import Path

import nio
from nio.crypto.attachments import decrypt_attachment
from PIL import Image

from tests.clients.python.kit import ENCRYPTED, Device, Devices, must, saw, story


async def tell(devices: Devices) -> None:
    alice = await devices.register("alice", encrypted=True)
    bob = await devices.register("bob", encrypted=True)
    picture = _draw()
    limit = (await must(alice.client.content_repository_config())).upload_size
    assert limit > len(picture)
    saw("the largest file", limit)
    mxc = await _show(alice, bob, picture)
    await _hide(alice, bob, picture)
    await must(alice.client.set_avatar(mxc))
    assert (await must(bob.client.get_avatar(alice.user_id))).avatar_url == mxc
    saw("a person's picture")
    missing = await bob.client.download(f"{mxc}x")
    assert isinstance(missing, nio.DownloadError), missing
    assert missing.status_code == "M_NOT_FOUND", missing
    saw("nothing where nothing is")


def _draw() -> bytes:
    image = Image.new("RGB", (120, 80), "teal")
    image.paste("gold", (20, 20, 60, 60))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


async def _upload(alice: Device, picture: bytes, *, encrypt: bool = False) -> tuple[str, dict[str, object]]:
    """Where it is, and the keys to it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cat.png"
        path.write_bytes(picture)
        with path.open("r+b") as file:
            size = len(picture)
            answer, keys = await alice.client.upload(
                file, "image/png", "cat.png", encrypt=encrypt, filesize=size
            )
    assert isinstance(answer, nio.UploadResponse), answer
    return str(answer.content_uri), keys or {}


async def _show(alice: Device, bob: Device, picture: bytes) -> str:
    room_id = await alice.meet(bob)
    mxc, _ = await _upload(alice, picture)
    info = {"mimetype": "image/png", "size": len(picture), "w": 120, "h": 80}
    await alice.send(room_id, {"msgtype": "m.image", "body": "cat.png", "url": mxc, "info": info})
    event = await bob.event(room_id, lambda one: isinstance(one, nio.RoomMessageImage))
    got = await must(bob.client.download(event.url))
    assert (got.body, got.content_type, got.filename) == (picture, "image/png", "cat.png"), got
    saw("a picture", event.url)

    server, media_id = mxc.removeprefix("mxc://").split("/")
    small = await must(bob.client.thumbnail(server, media_id, 32, 32, nio.ResizingMethod.crop))
    width, height = Image.open(io.BytesIO(small.body)).size
    assert width == height >= 32, (width, height)
    large = await must(bob.client.thumbnail(server, media_id, 60, 60))
    assert Image.open(io.BytesIO(large.body)).size[0] >= 60
    saw("thumbnails", [small.content_type, large.content_type])
    return mxc


async def _hide(alice: Device, bob: Device, picture: bytes) -> None:
    room_id = await alice.meet(bob, initial_state=[ENCRYPTED])
    mxc, keys = await _upload(alice, picture, encrypt=True)
    await alice.send(room_id, {"msgtype": "m.image", "body": "cat.png", "file": {"url": mxc, **keys}})
    event = await bob.event(room_id, lambda one: isinstance(one, nio.RoomEncryptedImage))
    assert event.decrypted
    got = await must(bob.client.download(event.url))
    assert picture not in got.body
    assert decrypt_attachment(got.body, event.key["k"], event.hashes["sha256"], event.iv) == picture
    saw("an encrypted picture")


story(tell)

"""Absolute URLs of files in messages: the client may run on another site."""

from typing import Protocol

from homeserver.model import Attachment, MediaId
from homeserver.services.media.disk import is_media_id
from homeserver.services.media.store import Media

THUMBNAIL = (640, 480)  # largest width and height in pixels, as chats show pictures


AVATAR = (96, 96)
_MXC = "mxc://"


class Files(Protocol):
    """URLs of files in messages and of avatars."""

    def file_url(self, attachment: Attachment) -> str:
        """An absolute URL that a browser can load."""
        ...

    def thumbnail_url(self, attachment: Attachment) -> str | None:
        """The absolute URL of its thumbnail; None if there is none."""
        ...

    def avatar_url(self, avatar_url: str) -> str:
        """A URL of an avatar that a browser can load, for an mxc URI of ours; "" for one of another server."""
        ...


class MediaFiles:
    """URLs of files; those of our own files are signed and expire."""

    def __init__(self, media: Media, public_url: str, server: str) -> None:
        self._media = media
        self._own = f"{_MXC}{server}/"
        self._public_url = public_url.rstrip("/")

    def file_url(self, attachment: Attachment) -> str:
        """The absolute URL of a file."""
        if attachment.media_id is not None:
            return self._public_url + self._media.url(attachment.media_id, attachment.name)
        url = attachment.file_url or ""
        return self._public_url + url if url.startswith("/") else url

    def thumbnail_url(self, attachment: Attachment) -> str | None:
        """The absolute URL of a thumbnail; None if the file is no picture of ours."""
        if attachment.media_id is None or attachment.kind != "image" or not attachment.width:
            return None
        return self._public_url + self._media.thumbnail_url(attachment.media_id, *THUMBNAIL)

    def avatar_url(self, avatar_url: str) -> str:
        """The URL of a thumbnail for an mxc URI; any other URL unchanged."""
        if not avatar_url.startswith(_MXC):
            return avatar_url
        media_id = avatar_url.removeprefix(self._own)
        if not is_media_id(media_id):
            return ""
        return self._public_url + self._media.thumbnail_url(MediaId(media_id), *AVATAR)

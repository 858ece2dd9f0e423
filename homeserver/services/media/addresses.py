"""Where the files of messages are found, as whole addresses: the client may live on another site."""

from typing import Protocol

from homeserver.model import Attachment, MediaId
from homeserver.services.media.files import is_media_id
from homeserver.services.media.store import Media

THUMBNAIL = (640, 480)  # pixels at most, as a chat shows a picture


AVATAR = (96, 96)
_MXC = "mxc://"


class Files(Protocol):
    """Where the files of messages, and the pictures of people, are found."""

    def file_url(self, attachment: Attachment) -> str:
        """A whole address that a browser can load."""
        ...

    def thumbnail_url(self, attachment: Attachment) -> str | None:
        """The same for a small picture of it; None where there is none."""
        ...

    def avatar_url(self, avatar_url: str) -> str:
        """A person's picture: an mxc address of ours as one that a browser can load, "" for another server's."""
        ...


class MediaFiles:
    """Addresses of files; those of our own are signed and end after a while."""

    def __init__(self, media: Media, public_url: str, server: str) -> None:
        self._media = media
        self._own = f"{_MXC}{server}/"
        self._public_url = public_url.rstrip("/")

    def file_url(self, attachment: Attachment) -> str:
        """The whole address of a file."""
        if attachment.media_id is not None:
            return self._public_url + self._media.url(attachment.media_id, attachment.name)
        url = attachment.file_url or ""
        return self._public_url + url if url.startswith("/") else url

    def thumbnail_url(self, attachment: Attachment) -> str | None:
        """The whole address of a small picture; None for what is no picture of ours."""
        if attachment.media_id is None or attachment.kind != "image" or not attachment.width:
            return None
        return self._public_url + self._media.thumbnail_url(attachment.media_id, *THUMBNAIL)

    def avatar_url(self, avatar_url: str) -> str:
        """A small picture of what Matrix clients set; any other address as it is."""
        if not avatar_url.startswith(_MXC):
            return avatar_url
        media_id = avatar_url.removeprefix(self._own)
        if not is_media_id(media_id):
            return ""
        return self._public_url + self._media.thumbnail_url(MediaId(media_id), *AVATAR)

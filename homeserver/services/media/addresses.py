"""Where the files of messages are found, as whole addresses: the client may live on another site."""

from typing import Protocol

from homeserver.model import Attachment
from homeserver.services.media.store import Media

THUMBNAIL = (640, 480)  # pixels at most, as a chat shows a picture


class Files(Protocol):
    """Where the files of messages are found."""

    def file_url(self, attachment: Attachment) -> str:
        """A whole address that a browser can load."""
        ...

    def thumbnail_url(self, attachment: Attachment) -> str | None:
        """The same for a small picture of it; None where there is none."""
        ...


class MediaFiles:
    """Addresses of files; those of our own are signed and end after a while."""

    def __init__(self, media: Media, public_url: str) -> None:
        self._media = media
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

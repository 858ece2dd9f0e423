"""Files: uploads, and their URLs in messages."""

import hmac
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

from bridges.marketplace import schemas, shape
from bridges.marketplace.auth import Caller, Callers
from bridges.marketplace.schemas import NameQuery, NewMessage, TicketQuery, UploadedQuery, UploadForm
from bridges.marketplace.service import Market, route
from homeserver.clock import Clock
from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from homeserver.http.forms import FormFile, form_parts
from homeserver.http.routes import Call, Route, is_multipart
from homeserver.kit.text import file_name, file_name_in
from homeserver.model import AttachmentKind, MediaId
from homeserver.services.events.content import NewFile, uploaded_file
from homeserver.services.media.disk import new_media_id
from homeserver.services.media.store import StoredMedia

FILE_FIELD = "file"
MAX_FIELD_BYTES = 10_000
_MEDIA = "/media/"


class Tickets:
    """Signs the URLs that upload-url answers: one file, one user, until it expires."""

    def __init__(self, secret: bytes, ttl_s: int, clock: Clock) -> None:
        self._secret = hmac.digest(secret, b"marketplace upload tickets", "sha256")
        self._ttl_ms = ttl_s * 1000
        self._clock = clock

    def query(self, media_id: MediaId, caller: Caller) -> str:
        """The query of an upload URL for this file."""
        expiry_ms = self._clock.now_ms() + self._ttl_ms
        return f"id={media_id}&e={expiry_ms}&s={self._sign(media_id, expiry_ms, caller)}"

    def check(self, query: TicketQuery, caller: Caller) -> MediaId | None:
        """The announced file; None if the URL has no ticket. Raises Forbidden("bad_ticket")."""
        if query.id is None:
            return None
        expiry_ms = query.e or 0
        wanted = self._sign(query.id, expiry_ms, caller)
        is_right = hmac.compare_digest(wanted.encode(), (query.s or "").encode(errors="replace"))
        if not is_right or self._clock.now_ms() >= expiry_ms:
            raise Forbidden("this URL is not yours, or it has expired", code="bad_ticket")
        return MediaId(query.id)

    def _sign(self, media_id: str, expiry_ms: int, caller: Caller) -> str:
        text = f"{media_id}\n{expiry_ms}\n{caller.requester.user_id}"
        return hmac.digest(self._secret, text.encode(errors="replace"), "sha256").hex()[:48]


class Files:
    """The handlers for files."""

    def __init__(self, market: Market, callers: Callers, tickets: Tickets, base_url: str) -> None:
        self._market = market
        self._callers = callers
        self._tickets = tickets
        self._base_url = base_url
        self._own_url = base_url.removesuffix(market.settings.prefixes[0])

    def routes(self) -> Sequence[Route]:
        """The routes."""
        refused = {413: "The file is too large.", 415: "This type of file is not allowed."}
        return (
            route(
                "POST",
                "/upload-file",
                self.upload,
                "Upload a file",
                query=TicketQuery,
                form=UploadForm,
                answer=schemas.File,
                errors=refused,
            ),
            route(
                "POST",
                "/upload-url",
                self.place,
                "Get a URL to upload a file to",
                query=NameQuery,
                answer=schemas.UploadPlace,
            ),
            route(
                "POST",
                "/file-uploaded",
                self.uploaded,
                "Get a file that you uploaded",
                query=UploadedQuery,
                answer=schemas.File,
            ),
        )

    async def upload(self, call: Call[None, TicketQuery]) -> schemas.File:
        """`POST /api/chat/upload-file`: upload a file in a form; it is kept only if its type is allowed.

        Errors: bad_ticket, file_exists, missing_param, file_too_large, bad_file_type, quota_exceeded.
        """
        caller = await self._callers.of(call.request, call.query.user_id, may_be_new=True)
        media_id = self._tickets.check(call.query, caller)
        if media_id is not None and await self._market.media.stored([media_id]):
            raise Conflict("this URL was used already", code="file_exists")
        if not is_multipart(call.request):
            raise Invalid(f"{FILE_FIELD}: is required, in a multipart form", code="missing_param")
        async for part in form_parts(call.request, MAX_FIELD_BYTES):
            if isinstance(part, FormFile) and part.name == FILE_FIELD:
                return self._shown(await self._take_in(caller, part, media_id))
        raise Invalid(f"{FILE_FIELD}: is required", code="missing_param")

    async def place(self, call: Call[None, NameQuery]) -> schemas.UploadPlace:
        """`POST /api/chat/upload-url`: make a signed URL for one upload of the caller.

        Errors: bad_file_type.
        """
        caller = await self._callers.of(call.request, call.query.user_id, may_be_new=True)
        said = call.query.content_type.partition(";")[0].strip().lower()
        if said and said not in self._market.settings.upload_types:
            raise _bad_type()
        media_id = new_media_id()
        named = f"&user_id={call.query.user_id}" if call.query.user_id is not None else ""
        url = f"{self._base_url}/upload-file?{self._tickets.query(media_id, caller)}{named}"
        return {"upload_url": url, "id": media_id, "method": "server_upload"}

    async def uploaded(self, call: Call[None, UploadedQuery]) -> schemas.File:
        """`POST /api/chat/file-uploaded`: get the URL of a file that the caller uploaded.

        Errors: file_not_found (also for other people's files).
        """
        caller = await self._callers.of(call.request, call.query.user_id)
        media_id = MediaId(call.query.file_id)
        stored = (await self._market.media.stored([media_id])).get(media_id)
        if stored is None or stored.uploader != caller.requester.user_id:
            raise NotFound("no such file", code="file_not_found")
        return self._shown(stored)

    async def named(self, new: NewMessage) -> NewFile:
        """The file that a message names: one of ours by its signed URL, or one on another server."""
        url = shape.neutral_url((new.file_url or "").strip())
        if url is None:
            raise Invalid("file_url: must be an http(s) URL, or a URL of this server", code="bad_file_url")
        path = url.removeprefix(self._own_url) if url.startswith(f"{self._own_url}/") else url
        if path.startswith(_MEDIA):
            file = uploaded_file(await self._own(path))
            return file if file.kind == "image" else file._replace(kind="file")  # this API has no video type
        name = file_name(new.file_name) if new.file_name else file_name_in(url)
        kind: AttachmentKind = "image" if new.message_type == "image" else "file"
        return NewFile(kind=kind, name=shape.neutral_name(name), size=new.file_size or 0, file_url=url)

    async def _own(self, path: str) -> StoredMedia:
        """One of our files, for anyone with its signed URL. It is stored by its id, so that it outlives the URL."""
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        media_id = MediaId(parts.path.removeprefix(_MEDIA).partition("/")[0])
        expiry, signature = query.get("e", [""])[0], query.get("s", [""])[0]
        if not (expiry.isascii() and expiry.isdecimal() and len(expiry) < 20):
            raise NotFound("no such file", code="file_not_found")
        await self._market.media.open(media_id, int(expiry), signature)
        stored = (await self._market.media.stored([media_id])).get(media_id)
        if stored is None:
            raise NotFound("no such file", code="file_not_found")
        return stored

    async def _take_in(self, caller: Caller, part: FormFile, media_id: MediaId | None) -> StoredMedia:
        media, settings = self._market.media, self._market.settings
        stored = await media.upload(
            caller.requester,
            name=shape.neutral_name(file_name(part.file_name)),
            chunks=_bounded(part.chunks, settings.max_upload_bytes),
            declared_type=part.content_type,
            media_id=media_id,
        )
        if stored.content_type not in settings.upload_types:
            await media.discard(caller.requester, stored.media_id)
            raise _bad_type()
        return stored

    def _shown(self, stored: StoredMedia) -> schemas.File:
        return {
            "file_id": stored.media_id,
            "file_name": shape.neutral_name(file_name(stored.name)),
            "file_size": stored.size,
            "public_url": self._own_url + self._market.media.url(stored.media_id, stored.name),
        }


async def _bounded(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge(
                f"a file may have at most {max_bytes} bytes", code="file_too_large", max_bytes=max_bytes
            )
        yield chunk


def _bad_type() -> Invalid:
    return Invalid("this type of file is not allowed", code="bad_file_type")

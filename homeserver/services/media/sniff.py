"""What a file is, by looking at its first bytes: the sender's word counts for little. Pure."""

import re

import filetype

HEAD_BYTES = 8192
BINARY = "application/octet-stream"

# Types that a browser shows without running anything in them (Client-Server API, "Serving inline content").
INLINE_TYPES = frozenset(
    {
        "text/plain",
        "text/csv",
        "application/json",
        "image/jpeg",
        "image/gif",
        "image/png",
        "image/apng",
        "image/webp",
        "image/avif",
        "video/mp4",
        "video/webm",
        "video/ogg",
        "video/quicktime",
        "audio/mp4",
        "audio/webm",
        "audio/aac",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/x-wav",
        "audio/flac",
        "audio/x-flac",
    }
)
# What plain text may be said to be by its sender: none of these is ever run.
_TEXT_TYPES = frozenset({"text/plain", "text/csv", "text/markdown", "application/json"})
_SAME_TYPES = {"audio/x-wav": "audio/wav", "audio/x-flac": "audio/flac"}

_MARKUP = re.compile(rb"<(?:!--|!doctype|\?xml|[a-z][a-z0-9:-]*[\s/>])", re.IGNORECASE)
_SVG = re.compile(rb"<(?:[a-z0-9]+:)?svg[\s/>]", re.IGNORECASE)
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|style|title|table|div|meta|link|img|base|form|object|embed)"
    rb"[\s/>]",
    re.IGNORECASE,
)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def sniff(head: bytes, declared: str = "") -> str:
    """The content type of a file that begins with `head` (at most HEAD_BYTES are looked at).

    Markup that a browser could run (HTML, SVG, XML) is named so, and is in no list of types to show. `declared` only
    says what kind of plain text a text is.
    """
    head = head[:HEAD_BYTES]
    text_type = _sniff_text(head)
    if text_type in {"image/svg+xml", "text/html", "application/xml"}:
        return text_type
    found: str | None = filetype.guess_mime(head)
    if found is not None:
        return _SAME_TYPES.get(found, found)
    if text_type is None:
        return BINARY
    said = declared.partition(";")[0].strip().lower()
    return said if said in _TEXT_TYPES else text_type


def is_inline(content_type: str) -> bool:
    """Whether a browser may show the file rather than only save it."""
    return content_type in INLINE_TYPES


def served_type(content_type: str) -> str:
    """The Content-Type to send. What could be run in a page is only called bytes."""
    if content_type in {"text/plain", "text/csv", "text/markdown"}:
        return f"{content_type}; charset=utf-8"
    is_active = content_type.endswith(("xml", "html", "javascript", "ecmascript", "x-shockwave-flash"))
    return BINARY if is_active else content_type


def _sniff_text(head: bytes) -> str | None:
    """The kind of text, or None for binary data."""
    body = head
    for bom in _BOMS:
        body = body.removeprefix(bom)
    squeezed = body.replace(b"\0", b"")  # UTF-16 markup reads like markup
    start = squeezed.lstrip(b" \t\r\n\x0b\x0c")
    if start.startswith(b"<") and _MARKUP.match(start):
        if _SVG.search(squeezed):
            return "image/svg+xml"
        return "text/html" if _HTML.search(squeezed) else "application/xml"
    if b"\0" in body:
        return None
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or len(head) < HEAD_BYTES:  # else: a letter cut in two by our limit
            return None
    # Text before the first tag does not keep an old browser from finding the page in it.
    if _SVG.search(squeezed[:1024]) or _HTML.search(squeezed[:1024]):
        return "text/html"
    return "text/plain"

"""Content-type sniffing by a file's first bytes: the declared type is not trusted. Pure."""

import re

import filetype

HEAD_BYTES = 8192
BINARY = "application/octet-stream"

# Types that a browser shows without running scripts in them (client-server API, "Serving inline content").
INLINE_TYPES = frozenset(
    {
        "text/css",
        "text/plain",
        "text/csv",
        "application/json",
        "application/ld+json",
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
        "audio/wave",
        "audio/wav",
        "audio/x-wav",
        "audio/x-pn-wav",
        "audio/flac",
        "audio/x-flac",
    }
)
# Declared types that are accepted for plain text: none of these is ever executed.
_TEXT_TYPES = frozenset({"text/plain", "text/csv", "text/markdown", "application/json"})
# Formats whose files may be pure text; a match of any other format on a text file is a false positive.
_MADE_OF_TEXT = frozenset({"application/pdf", "application/rtf", "application/postscript"})
_SAME_TYPES = {"audio/x-wav": "audio/wav", "audio/x-flac": "audio/flac"}

_MARKUP = re.compile(rb"<(?:!--|!doctype|\?xml|[a-z][a-z0-9:-]*[\s/>])", re.IGNORECASE)
_SVG = re.compile(rb"<(?:[a-z0-9]+:)?svg[\s/>]", re.IGNORECASE)
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|style|title|table|div|meta|link|img|base|form|object|embed)"
    rb"[\s/>]",
    re.IGNORECASE,
)
# JavaScript's types (WHATWG MIME Sniffing, "JavaScript MIME type"): with `nosniff` no other is run as a script.
_SCRIPT = re.compile(
    r"(?:application|text)/(?:x-)?(?:ecmascript|javascript)|text/(?:javascript1\.[0-5]|jscript|livescript)"
)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def sniff(head: bytes, declared: str = "") -> str:
    """The content type of a file that begins with `head` (at most HEAD_BYTES are looked at).

    Markup that a browser could execute (HTML, SVG, XML) gets its own type, which is never shown inline. `declared`
    is only used to choose among plain text types.
    """
    head = head[:HEAD_BYTES]
    markup = _markup(head)
    if markup is not None:
        return markup
    found: str | None = filetype.guess_mime(head)
    if not _is_text(head) or found in _MADE_OF_TEXT:
        return BINARY if found is None else _SAME_TYPES.get(found, found)
    # Old browsers find a page in a file even after leading text.
    if _SVG.search(head[:1024]) or _HTML.search(head[:1024]):
        return "text/html"
    said = declared.partition(";")[0].strip().lower()
    return said if said in _TEXT_TYPES else "text/plain"


def declared_type(content_type: str) -> str:
    """The Content-Type to serve for a declared one: a script gets none that a page could load it by."""
    name = content_type.partition(";")[0].strip().lower()
    return BINARY if _SCRIPT.fullmatch(name) else content_type


def is_inline(content_type: str) -> bool:
    """True if a browser may show the file inline rather than only save it."""
    return content_type.partition(";")[0].strip().lower() in INLINE_TYPES


def served_type(content_type: str) -> str:
    """The Content-Type to serve; application/octet-stream for types that a browser could execute."""
    if content_type in {"text/plain", "text/csv", "text/markdown"}:
        return f"{content_type}; charset=utf-8"
    is_active = content_type.endswith(("xml", "html", "javascript", "ecmascript", "x-shockwave-flash"))
    return BINARY if is_active else content_type


def _markup(head: bytes) -> str | None:
    """The type of the markup that a file begins with, or None."""
    for bom in _BOMS:
        head = head.removeprefix(bom)
    squeezed = head.replace(b"\0", b"")  # UTF-16 markup reads like markup
    if not _MARKUP.match(squeezed.lstrip(b" \t\r\n\x0b\x0c")):
        return None
    if _SVG.search(squeezed):
        return "image/svg+xml"
    return "text/html" if _HTML.search(squeezed) else "application/xml"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The limit may cut a multi-byte character.
        return len(head) == HEAD_BYTES and error.start > len(head) - 4
    return True

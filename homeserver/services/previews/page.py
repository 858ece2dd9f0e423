"""Metadata of a web page: OpenGraph, else Twitter cards, else its title and first words. Pure, but slow enough to be
run in a thread.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from homeserver.kit.text import one_line
from homeserver.services.previews.encodings import decoded, is_utf8, known_codec

MAX_FACTS = 30
_MAX_FACT_CHARS = 1000
_MAX_TEXT_CHARS = 500  # of a description made from the page's first words
_MEDIA = ("og:image", "og:video", "og:audio")  # only images are shown, and those are fetched
_IMAGES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
_QUIET = frozenset({"script", "style", "noscript", "nav", "header", "footer", "template", "svg", "select"})
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})[\"']")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_SCANNED_BYTES = 2048


class Read(NamedTuple):
    """A page's metadata by OpenGraph names, and its image URLs, the best first."""

    facts: Mapping[str, str]
    images: list[str]


def read_page(data: bytes, charset: str) -> Read:
    """Parse the beginning of a page, however broken it is. `charset`: of the Content-Type header, may be empty."""
    reader = _Reader()
    from lxml import etree  # 6 MiB that servers without previews do not need

    parser = etree.HTMLParser(target=reader, encoding="utf-8", no_network=True, huge_tree=False)
    text = decoded(data, _codec(data, charset)).replace("\0", "")
    try:
        parser.feed(text.encode(errors="replace"))
        parser.close()
    except etree.LxmlError:
        return reader.close()  # everything before the error is used
    return reader.close()


class _Reader:
    """Target of the parser's events; no tree is built."""

    def __init__(self) -> None:
        self._meta: dict[str, str] = {}
        self._title = ""
        self._text = ""
        self._open: list[str] = []
        self._quiet = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "meta":
            name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
            content = one_line(attributes.get("content", "")[: 4 * _MAX_FACT_CHARS])
            if name and content and len(self._meta) < 10 * MAX_FACTS:
                self._meta.setdefault(name[:100], content[:_MAX_FACT_CHARS])
        self._quiet += tag in _QUIET
        if tag in {"title", "p", "body"}:
            self._open.append(tag)

    def end(self, tag: str) -> None:
        self._quiet -= tag in _QUIET
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def data(self, text: str) -> None:
        if not self._open or self._quiet > 0:
            return
        if self._open[-1] == "title" and len(self._title) < _MAX_FACT_CHARS:
            self._title += text
        elif self._open[-1] == "p" and len(self._text) < 2 * _MAX_TEXT_CHARS:
            self._text += f"{text} "

    def close(self) -> Read:
        facts = dict(self._facts())
        return Read(facts, [self._meta[name] for name in _IMAGES if name in self._meta])

    def _facts(self) -> Iterator[tuple[str, str]]:
        meta = self._meta
        title = one_line(self._title)[:_MAX_FACT_CHARS]
        words = one_line(self._text)[:_MAX_TEXT_CHARS]
        found = {
            "og:title": meta.get("og:title") or meta.get("twitter:title") or title,
            "og:description": meta.get("og:description")
            or meta.get("twitter:description")
            or meta.get("description")
            or words,
        }
        others = {
            name: value
            for name, value in meta.items()
            if name.startswith("og:") and not name.startswith(_MEDIA)
        }
        for name, value in list({**others, **found}.items())[:MAX_FACTS]:
            if value:
                yield name, value


def _codec(data: bytes, charset: str) -> str:
    """The codec: by the BOM, the header, what the page says itself; else UTF-8 if it is that, else windows-1252."""
    for bom, name in _BOMS:
        if data.startswith(bom):
            return name
    return known_codec(charset) or _said_codec(data) or ("utf-8" if is_utf8(data) else "cp1252")


def _said_codec(data: bytes) -> str | None:
    """The codec that a page's own markup names (HTML, "prescan a byte stream to determine its encoding")."""
    head = _COMMENT.sub(b"", data[:_SCANNED_BYTES])
    said = _XML_CHARSET.match(head) or _META_CHARSET.search(head)
    codec = known_codec(said[1].decode()) if said else None
    # Markup that could be read so far is in neither of these.
    return {"utf-16-le": "utf-8", "utf-16-be": "utf-8", "ascii": "cp1252"}.get(codec or "", codec)

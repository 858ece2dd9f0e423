"""What files are, by their bytes, and how that is told to browsers."""

import pytest

from homeserver.errors import NotFound
from homeserver.services.media.disposition import content_disposition
from homeserver.services.media.sniff import is_inline, served_type, sniff
from tests.services.files import Store, picture


def test_dispositions() -> None:
    assert content_disposition("a b.txt", inline=True) == 'inline; filename="a b.txt"'
    assert content_disposition("", inline=False) == "attachment"
    assert content_disposition('a"b;c%41.txt', inline=False) == (
        "attachment; filename=\"a_b_c_41.txt\"; filename*=UTF-8''a%22b%3Bc%2541.txt"
    )
    assert content_disposition("naïve.png", inline=False) == (
        "attachment; filename=\"na_ve.png\"; filename*=UTF-8''na%C3%AFve.png"
    )


ACTIVE = [
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    b'\xef\xbb\xbf \n<?xml version="1.0"?><!-- hi --><svg onload="alert(1)"/>',
    b"<!DOCTYPE html><p>hi",
    b"  <HTML><body>",
    b"<script>alert(1)</script>",
    b"<!-- x --><iframe src=x></iframe>",
    b"\xff\xfe" + "<html><script>alert(1)</script>".encode("utf-16-le"),
    b"<?xml version='1.0'?><x xmlns='http://www.w3.org/1999/xhtml'/>",
    b"hello <script>alert(1)</script>",
    b"GIF89a<script>alert(1)</script>",
    b"<p>hi<img src=x onerror=alert(1)>",
]


async def test_what_could_run_in_a_page_is_only_ever_saved(store: Store) -> None:
    for data in ACTIVE:
        made = await store.put(data, "cat.png", declared="image/png")
        served = await store.get(store.media.url(made.media_id, made.name))
        assert served.content_type == "application/octet-stream", made.content_type
        assert served.disposition.startswith("attachment")
        with pytest.raises(NotFound):
            await store.get(store.media.thumbnail_url(made.media_id, 96, 96))


@pytest.mark.parametrize(
    ("data", "declared", "found"),
    [
        (b"hello", "", "text/plain"),
        ("привет".encode(), "", "text/plain"),
        (b"a;b\n1;2", "text/csv; charset=x", "text/csv"),
        (b"{}", "application/json", "application/json"),
        (b"alert(1)", "text/javascript", "text/plain"),
        (b"1 < 2 and 3 > 2", "text/html", "text/plain"),
        (b"\0\1\2\3", "image/png", "application/octet-stream"),
        (b"\xff\xfe\xfd", "text/plain", "application/octet-stream"),
        (b"", "text/html", "text/plain"),
        (b"BMW is a car", "", "text/plain"),
        (b"%PDF-1.7 <title >", "", "application/pdf"),
        (b"%PDF-1.7 ...", "", "application/pdf"),
        (b"PK\x03\x04" + b"\0" * 30, "", "application/zip"),
        (picture(kind="JPEG"), "", "image/jpeg"),
        (picture(kind="GIF"), "", "image/gif"),
        (picture(kind="WEBP"), "", "image/webp"),
        (("я" * 9000).encode(), "", "text/plain"),
        (b"x" + ("я" * 9000).encode(), "", "text/plain"),
    ],
)
def test_files_are_known_by_their_bytes(data: bytes, declared: str, found: str) -> None:
    assert sniff(data, declared) == found


def test_only_harmless_types_are_shown() -> None:
    shown = ("image/png", "text/plain", "video/mp4", "audio/mpeg")
    saved = (
        "image/svg+xml",
        "text/html",
        "application/pdf",
        "application/xml",
        "application/octet-stream",
        "text/javascript",
    )
    assert all(is_inline(one) for one in shown)
    assert not any(is_inline(one) for one in saved)
    assert served_type("text/plain") == "text/plain; charset=utf-8"
    assert (
        served_type("text/javascript") == served_type("application/xhtml+xml") == "application/octet-stream"
    )

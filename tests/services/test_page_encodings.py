"""Pages of previews are decoded as browsers do (WHATWG Encoding Standard)."""

import pytest

from homeserver.services.previews.encodings import known_codec
from homeserver.services.previews.page import read_page


def title(data: bytes, charset: str = "") -> str:
    return read_page(data, charset).facts.get("og:title", "")


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("Shift_JIS", "①髙㈱～".encode("cp932"), "①髙㈱～"),
        ("x-sjis", "日本語①".encode("cp932"), "日本語①"),
        (" MS_Kanji\t", "日本".encode("cp932"), "日本"),
        ("windows-31j", "日本".encode("cp932"), "日本"),
        ("gb2312", "镕".encode("gbk") + b"\x80", "镕€"),
        ("gbk", "朱镕基".encode("gbk"), "朱镕基"),
        ("GB_2312-80", "㐀".encode("gb18030"), "㐀"),
        ("big5", "裏".encode("cp950"), "裏"),
        ("big5-hkscs", "嘅".encode("big5hkscs"), "嘅"),
        ("Big5", b"\xa3\xe1", "€"),
        ("euc-jp", "日本語".encode("euc_jp"), "日本語"),
        ("x-euc-jp", b"\xad\xa1\xfc\xe2\xad\xea", "①髙㈱"),
        ("iso-2022-jp", "日本".encode("iso2022_jp"), "日本"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("euc-kr", "한국".encode("euc_kr"), "한국"),
        ("latin1", b"\x93caf\xe9\x94 \x80", "“café” €"),
        ("us-ascii", b"caf\xe9", "café"),
        ("iso-8859-9", b"\xd0\x80", "Ğ€"),
        ("tis-620", "ไทย".encode("cp874"), "ไทย"),
        ("cyrillic", "Мир".encode("iso8859-5"), "Мир"),
        ("koi8-ru", "Київ".encode("koi8-u"), "Київ"),
        ("866", "Мир".encode("cp866"), "Мир"),
        ("x-mac-cyrillic", "Мир".encode("mac-cyrillic"), "Мир"),
        ("logical", "שלום".encode("iso8859-8"), "שלום"),
        ("unicode", "é日".encode("utf-16-le"), "é日"),
        ("utf-16be", "é日".encode("utf-16-be"), "é日"),
        ("unicode11utf8", "é日".encode(), "é日"),
        ("nonsense", "é日".encode(), "é日"),
        ("", b"caf\xe9", "café"),
    ],
)
def test_labels_mean_what_browsers_take_them_for(label: str, data: bytes, text: str) -> None:
    codec = {"unicode": "utf-16-le", "utf-16be": "utf-16-be"}.get(label, "ascii")
    page = "<title>".encode(codec) + data + "</title><p>x".encode(codec)
    assert title(page, label) == text


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="x-sjis">',
        "<META CHARSET=shift_jis>",
        '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">',
        '<!-- <meta charset="utf-8"> --><meta charset="sjis">',
        '<?xml version="1.0" encoding="Shift_JIS"?><meta charset="utf-8">',
    ],
)
def test_a_page_says_its_encoding(head: str) -> None:
    assert title(head.encode() + b"<title>" + "髙①".encode("cp932") + b"</title>") == "髙①"


def test_a_page_that_calls_itself_utf_16_in_ascii_is_utf_8() -> None:
    assert title('<meta charset="utf-16"><title>é</title>'.encode()) == "é"


@pytest.mark.parametrize(
    "label", ["", "utf-8", "shift_jis", "gb18030", "euc-jp", "big5", "euc-kr", "iso-2022-jp", "utf-16le"]
)
def test_a_page_is_cut_between_characters(label: str) -> None:
    codec = known_codec(label) or "utf-8"
    whole = "<title>日本日本".encode(codec)
    for end in range(len(whole) - 5, len(whole) + 1):
        found = title(whole[:end], label)
        assert found == "日本日本"[: len(found)], (end, found)
        assert len(found) >= 1


def test_bytes_that_are_no_text_harm_nobody() -> None:
    noise = bytes(range(256)) * 40
    for label in (
        "gb2312",
        "big5",
        "euc-jp",
        "shift_jis",
        "iso-2022-jp",
        "euc-kr",
        "utf-16",
        "x-user-defined",
        "hz-gb-2312",
    ):
        assert "\0" not in title(b"<title>" + noise, label)

"""Text encodings of web pages, by the labels that browsers know (WHATWG Encoding Standard).

A label means what browsers take it for, which is often a larger encoding than its name says: `gb2312` is GB 18030,
`shift_jis` is windows-31j, `iso-8859-1` is windows-1252. Python's codecs of these names are stricter.
"""

import codecs
from collections.abc import Mapping

_LABELS: Mapping[str, str] = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    "iso8859-6": (
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
        "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"
    ),
    "iso8859-7": (
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 "
        "iso_8859-7 iso_8859-7:1987 sun_eu_greek"
    ),
    "iso8859-8": (
        "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 "
        "iso_8859-8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical"
    ),
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": (
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 "
        "iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252"
    ),
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": (
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 "
        "latin5 windows-1254 x-cp1254"
    ),
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp_ext": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": (
        "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 "
        "windows-949"
    ),
    "utf-16-be": "unicodefffe utf-16be",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
    "ascii": "x-user-defined",
}
"""Labels by the codec that decodes them; those that browsers decode to nothing are left out."""

_CODECS: Mapping[str, str] = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_UNREADABLE = "\ufffd"


def known_codec(label: str) -> str | None:
    """The codec of a label as pages and headers write it; None if browsers do not know it."""
    return _CODECS.get(label.strip(" \t\n\f\r").lower())


def decoded(data: bytes, codec: str) -> str:
    """The text of data that may end within a character, which is left out. Never fails."""
    return codecs.getincrementaldecoder(codec)(_HANDLERS.get(codec, "replace")).decode(data)


def is_utf8(data: bytes) -> bool:
    """Whether data that may end within a character is UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _fill_gb(error: UnicodeError) -> tuple[str, int]:
    """The euro sign of windows-936, which GB 18030 lacks."""
    failed = _failed(error)
    if failed.object[failed.start] == 0x80:
        return "€", failed.start + 1
    return _UNREADABLE, failed.start + 1


def _fill_big5(error: UnicodeError) -> tuple[str, int]:
    """Characters of windows-950 that are not in Big5-HKSCS."""
    failed = _failed(error)
    return _of_two(bytes(failed.object[failed.start : failed.start + 2]), "cp950", failed.start)


def _fill_euc_jp(error: UnicodeError) -> tuple[str, int]:
    """Characters of NEC and IBM, which windows-31j has at the same place of its table."""
    failed = _failed(error)
    pair = bytes(failed.object[failed.start : failed.start + 2])
    if len(pair) < 2 or min(pair) < 0xA1 or max(pair) > 0xFE:
        return _UNREADABLE, failed.start + 1
    row, cell = pair[0] - 0xA1, pair[1] - 0xA1
    lead = (0x81 if row < 62 else 0xC1) + row // 2
    trail = cell + (0x40 if cell < 63 else 0x41) if row % 2 == 0 else cell + 0x9F
    return _of_two(bytes((lead, trail)), "cp932", failed.start)


def _of_two(pair: bytes, codec: str, start: int) -> tuple[str, int]:
    try:
        return pair.decode(codec), start + len(pair)
    except UnicodeDecodeError:
        return _UNREADABLE, start + 1


def _failed(error: UnicodeError) -> UnicodeDecodeError:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error


_HANDLERS: Mapping[str, str] = {
    "gb18030": "homeserver.gb18030",
    "big5hkscs": "homeserver.big5",
    "euc_jp": "homeserver.euc_jp",
}
codecs.register_error("homeserver.gb18030", _fill_gb)
codecs.register_error("homeserver.big5", _fill_big5)
codecs.register_error("homeserver.euc_jp", _fill_euc_jp)

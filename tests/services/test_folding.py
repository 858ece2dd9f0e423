"""Texts folded for comparison and search, among them texts that are made to take long."""

import time
import unicodedata

import pytest

from homeserver.folding import fold, fold_name, normalized
from homeserver.kit.text import one_line
from homeserver.kit.textnorm import plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "straße"),
        ("Ёлка", "елка"),
        ("ＷＩＤＥ", "wide"),
        ("cafe\u0301", "CAFÉ"),
        ("ﾊﾞ", "バ"),
        ("plain", "PLAIN"),
        ("q\u0307\u0323", "q\u0323\u0307"),
    ],
)
def test_texts_that_read_alike_are_folded_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("İbrahim", "ibrahim"),
        ("Işık", "isik"),
        ("Çağla", "cagla"),
        ("José", "jose"),
        ("Łukasz", "lukasz"),
        ("Müller", "muller"),
        ("Ørsted Þór", "orsted thor"),
        ("Əliyev", "eliyev"),
        ("O’Brien", "o'brien"),
        ("OʻZBEK", "ozbek"),
        ("Алёна Андрей", "алена андреи"),
        ("한국", "한국"),
        ("हिन्दी", "हिन्दी"),
        ("が", "が"),
        ("'", "'"),
    ],
)
def test_names_are_folded_as_they_are_typed(name: str, typed: str) -> None:
    assert fold_name(name) == fold_name(typed)
    assert fold_name(fold_name(name)) == fold_name(name)


def test_words_of_living_languages_keep_all_their_marks() -> None:
    for text in ("हिन्दी", "مَرْحَبًا", "שָׁלוֹם", "Tiếng Việt", "ภาษาไทย"):
        assert normalized("NFC", text) == unicodedata.normalize("NFC", text)


def test_nothing_is_folded_to_nothing() -> None:
    for text in ("\u064e", "\u0640", "🏽", "\u0301"):
        assert fold(text) == text


@pytest.mark.parametrize(
    "text", ["a" + "\u0315\u0301" * 14_000, "\uff9e\u0301" * 14_000, "x\u0345\u0323\u0315" * 9000]
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    assert len(fold(text)) < len(text) + 1
    assert len(one_line(text)) <= len(text)
    assert plain(plain(text)) == plain(text)
    assert time.process_time() - started < 2


def test_sentences_of_one_character_do_not_blow_a_text_up() -> None:
    few, many = "\ufdfa" * 2 + "ends", "\ufdfa" * 20_000 + "ends"
    assert len(fold(few)) > 30
    assert "ends" in fold(many)
    assert len(fold(many)) <= len(many)
    assert normalized("NFC", many) == many, "what people wrote stays"

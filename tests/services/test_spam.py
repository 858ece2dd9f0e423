"""The same again and again, links upon links, and the list of words: what is refused, and for how long."""

import logging
import os
from pathlib import Path

import pytest

from homeserver.clock import FakeClock
from homeserver.errors import Forbidden, Invalid, RateLimited
from homeserver.kit.textnorm import links_in, plain, words_of
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.moderation.spam import Spam
from homeserver.services.moderation.wordlist import WordList
from homeserver.settings.models import ModerationSettings
from homeserver.storage.transactions import TxnKey

ALICE, BOB = UserId("@alice:test"), UserId("@bob:test")


def spam(clock: FakeClock, refused: list[str] | None = None, **changes: object) -> Spam:
    wanted = {"repeat_count": 3, "repeat_window_s": 60, "max_links": 5, "link_count": 8, **changes}
    settings = ModerationSettings.model_validate(wanted)
    return Spam(settings, clock, enabled=True, refused=None if refused is None else refused.append)


def say(
    made: Spam, text: str, who: UserId = ALICE, txn_id: str | None = None, room: str = "!room:test"
) -> None:
    txn = None if txn_id is None else TxnKey("session", RoomId(room), "message", txn_id)
    made.check(who, plain(text), txn)


def test_the_same_text_is_slowed_down_however_it_is_written(clock: FakeClock) -> None:
    counted: list[str] = []
    made = spam(clock, counted)
    for text in ("Buy now!", "BUY  now", "b\u200buy no\u00adw..."):
        say(made, text)
        clock.advance(10_000)
    with pytest.raises(RateLimited) as refused:
        say(made, "ｂｕｙ now")
    assert (refused.value.code, refused.value.retry_ms) == ("repeated_message", 30_000)
    assert counted == ["repeated_message"]
    say(made, "something else")
    say(made, "buy now", BOB)
    clock.advance(29_999)
    with pytest.raises(RateLimited):
        say(made, "buy now")
    clock.advance(1)
    say(made, "buy now")


def test_a_retry_is_no_repetition(clock: FakeClock) -> None:
    made = spam(clock)
    for _ in range(10):
        say(made, "once", txn_id="same")
    for n in range(2):
        say(made, "once", txn_id=f"other {n}")
    with pytest.raises(RateLimited):
        say(made, "once", txn_id="one more")
    say(made, "once", txn_id="same")


def test_texts_without_words_are_compared_too(clock: FakeClock) -> None:
    made = spam(clock)
    for _ in range(3):
        say(made, "👍")
    say(made, "?!")
    with pytest.raises(RateLimited):
        say(made, "👍")


def test_links_are_counted_in_a_message_and_over_messages(clock: FakeClock) -> None:
    made = spam(clock)
    link = "https://shop.example/a"
    with pytest.raises(Invalid) as never:
        say(made, " ".join([link] * 6))
    assert (never.value.code, never.value.data) == ("too_many_links", {"most": 5})
    say(made, f"{link} 1 {link}")
    clock.advance(20_000)
    say(made, f"{link} {link} 2 {link} {link} {link}")
    with pytest.raises(RateLimited) as refused:
        say(made, f"{link} 3 {link}")
    assert (refused.value.code, refused.value.retry_ms) == ("link_flood", 40_000)
    say(made, f"{link} 4")
    say(made, "no link at all")
    clock.advance(40_000)
    say(made, f"{link} 3 {link}")


def test_what_counts_as_a_link() -> None:
    assert links_in(plain("HTTPS://a.example/b?c=d, www.b.example and t.me/joinchat")) == 3
    for harmless in ("and/or", "3/4", "see you at 10:30", "a.b.c", "v1.2/3", "он/она", "C:/x"):
        assert links_in(plain(harmless)) == 0, harmless


def test_memory_is_bounded_and_a_clock_that_is_set_back_keeps_nobody_out(clock: FakeClock) -> None:
    made = spam(clock, tracked_senders=100)
    for n in range(300):
        say(made, "hello", UserId(f"@p{n}:test"))
    assert len(made) == 100
    for _ in range(3):
        say(made, "again")
    clock.advance(-3_600_000)
    say(made, "again")


def test_switched_off_it_does_nothing(clock: FakeClock) -> None:
    made = Spam(ModerationSettings(repeat_count=1), clock, enabled=False)
    for _ in range(5):
        say(made, "same")
    assert len(made) == 0


def test_words_are_cut_alike_in_all_scripts() -> None:
    assert words_of(plain("Ёлка, ЕЛКА_и «straße»: ﬁne")) == ["елка", "елка", "и", "strasse", "fine"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.txt"


def word_list(path: Path, **changes: object) -> WordList:
    return WordList(ModerationSettings.model_validate({"word_list": path, **changes}))


def verdict(words: WordList, text: str) -> str | None:
    try:
        return words.check(plain(text))
    except Forbidden as error:
        return error.code


async def test_a_list_refuses_whole_words_and_tells_of_others(path: Path) -> None:
    path.write_text("# ours\n\ncasino\nКазино\nfree money\nreport: Взлом\n  report:bank card  \n")
    words = word_list(path)
    assert verdict(words, "casino") is None, "not read yet"
    await words.load()
    for text in ("CASINO!", "the «казино»", "ca\u200bsino", "free... money", "Free-Money", "ｃａｓｉｎｏ"):
        assert verdict(words, text) == "word_refused", text
    for text in ("casinos", "occasino", "free my money", "freemoney", ""):
        assert verdict(words, text) is None, text
    assert verdict(words, "это взлом?") == "взлом"
    assert verdict(words, "your bank\ncard") == "bank card"
    assert verdict(words, "взлом casino") == "word_refused", "what refuses goes first"


async def test_a_bad_file_leaves_the_list_as_it_was(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text("casino")
    words = word_list(path, word_list_max_bytes=64, word_list_max_lines=2)
    await words.load()
    for at, (bad, told) in enumerate(
        [
            (b"\xff\xfe", "is not UTF-8"),
            (b"a" * 65, "has more than 64 bytes"),
            (b"a\nb\nc\n", "has more than 2 entries"),
            (b"fine\n***\n", "line 2: must have 1 to 20 words"),
            (None, "No such file"),
        ]
    ):
        if bad is None:
            path.unlink()
        else:
            path.write_bytes(bad)
            os.utime(path, ns=(at, at))
        caplog.clear()
        for _ in range(3):
            await words.load()
        assert [told in line.message for line in caplog.records if line.levelno == logging.ERROR] == [True]
        assert verdict(words, "casino") == "word_refused"
    path.write_text("other")
    await words.load()
    assert (verdict(words, "casino"), verdict(words, "other")) == (None, "word_refused")


async def test_without_a_file_nothing_is_refused() -> None:
    words = WordList(ModerationSettings())
    await words.load()
    assert verdict(words, "casino") is None


def test_the_same_id_in_another_room_is_no_retry(clock: FakeClock) -> None:
    made = spam(clock)
    for number in range(3):
        say(made, "to everybody", txn_id="same", room=f"!{number}:test")
    with pytest.raises(RateLimited):
        say(made, "to everybody", txn_id="same", room="!3:test")

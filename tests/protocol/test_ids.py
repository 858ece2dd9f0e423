"""Which strings are identifiers."""

import pytest

from homeserver.protocol.errors import BadIdentifier
from homeserver.protocol.ids import (
    domain_of,
    is_event_id,
    is_presentable_user_id,
    is_room_alias,
    is_room_id,
    is_server_name,
    is_user_id,
    make_room_id,
    make_user_id,
    parse_user_id,
)

HASH = "A-_9" * 10 + "abc"


@pytest.mark.parametrize(
    "name",
    [
        "example.org",
        "example.org:8448",
        "1.2.3.4",
        "1.2.3.4:80",
        "[::1]",
        "[2001:db8::1]:8448",
        "localhost",
        "A-b",
    ],
)
def test_a_server_name_is_a_host_with_an_optional_port(name: str) -> None:
    assert is_server_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":80",
        "a b",
        "a:",
        "a:123456",
        "a:b",
        "[::1",
        "::1",
        "a/b",
        "exämple.org",
        "a\n",
        "a:8448\n",
        "a:٣",
    ],
)
def test_what_is_no_server_name(name: str) -> None:
    assert not is_server_name(name)


def test_a_hostname_has_at_most_255_characters() -> None:
    assert is_server_name("a" * 255)
    assert not is_server_name("a" * 256)


def test_new_user_ids_keep_the_grammar_of_today() -> None:
    assert make_user_id("a.b_c=d-e/f+1", "example.org:8448") == "@a.b_c=d-e/f+1:example.org:8448"
    for localpart in ("", "Alice", "älice", "a b", "a:b", "a\0"):
        with pytest.raises(BadIdentifier):
            make_user_id(localpart, "example.org")
    with pytest.raises(BadIdentifier):
        make_user_id("alice", "example org")


def test_events_accept_what_old_servers_made() -> None:
    for user_id in ("@:one", "@Alice!:one", "@älice:one", "@日 本:one", "@a\n:one"):
        assert is_user_id(user_id), user_id
        assert not is_user_id(user_id, historical=False), user_id
    for no_user_id in (
        "",
        "@",
        "@alice",
        "@alice:",
        "alice:one",
        "@a\0:one",
        "@a\ud800:one",
        "@a:b:c",
        "@a:one\n",
    ):
        assert not is_user_id(no_user_id), no_user_id


def test_odd_user_ids_stay_inside_events() -> None:
    assert is_presentable_user_id("@Alice!:one")
    for user_id in ("@:one", "@a b:one", "@älice:one", "@a\x7f:one"):
        assert not is_presentable_user_id(user_id)


def test_a_user_id_splits_at_its_first_colon() -> None:
    assert parse_user_id("@alice:one:8448") == ("alice", "one:8448")
    assert parse_user_id("@:[::1]:80") == ("", "[::1]:80")
    with pytest.raises(BadIdentifier):
        parse_user_id("!room:one")


def test_the_limit_of_255_is_of_bytes_not_characters() -> None:
    assert is_user_id("@" + "a" * 250 + ":one")
    assert not is_user_id("@" + "a" * 251 + ":one")
    assert is_user_id("@" + "ä" * 125 + ":one")
    assert not is_user_id("@" + "ä" * 126 + ":one")


def test_a_room_id_names_a_server_or_is_a_hash() -> None:
    assert is_room_id("!opaque:one")
    assert is_room_id("!" + HASH)
    for no_room_id in (
        "!:one",
        "!opaque",
        "!" + HASH[:-1],
        "!" + HASH + "d",
        "#a:one",
        "!" + HASH[:-1] + "+",
        "",
    ):
        assert not is_room_id(no_room_id), no_room_id


def test_new_room_ids_are_letters_and_digits() -> None:
    assert make_room_id("aB1", "one") == "!aB1:one"
    for opaque in ("", "a b", "a:b", "ä"):
        with pytest.raises(BadIdentifier):
            make_room_id(opaque, "one")


def test_event_ids_of_all_room_versions() -> None:
    assert is_event_id("$1:one")
    assert is_event_id("$" + "+/" * 21 + "a")
    for no_event_id in ("", "$", "1:one", "$a\0", "$" + "a" * 255, "$\ud800"):
        assert not is_event_id(no_event_id)


def test_aliases() -> None:
    assert is_room_alias("#日本:one")
    for no_alias in ("#:one", "#a", "a:one", "#a:", "#a\0:one", "#" + "a" * 251 + ":one"):
        assert not is_room_alias(no_alias)


def test_the_domain_is_what_follows_the_first_colon() -> None:
    assert domain_of("@a:one:8448") == "one:8448"
    with pytest.raises(BadIdentifier):
        domain_of("$" + HASH)

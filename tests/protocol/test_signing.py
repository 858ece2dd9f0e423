"""Signatures, hashes, keys."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver.protocol import signing
from homeserver.protocol.errors import BadIdentifier, BadSignature
from homeserver.protocol.redact import redact
from homeserver.protocol.signing import (
    SigningKey,
    VerifyKey,
    content_hash,
    decode_base64,
    encode_base64,
    encode_base64_url,
    required_signers,
    sign_json,
    verify_event,
    verify_json,
)
from homeserver.protocol.versions import RULES

from .vectors import BOUNDED, load

PUBLISHED = load("vectors")["published"]["signing"]
KEY = SigningKey(PUBLISHED["key_id"], decode_base64(PUBLISHED["seed"]))
KEYS = {KEY.key_id: KEY.verify_key}


def signature_in(signed: dict[str, Any]) -> str:
    found: str = signed["signatures"][PUBLISHED["server_name"]][PUBLISHED["key_id"]]
    return found


def test_the_published_seed_gives_the_published_public_key() -> None:
    assert KEY.verify_key_base64 == PUBLISHED["public_key"]


@pytest.mark.parametrize("case", PUBLISHED["json"], ids=lambda case: str(case["input"]))
def test_published_json_signatures(case: dict[str, Any]) -> None:
    assert signature_in(sign_json(case["input"], "domain", KEY)) == case["signature"]


@pytest.mark.parametrize("index", [0, 1])
def test_published_event_signatures_and_those_of_version_11(index: int) -> None:
    case = PUBLISHED["events"][index]
    assert content_hash(case["input"]) == case["sha256"]
    hashed = {**case["input"], "hashes": {"sha256": case["sha256"]}}
    for version, expected in (
        *((str(old), case["signature"]) for old in range(1, 11)),
        ("11", load("vectors-extra")["signatures_v11"][index]),
        ("12", load("vectors-extra")["signatures_v11"][index]),
    ):
        signed = sign_json(redact(hashed, RULES[version]), "domain", KEY)
        assert signature_in(signed) == expected, version
        verify_event({**hashed, "signatures": signed["signatures"]}, RULES[version], "domain", KEYS)


@pytest.mark.parametrize("pair", load("vectors-extra")["base64"], ids=lambda pair: pair[0] or "empty")
def test_base64_has_no_padding_and_takes_it(pair: list[str]) -> None:
    plain, encoded = pair
    assert encode_base64(plain.encode()) == encoded
    assert decode_base64(encoded) == plain.encode()
    assert decode_base64(encoded + "=" * (-len(encoded) % 4)) == plain.encode()


def test_base64_of_both_alphabets_and_stray_bits() -> None:
    assert encode_base64(b"\xfb\xff\xfe") == "+//+"
    assert encode_base64_url(b"\xfb\xff\xfe") == "-__-"
    assert decode_base64("+//+") == decode_base64("-__-") == b"\xfb\xff\xfe"
    assert decode_base64("Zh") == b"f"  # the last character carries bits that nobody needs


@pytest.mark.parametrize("text", ["Z", "Zm9v!", "Zm 9v", "Zm\n9v", "Zm=9v", "é", "Zm9vY"])
def test_broken_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # several kinds, all children of it
        decode_base64(text)


def test_a_key_file_line_is_read_back() -> None:
    key = SigningKey.generate("a_tRxQ")
    assert key.key_id == "ed25519:a_tRxQ"
    assert SigningKey.from_text(key.to_text() + "\n") == key
    assert SigningKey.generate("a_tRxQ") != key
    assert encode_base64(key.seed) in key.to_text()
    assert "seed" not in repr(key)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ed25519 1",
        "rsa 1 " + PUBLISHED["seed"],
        "ed25519 a:b " + PUBLISHED["seed"],
        "ed25519 1 Zm9v",
        "ed25519 1 !",
    ],
)
def test_broken_key_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # several kinds, all children of it
        SigningKey.from_text(line)


def test_signing_keeps_other_signatures_and_unsigned_and_changes_nothing_in_place() -> None:
    other = SigningKey.generate("other")
    once = sign_json({"a": 1, "unsigned": {"age": 5}}, "one", KEY)
    before = copy.deepcopy(once)
    twice = sign_json(sign_json(once, "one", other), "two", KEY)
    assert once == before
    assert set(twice["signatures"]["one"]) == {KEY.key_id, other.key_id}
    assert twice["unsigned"] == {"age": 5}
    verify_json(twice, "one", KEYS)
    verify_json(twice, "one", {other.key_id: other.verify_key})
    verify_json({**twice, "unsigned": {}}, "two", KEYS)


def test_who_did_not_sign_or_signed_with_other_keys_is_refused() -> None:
    signed = sign_json({"a": 1}, "one", KEY)
    for entity, keys in (("two", KEYS), ("one", {}), ("one", {"ed25519:2": KEY.verify_key})):
        with pytest.raises(BadSignature):
            verify_json(signed, entity, keys)
    for broken in ({"a": 1}, {"a": 1, "signatures": []}, {"a": 1, "signatures": {"one": "x"}}):
        with pytest.raises(BadSignature):
            verify_json(broken, "one", KEYS)


def test_unknown_keys_and_algorithms_are_skipped_but_a_known_key_must_verify() -> None:
    signed = sign_json({"a": 1}, "one", KEY)
    signed["signatures"]["one"] |= {"ed25519:unknown": "x", "rsa:1": "y", "ed25519:odd": 5}
    verify_json(signed, "one", KEYS)
    other = SigningKey.generate("unknown")
    with pytest.raises(BadSignature):
        verify_json(signed, "one", {**KEYS, other.key_id: other.verify_key})
    with pytest.raises(BadSignature):
        verify_json(signed, "one", {"rsa:1": KEY.verify_key})


@pytest.mark.parametrize("signature", ["", "x", "!", "K8280", "a" * 86, "é"])
def test_a_bad_encoding_of_a_signature_fails(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify_json({"signatures": {"one": {KEY.key_id: signature}}}, "one", KEYS)


@pytest.mark.parametrize(
    ("key_id", "text"), [("rsa:1", PUBLISHED["public_key"]), ("ed25519:1", "Zm9v"), ("ed25519:1", "!")]
)
def test_broken_public_keys_are_refused(key_id: str, text: str) -> None:
    with pytest.raises(BadSignature):
        VerifyKey.from_base64(key_id, text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text("aé\u2028\n", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abcé", max_size=3), VALUES, max_size=5)


@BOUNDED
@given(obj=OBJECTS, name=st.text("abcé", max_size=3), value=VALUES)
def test_what_was_signed_verifies_and_any_change_is_found(obj: dict[str, Any], name: str, value: Any) -> None:
    signed = sign_json(obj, "one", KEY)
    verify_json(signed, "one", KEYS)
    changed = {**signed, name: value}
    same = name in obj and type(obj[name]) is type(value) and obj[name] == value
    if not same and repr(obj.get(name)) != repr(value):
        with pytest.raises(BadSignature):
            verify_json(changed, "one", KEYS)


@BOUNDED
@given(obj=OBJECTS, bit=st.integers(0, 511))
def test_any_changed_bit_of_a_signature_is_found(obj: dict[str, Any], bit: int) -> None:
    signed = sign_json(obj, "one", KEY)
    raw = bytearray(decode_base64(signed["signatures"]["one"][KEY.key_id]))
    raw[bit // 8] ^= 1 << bit % 8
    signed["signatures"]["one"][KEY.key_id] = encode_base64(bytes(raw))
    with pytest.raises(BadSignature):
        verify_json(signed, "one", KEYS)


def member(membership: str, **content: Any) -> dict[str, Any]:
    return {
        "type": "m.room.member",
        "sender": "@a:one",
        "state_key": "@a:one",
        "event_id": "$1:origin",
        "content": {"membership": membership, **content},
    }


def test_the_sender_s_server_must_sign_and_in_old_rooms_that_of_the_event_id() -> None:
    for version, expected in (
        ("1", {"one", "origin"}),
        ("2", {"one", "origin"}),
        ("3", {"one"}),
        ("12", {"one"}),
    ):
        assert required_signers(member("join"), RULES[version]) == expected


def test_a_third_party_invite_may_come_from_another_server() -> None:
    assert required_signers(member("invite", third_party_invite={}), RULES["12"]) == set()
    assert required_signers(member("join", third_party_invite={}), RULES["12"]) == {"one"}
    assert required_signers(member("invite", third_party_invite={}), RULES["1"]) == {"origin"}


def test_who_authorises_a_restricted_join_must_sign() -> None:
    join = member("join", join_authorised_via_users_server="@b:two")
    assert required_signers(join, RULES["8"]) == {"one", "two"}
    assert required_signers(join, RULES["7"]) == {"one"}
    leave = member("leave", join_authorised_via_users_server="@b:two")
    assert required_signers(leave, RULES["8"]) == {"one"}
    with pytest.raises(BadIdentifier):
        required_signers(member("join", join_authorised_via_users_server="nobody"), RULES["8"])


def test_the_policy_server_s_key_counts_only_for_its_own_check() -> None:
    policy = SigningKey(signing.POLICY_SERVER_KEY_ID, KEY.seed)
    pdu = {"type": "m.room.message", "content": {}, "sender": "@a:one"}
    pdu = sign_json(pdu, "one", policy)
    with pytest.raises(BadSignature):
        verify_event(pdu, RULES["12"], "one", {policy.key_id: policy.verify_key})
    signing.verify_policy_signature(pdu, RULES["12"], "one", policy.verify_key_base64)
    with pytest.raises(BadSignature):
        signing.verify_policy_signature(
            {**pdu, "sender": "@b:one"}, RULES["12"], "one", policy.verify_key_base64
        )

"""The server's own keys: made once, kept from others, replaced in one step."""

import multiprocessing
import os
import stat
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from homeserver.settings import secrets
from homeserver.settings.secrets import BadKeys, open_keys


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_keys_that_only_we_can_read(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        keys = open_keys(tmp_path / "data")
    finally:
        os.umask(umask)
    folder = tmp_path / "data/keys"
    assert mode(folder) == 0o700
    assert {file.name: mode(file) for file in folder.iterdir()} == {
        "access_token.key": 0o600,
        "guests.key": 0o600,
        "media_url.key": 0o600,
        "signing.key": 0o600,
        "vapid.key": 0o600,
    }
    assert len(keys.access_token) == len(keys.media_url) == len(keys.guests) == 32
    assert len({keys.access_token, keys.media_url, keys.guests}) == 3
    assert keys.signing.key_id.startswith("ed25519:a_")


def test_a_tight_umask_does_not_matter(tmp_path: Path) -> None:
    umask = os.umask(0o777)
    try:
        tmp_path.chmod(0o700)
        (tmp_path / "data").mkdir()
        (tmp_path / "data").chmod(0o700)
        (tmp_path / "data/keys").mkdir()
        (tmp_path / "data/keys").chmod(0o700)
        open_keys(tmp_path / "data")
    finally:
        os.umask(umask)
    assert mode(tmp_path / "data/keys/signing.key") == 0o600


def test_the_next_start_reads_the_same_keys(tmp_path: Path) -> None:
    first = open_keys(tmp_path)
    assert open_keys(tmp_path) == first
    assert len(list((tmp_path / "keys").iterdir())) == 5


def test_two_servers_have_different_keys(tmp_path: Path) -> None:
    one, other = open_keys(tmp_path / "one"), open_keys(tmp_path / "other")
    assert one.access_token != other.access_token
    assert one.signing.key_id != other.signing.key_id


def _open(folder: str) -> tuple[bytes, bytes]:
    keys = open_keys(Path(folder))
    return keys.access_token, keys.signing.seed


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        keys = list(pool.map(_open, [str(tmp_path)] * 6))
    assert set(keys) == {_open(str(tmp_path))}
    assert len(list((tmp_path / "keys").iterdir())) == 5


def test_keys_do_not_show_in_print(tmp_path: Path) -> None:
    keys = open_keys(tmp_path)
    text = repr(keys)
    assert repr(keys.access_token) not in text
    assert repr(keys.signing.seed) not in text


@pytest.mark.parametrize(
    "name", ["access_token.key", "guests.key", "media_url.key", "signing.key", "vapid.key"]
)
@pytest.mark.parametrize("bad_mode", [0o640, 0o604, 0o620, 0o666])
def test_keys_that_others_can_read_or_write_are_refused(tmp_path: Path, name: str, bad_mode: int) -> None:
    open_keys(tmp_path)
    path = tmp_path / "keys" / name
    path.chmod(bad_mode)
    with pytest.raises(BadKeys, match=rf"{name}: others may use it \(mode {bad_mode:04o}\); chmod 0600 it"):
        open_keys(tmp_path)


def test_an_open_folder_is_refused(tmp_path: Path) -> None:
    open_keys(tmp_path)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(BadKeys, match=r"keys: others may use it \(mode 0755\); chmod 0700 it"):
        open_keys(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("access_token.key", b"", "the key has 0 bytes and must have 32"),
        ("access_token.key", b"c2hvcnQ=", "the key has 5 bytes and must have 32"),
        ("media_url.key", b"!!!", "is not a key in base64"),
        ("media_url.key", b"\xff\xfe", "is not text"),
        ("vapid.key", b"A" * 43 + b"=", "is no key of the curve P-256"),
        ("signing.key", b"", "holds no key"),
        ("signing.key", b"ed25519 a_1", "a signing key is a line of three words"),
        ("signing.key", b"rsa a_1 AAAA", "is not ed25519"),
    ],
)
def test_a_broken_key_is_named_not_replaced(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    open_keys(tmp_path)
    path = tmp_path / "keys" / name
    path.write_bytes(content)
    with pytest.raises(BadKeys, match=said) as caught:
        open_keys(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(BadKeys, match="cannot be made or read"):
        open_keys(tmp_path / "data")


def test_a_new_signing_key_leaves_the_old_one_known(tmp_path: Path) -> None:
    first = open_keys(tmp_path)
    second = secrets.rotate_signing(tmp_path)
    third = secrets.rotate_signing(tmp_path)
    assert [one.key for one in second.old_signing] == [first.signing]
    assert [one.key for one in third.old_signing] == [second.signing, first.signing]
    assert third.access_token == first.access_token
    assert open_keys(tmp_path) == third
    assert [one.expired_ms for one in third.old_signing] == [0, 0], (
        "the server that runs may still sign with them"
    )
    before_ms = time.time_ns() // 1_000_000
    started = open_keys(tmp_path, starts=True)
    assert all(one.expired_ms >= before_ms for one in started.old_signing)
    assert started == open_keys(tmp_path, starts=True) == open_keys(tmp_path), "the time stays"
    fourth = secrets.rotate_signing(tmp_path)
    assert [one.expired_ms for one in fourth.old_signing] == [
        0,
        *(one.expired_ms for one in started.old_signing),
    ]
    assert mode(tmp_path / "keys/signing.key") == 0o600
    assert len(list((tmp_path / "keys").iterdir())) == 5


def test_token_and_media_keys_are_replaced_one_by_one(tmp_path: Path) -> None:
    first = open_keys(tmp_path)
    second = secrets.rotate_access_token(tmp_path)
    third = secrets.rotate_media_url(tmp_path)
    assert second.access_token != first.access_token
    assert second.media_url == first.media_url
    assert third.media_url != first.media_url
    assert third.access_token == second.access_token
    assert third.signing == first.signing


def test_two_keys_of_one_version_are_refused(tmp_path: Path) -> None:
    open_keys(tmp_path)
    path = tmp_path / "keys/signing.key"
    path.write_text(path.read_text() * 2)
    with pytest.raises(BadKeys, match="two keys of one version"):
        open_keys(tmp_path)

"""The server's secret keys: created at the first start in data_dir/keys, readable by the server's user only.

    access_token.key   signs access tokens (32 bytes, base64)
    media_url.key      signs URLs of files (32 bytes, base64)
    guests.key         makes the hashes by which guests are recognised (32 bytes, base64); a new one forgets all guests
    vapid.key          signs requests to push services (a P-256 key of 32 bytes, base64); after a new one browsers
                       must subscribe again
    signing.key        signs events: `ed25519 version seed`; the first line signs, former keys are only published, with
                       the time of the first start without them in milliseconds

The folder has mode 0700 and each file 0600; keys that other system users can read are refused, as they are not secret.
Several processes may start at once: files are created atomically, and all processes use the one created first.
"""

import base64
import contextlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key, generate_private_key

from homeserver.errors import Invalid
from homeserver.protocol.signing import FormerKey, SigningKey

KEY_BYTES = 32
ACCESS_FILE = "access_token.key"
MEDIA_URL_FILE = "media_url.key"
GUESTS_FILE = "guests.key"
VAPID_FILE = "vapid.key"
SIGNING_FILE = "signing.key"
_WORDS_OF_FORMER = 4  # ed25519, version, seed, time
_IN_USE = 0  # no time yet: of the current key, and of one that the running server may still sign with
_MAX_FILE_BYTES = 64 * 1024


class BadKeys(Invalid):
    """A key cannot be read, is readable by others or is malformed. The message names the file and what to do."""

    code = "bad_keys"


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """All secret keys. `old_signing`: former signing keys, only published so that old signatures can be verified."""

    access_token: bytes = field(repr=False)
    media_url: bytes = field(repr=False)
    guests: bytes = field(repr=False)
    vapid: bytes = field(repr=False)
    signing: SigningKey
    old_signing: tuple[FormerKey, ...] = ()


def open_keys(data_dir: Path, *, starts: bool = False) -> ServerKeys:
    """Load the keys in data_dir/keys; missing ones are created. Raises BadKeys.

    `starts`: for a server that signs with them from now on, so that former keys are out of use.
    """
    folder = _folder(data_dir)
    signing, *former = _signing_keys(folder / SIGNING_FILE, starts=starts)
    return ServerKeys(
        access_token=_secret(folder / ACCESS_FILE),
        media_url=_secret(folder / MEDIA_URL_FILE),
        guests=_secret(folder / GUESTS_FILE),
        vapid=_vapid_key(folder / VAPID_FILE),
        signing=signing.key,
        old_signing=tuple(former),
    )


def rotate_signing(data_dir: Path) -> ServerKeys:
    """Sign events with a new key from the next start on; the old one stays published. Raises BadKeys."""
    path = _folder(data_dir) / SIGNING_FILE
    current, *former = _signing_keys(path, starts=False)
    keys = [FormerKey(_new_signing_key(), _IN_USE), FormerKey(current.key, _IN_USE), *former]
    _write(path, _signing_text(keys), replace=True)
    return open_keys(data_dir)


def rotate_access_token(data_dir: Path) -> ServerKeys:
    """Sign access tokens with a new key from the next start on: all users must log in again."""
    _write(_folder(data_dir) / ACCESS_FILE, _new_secret(), replace=True)
    return open_keys(data_dir)


def rotate_media_url(data_dir: Path) -> ServerKeys:
    """Sign URLs of files with a new key from the next start on: URLs made before are refused then."""
    _write(_folder(data_dir) / MEDIA_URL_FILE, _new_secret(), replace=True)
    return open_keys(data_dir)


def _folder(data_dir: Path) -> Path:
    folder = data_dir / "keys"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _refuse_open(folder, folder.stat())
    except OSError as error:
        raise BadKeys(f"{folder}: cannot be made or read: {error.strerror or error}") from None
    return folder


def _secret(path: Path, make: Callable[[], str] | None = None) -> bytes:
    text = _read_or_make(path, make or _new_secret)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise BadKeys(f"{path}: is not a key in base64") from None
    if len(key) < KEY_BYTES:
        raise BadKeys(f"{path}: the key has {len(key)} bytes and must have {KEY_BYTES}")
    return key


def _vapid_key(path: Path) -> bytes:
    key = _secret(path, _new_vapid_key)
    try:
        derive_private_key(int.from_bytes(key), SECP256R1())
    except ValueError:
        raise BadKeys(f"{path}: is no key of the curve P-256") from None
    return key


def _signing_keys(path: Path, *, starts: bool) -> list[FormerKey]:
    """The keys of the file, the current one first. At a start, one that was in use until then gets its time."""
    text = _read_or_make(path, lambda: _signing_text([FormerKey(_new_signing_key(), _IN_USE)]))
    try:
        keys = [_signing_key(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise BadKeys(f"{path}: {error}") from None
    if not keys:
        raise BadKeys(f"{path}: holds no key")
    if len({one.key.key_id for one in keys}) != len(keys):
        raise BadKeys(f"{path}: has two keys of one version")
    if starts and any(one.expired_ms == _IN_USE for one in keys[1:]):
        now_ms = time.time_ns() // 1_000_000
        former = [FormerKey(one.key, one.expired_ms or now_ms) for one in keys[1:]]
        keys = [keys[0], *former]
        _write(path, _signing_text(keys), replace=True)
    return keys


def _signing_key(line: str) -> FormerKey:
    words = line.split()
    expired_ms = int(words.pop()) if len(words) == _WORDS_OF_FORMER else _IN_USE
    return FormerKey(SigningKey.from_text(" ".join(words)), expired_ms)


def _new_secret() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n"


def _new_vapid_key() -> str:
    number = generate_private_key(SECP256R1()).private_numbers().private_value
    return base64.b64encode(number.to_bytes(KEY_BYTES)).decode() + "\n"


def _new_signing_key() -> SigningKey:
    return SigningKey.generate("a_" + secrets.token_hex(4))


def _signing_text(keys: Sequence[FormerKey]) -> str:
    return "".join(
        one.key.to_text() + (f" {one.expired_ms}" if one.expired_ms != _IN_USE else "") + "\n" for one in keys
    )


def _read_or_make(path: Path, make: Callable[[], str]) -> str:
    try:
        if not path.exists():
            _write(path, make(), replace=False)
        with path.open("rb") as file:
            _refuse_open(path, os.fstat(file.fileno()))
            return file.read(_MAX_FILE_BYTES).decode("ascii")
    except UnicodeDecodeError:
        raise BadKeys(f"{path}: is not text") from None
    except OSError as error:
        raise BadKeys(f"{path}: cannot be made or read: {error.strerror or error}") from None


def _refuse_open(path: Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        wanted = "0700" if stat.S_ISDIR(status.st_mode) else "0600"
        raise BadKeys(
            f"{path}: others may use it (mode {stat.S_IMODE(status.st_mode):04o}); chmod {wanted} it, "
            "and if they could have read it, replace the keys"
        )


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a temporary file and move it to `path` atomically. Without `replace` an existing file is kept."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        else:
            with contextlib.suppress(FileExistsError):  # another process was first: its key is used
                path.hardlink_to(beside)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

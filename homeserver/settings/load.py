"""Settings from a YAML file, the environment and files with secrets, in this order: the later one wins.

- `homeserver.yaml`, where relative paths are relative to the folder of the file;
- variables `HOMESERVER__SECTION__KEY=value`, also `HOMESERVER__ISSUERS__0__NAME=host` for items of lists, or whole
  lists and sections as YAML or JSON: `HOMESERVER__CORS__ORIGINS='["https://portal.example.org"]'`;
- `url_file`, `secret_file`: the content of the file becomes `url`, `secret`.

Nothing else of the server reads the environment. Every error names the file with line and column, or the variable.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from homeserver.settings.explain import explain, nearest
from homeserver.settings.models import Settings
from homeserver.settings.shape import KeyPath, child_of, fields_of, is_path, is_text, item_of, written
from homeserver.settings.tree import Problem, SettingsError, Tree, Value, parse

PREFIX = "HOMESERVER__"
DEFAULT_PATH = Path("homeserver.yaml")
MAX_FILE_BYTES = 1024 * 1024
MAX_SECRET_BYTES = 64 * 1024

# Keys whose value may come from a file: the file's key -> the key that its content is for.
SECRET_FILES = {"url_file": "url", "secret_file": "secret", "shared_secret_file": "shared_secret"}


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Load the settings. Without `path`: homeserver.yaml in the current folder if it exists, else the defaults.

    `environ`: by default the process's environment. Raises SettingsError with all problems.
    """
    if path is None and DEFAULT_PATH.exists():
        path = DEFAULT_PATH
    tree = _read(path) if path else Tree()
    problems = _apply_environment(tree, os.environ if environ is None else environ)
    folder = path.absolute().parent if path else Path.cwd()
    server = tree.values.setdefault("server", {})
    if isinstance(server, dict):
        server.setdefault("data_dir", str(Settings().server.data_dir))
    _make_absolute(tree.values, Settings, folder)
    problems += _read_secrets(tree)
    problems += _missing_files(tree)
    if problems:
        raise SettingsError(*problems)
    return explain(tree)


def _read(path: Path) -> Tree:
    try:
        data = _read_bytes(path, MAX_FILE_BYTES)
        value, tree = parse(data.decode(), Settings, str(path))
    except UnicodeDecodeError as error:
        raise SettingsError(Problem(str(path), "", f"is not UTF-8 text (byte {error.start})")) from None
    except Unreadable as error:
        raise SettingsError(Problem(str(path), "", str(error))) from None
    if value is not None and not isinstance(value, dict):
        raise SettingsError(Problem(f"{path}:1:1", "", "must hold sections such as `server:`"))
    tree.origins[()] = f"{path}:1:1"
    return tree


class Unreadable(Exception):
    """The file cannot be read; the message says why, but not which file."""


def _read_bytes(path: Path, most: int, *, refused_mode: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & refused_mode:
                raise Unreadable(f"may be written by anybody (mode {stat.S_IMODE(mode):04o}); chmod o-w it")
            data = file.read(most + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None
    if len(data) > most:
        raise Unreadable(f"is larger than {most} bytes")
    return data


def _apply_environment(tree: Tree, environ: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    names = [name for name in environ if name.upper().startswith(PREFIX)]
    for name in sorted(names, key=lambda name: (name.count("__"), name)):
        try:
            _apply(tree, name, environ[name])
        except SettingsError as error:
            problems += error.problems
    return problems


def _apply(tree: Tree, name: str, text: str) -> None:
    place = f"environment variable {name}"
    path: KeyPath = ()
    kind: object = Settings
    for word in name[len(PREFIX) :].split("__"):
        key = int(word) if item_of(kind) is not None and word.isascii() and word.isdigit() else word.lower()
        inner = child_of(kind, key)
        if inner is None or name != name.upper():
            raise SettingsError(Problem(place, "", f"is not known{_suggestion(path, kind, key)}"))
        path, kind = (*path, key), inner
    if is_text(kind):
        value: Value = text
    else:
        value, _ = parse(text, kind, place, with_lines=False)
    _put(tree, path, value, place)


def _suggestion(path: KeyPath, kind: object, key: str | int) -> str:
    near = nearest(str(key), fields_of(kind))
    if near is None:
        return ""
    words = "__".join(str(part).upper() for part in (*path, near))
    return f"; did you mean {PREFIX}{words}?"


def _put(tree: Tree, path: KeyPath, value: Value, place: str) -> None:
    """Set one value; sections are merged key by key, anything else is replaced."""
    here: Value = tree.values
    for at, key in enumerate(path):
        is_last = at == len(path) - 1
        fresh: Value = value if is_last else ([] if isinstance(path[at + 1], int) else {})
        if isinstance(here, dict) and isinstance(key, str):
            old = here.get(key)
            if is_last and isinstance(old, dict) and isinstance(value, dict):
                for inner, item in value.items():
                    _put(tree, (*path, inner), item, place)
                return
            if is_last or key not in here:
                here[key] = fresh
            here = here[key]
        elif isinstance(here, list) and isinstance(key, int) and key <= len(here):
            if key == len(here):
                here.append(fresh)
            elif is_last:
                here[key] = fresh
            here = here[key]
        else:
            around = written(path[:at])
            raise SettingsError(
                Problem(place, "", f"does not fit: {around} ends before it or is something else")
            )
        if is_last:
            tree.forget(path)
        if is_last or path[: at + 1] not in tree.origins:
            tree.origins[path[: at + 1]] = place


def _make_absolute(value: Value, kind: object, folder: Path) -> Value:
    """Resolve relative paths against the folder of the settings file, not the current folder."""
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _make_absolute(item, child_of(kind, key), folder)
    elif isinstance(value, list):
        value[:] = [_make_absolute(item, item_of(kind), folder) for item in value]
    elif isinstance(value, str) and value and is_path(kind):
        return str(folder / value)
    return value


def _sections(tree: Tree) -> list[tuple[KeyPath, dict[str, Value]]]:
    """The sections that may name files: all sections, and each issuer."""
    found: list[tuple[KeyPath, dict[str, Value]]] = []
    for name, value in tree.values.items():
        if isinstance(value, dict):
            found.append(((name,), value))
        elif isinstance(value, list):
            found += [((name, at), item) for at, item in enumerate(value) if isinstance(item, dict)]
    return found


def _read_secrets(tree: Tree) -> list[Problem]:
    """Replace `*_file` keys by the content of the files; a problem if both the key and its file are given."""
    problems: list[Problem] = []
    for path, section in _sections(tree):
        for file_key, key in SECRET_FILES.items():
            name = section.get(file_key)
            if not isinstance(name, str) or section.get(key) is not None:
                continue
            place = tree.where((*path, file_key))
            try:
                section[key] = read_secret(Path(name))
            except Unreadable as error:
                problems.append(Problem(place, written((*path, file_key)), f"{name} {error}"))
                continue
            del section[file_key]
            tree.origins[(*path, key)] = place
    return problems


def read_secret(path: Path) -> str:
    """The text of a secret file, without the line end. Raises Unreadable.

    It may be readable by other system users, as containers mount secrets like that, but not writable.
    """
    data = _read_bytes(path, MAX_SECRET_BYTES, refused_mode=stat.S_IWOTH)
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text") from None
    if not text:
        raise Unreadable("is empty")
    return text


def _missing_files(tree: Tree) -> list[Problem]:
    """Problems for missing files with public keys, which are read later; here they must only exist."""
    problems: list[Problem] = []
    for path, section in _sections(tree):
        for key in ("jwks_file", "public_key_file"):
            name = section.get(key)
            if isinstance(name, str) and path[0] == "issuers" and not Path(name).is_file():
                place = tree.where((*path, key))
                problems.append(Problem(place, written((*path, key)), f"{name} is not there or is no file"))
    return problems

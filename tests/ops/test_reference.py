"""The files about the settings say what the models say, and the profiles load."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from homeserver.settings import reference
from homeserver.settings.advice import advice
from homeserver.settings.load import load
from homeserver.settings.models import Settings
from homeserver.settings.section import is_advanced
from homeserver.settings.shape import fields_of, item_of, section_of

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
SAMPLES = (ROOT / "homeserver.yaml", CONFIG / "sqlite.yaml", CONFIG / "postgres.yaml")
MAX_PLAIN_KEYS = 130


def test_the_reference_is_fresh() -> None:
    made = reference.reference_yaml()
    assert (CONFIG / "reference.yaml").read_text(encoding="utf-8") == made, (
        "run: homeserver generate-config --all > config/reference.yaml"
    )


def test_the_schema_is_fresh() -> None:
    assert (CONFIG / "schema.json").read_text(encoding="utf-8") == reference.schema_json(), (
        "run: homeserver generate-config --schema > config/schema.json"
    )


def test_the_smallest_file_is_fresh() -> None:
    made = reference.smallest_yaml("localhost", "http://127.0.0.1:8008")
    assert (ROOT / "homeserver.yaml").read_text(encoding="utf-8") == made, (
        "run: homeserver generate-config > homeserver.yaml"
    )


def test_the_reference_loads_and_is_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "homeserver.yaml"
    path.write_text(reference.reference_yaml(), encoding="utf-8")
    assert load(path, {}) == load_text(tmp_path, "")


def load_text(folder: Path, text: str) -> Settings:
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def test_every_key_stands_in_the_reference_with_a_description() -> None:
    known = yaml.safe_load(reference.reference_yaml())
    assert list(known) == list(Settings.model_fields)
    lines = reference.reference_yaml().splitlines()
    keys = [
        at for at, line in enumerate(lines) if line.startswith("  ") and not line.lstrip().startswith("#")
    ]
    for at in keys:
        above = lines[at - 1].strip()
        assert above.startswith("# ") or lines[at - 1].endswith(":"), lines[at]
        assert len(above) > 10, lines[at]


def test_the_item_of_the_issuers_can_be_uncommented(tmp_path: Path) -> None:
    text = reference.reference_yaml()
    start = text.index("# issuers:")
    block = text[start : text.index("\n\n", start)]
    bare = "\n".join(line[2:] for line in block.splitlines())
    filled = bare.replace("- name:", "- name: portal").replace("namespace:", "namespace: 7")
    filled = filled.replace("  # secret:", f"  secret: {'s' * 32}")
    [issuer] = load_text(tmp_path, filled).issuers
    assert (issuer.name, issuer.namespace, issuer.claims.user_id) == ("portal", 7, "user_id")


def test_the_bounds_are_told() -> None:
    text = reference.reference_yaml()
    assert "[0 to 65535]\n  port: 8008\n" in text
    assert "[15 minutes to 1 day]\n  access_ttl_s: 900  # 15 minutes\n" in text
    assert "[debug | info | warning | error]\n  level: info\n" in text
    assert "[advanced; 64 KiB to 64 MiB]\n  max_body_bytes: 1048576  # 1 MiB\n" in text


def keys_of(kind: object) -> Iterator[str]:
    """The names of all keys, those of inner sections too."""
    for name, field in fields_of(kind).items():
        inner = section_of(field.annotation) or section_of(item_of(field.annotation))
        yield from keys_of(inner) if inner else [name]


def judged(
    kind: object, *, above: str = "", advanced: bool = False
) -> Iterator[tuple[str, str | None, bool]]:
    """Path, description and mark of each key; below an advanced section every key is advanced."""
    for name, field in fields_of(kind).items():
        path, is_marked = above + name, advanced or is_advanced(field)
        inner = section_of(field.annotation) or section_of(item_of(field.annotation))
        if inner:
            yield from judged(inner, above=f"{path}.", advanced=is_marked)
        else:
            yield path, field.description, is_marked


def test_an_operator_has_few_keys_to_judge() -> None:
    """A new bound or pace is `Advanced`, unless an operator knows better than its default."""
    keys = list(judged(Settings))
    assert [path for path, description, _ in keys if not description] == []
    plain = [path for path, _, is_marked in keys if not is_marked]
    assert len(plain) <= MAX_PLAIN_KEYS, plain


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples_leave_advanced_keys_out(path: Path) -> None:
    advanced = {name for name, _, is_marked in judged(Settings) if is_marked}
    named = set(paths_of(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert named, "a sample names some keys"
    assert named & advanced == set()


def paths_of(values: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield above + name
        if isinstance(value, dict):
            yield from paths_of(value, f"{above}{name}.")


def test_the_reference_marks_advanced_keys_and_they_are_taken(tmp_path: Path) -> None:
    text = reference.reference_yaml()
    assert "[advanced; 10 to 1000000]\n  cached_rooms: 5000\n" in text
    schema = json.loads(reference.schema_json())
    assert schema["$defs"]["TimelineSettings"]["properties"]["cached_rooms"]["advanced"] is True
    assert "advanced" not in schema["$defs"]["ListenSettings"]["properties"]["port"]
    assert load_text(tmp_path, "timeline: {cached_rooms: 77}").timeline.cached_rooms == 77


def test_every_key_is_read_by_some_part_of_the_server() -> None:
    by_the_settings = {"url_file", "secret_file", "shared_secret_file", "allow_public", "demo_public"}
    sources = [path for path in (ROOT / "homeserver").rglob("*.py") if "settings" not in path.parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    unread = {key for key in keys_of(Settings) if not re.search(rf"\.{key}\b", text)}
    assert unread == by_the_settings


def test_the_schema_knows_keys_bounds_and_refuses_others() -> None:
    schema = json.loads(reference.schema_json())
    listen = schema["$defs"]["ListenSettings"]
    assert listen["additionalProperties"] is False
    assert listen["properties"]["port"]["maximum"] == 65535
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("name", "path"),
    [("a b", "x"), ("0123", "y"), ("on", "z"), ('a"b', "http://h"), ("чат", "#"), ("a: b", "- x"), ("", "")],
)
def test_the_smallest_file_holds_any_text(name: str, path: str) -> None:
    made = yaml.load(reference.smallest_yaml(name, path), Loader=yaml.BaseLoader)
    assert made["server"]["name"] == name
    assert made["server"]["public_url"] == path


@pytest.mark.parametrize(
    "path", sorted([*CONFIG.glob("*.yaml"), ROOT / "homeserver.yaml"]), ids=lambda path: path.name
)
def test_every_settings_file_we_ship_loads(path: Path) -> None:
    if path.name == "docker-compose.yaml":
        pytest.skip("not settings")
    environ = (
        {"HOMESERVER__DATABASE__URL": "postgresql://chat@localhost/chat"} if "postgres" in path.name else {}
    )
    load(path, environ)


def test_defaults_raise_no_question() -> None:
    assert advice(Settings()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accounts: {registration: true}", "anybody who reaches this server may make an account"),
        ("web: {demo: true, demo_public: true}", "known passwords"),
        ("rate_limits: {enabled: false}", "nothing slows down"),
        ("server: {public_url: 'http://chat.example.org'}", "use https"),
        ("server: {public_url: 'https://chat.example.org'}", "trusted_proxies is empty"),
        ("server: {data_dir: x}", "only this machine can open"),
        ("server: {data_dir: x}", "server.name is localhost"),
        ("messenger: {enabled: false}", "nobody can log in"),
        ("cors: {origins: ['*']}", "any web site"),
        ("moderation: {word_list: absent.txt}", "nothing is refused"),
        ("push: {allow_private: true}", "its own network"),
        ("metrics: {enabled: true, host: '::', allow_public: true}", "whoever reaches port 9108"),
        (f"issuers: [{{name: a, namespace: 1, secret: {'s' * 32}}}]", "neither issuer nor audience"),
    ],
)
def test_what_is_seldom_meant_is_pointed_out(tmp_path: Path, text: str, said: str) -> None:
    settings = load_text(tmp_path, "listen: {host: 0.0.0.0}\n" + text)
    assert any(said in sentence for sentence in advice(settings))


def test_a_careful_public_server_raises_no_question(tmp_path: Path) -> None:
    text = (
        "server: {name: chat.example.org, public_url: 'https://chat.example.org'}\n"
        "listen: {host: 0.0.0.0, trusted_proxies: [10.0.0.1/32]}\n"
        f"issuers: [{{name: a, namespace: 1, secret: {'s' * 32}, audience: chat}}]\n"
    )
    assert advice(load_text(tmp_path, text)) == []

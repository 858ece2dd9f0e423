"""Settings from a file and the environment: what is wrong is told with its line, and what was meant."""

from pathlib import Path

import pytest

from homeserver.settings.load import load
from homeserver.settings.models import ServerSettings, Settings
from homeserver.settings.tree import SettingsError
from tests.ops.drivers import SECRET, Folder, issuer


def test_nothing_set_is_a_working_server(folder: Folder) -> None:
    assert folder.load("") == Settings(server=ServerSettings(data_dir=folder.path / "data"))
    assert folder.load("# only a comment\n") == folder.load("server:\nissuers:\n")


def test_a_file_sets_what_it_names_and_leaves_the_rest(folder: Folder) -> None:
    settings = folder.load(
        "server:\n  name: chat.example.org\nlisten: {port: 9000}\nmedia:\n  max_upload_bytes: 1_000_000\n"
    )
    assert settings.server.name == "chat.example.org"
    assert settings.listen.port == 9000
    assert settings.listen.host == "127.0.0.1"
    assert settings.media.max_upload_bytes == 1_000_000


def test_paths_are_meant_from_the_folder_of_the_file(folder: Folder) -> None:
    assert folder.load("server:\n  data_dir: var/chat\n").server.data_dir == folder.path / "var/chat"
    assert folder.load("server:\n  data_dir: /srv/chat\n").server.data_dir == Path("/srv/chat")
    assert folder.load("", HOMESERVER__SERVER__DATA_DIR="x").server.data_dir == folder.path / "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen:\n  prot: 1\n", "FILE:2:3: listen.prot: is not a known key; did you mean port?"),
        ("Listen:\n  port: 1\n", "FILE:1:1: Listen: is not a known key; did you mean listen?"),
        (
            "sockets:\n  public_url: x\n",
            "FILE:2:3: sockets.public_url: is not a known key; there is server.public_url",
        ),
        (
            "cors:\n  xyzzy: 1\n",
            "FILE:2:3: cors.xyzzy: is not a known key; known here are origins",
        ),
        ("listen:\n  host: 127.0.0.1\n  port:   70000\n", "FILE:3:11: listen.port: must be at most 65535"),
        ("tokens:\n  access_ttl_s: 60\n", "FILE:2:17: tokens.access_ttl_s: must be at least 900"),
        ("listen:\n  port: '8008'\n", "FILE:2:9: listen.port: must be a whole number"),
        ("listen:\n  port: 80.5\n", "FILE:2:9: listen.port: must be a whole number"),
        ("listen:\n  port: 99999999999999999999999\n", "FILE:2:9: listen.port: must be at most 65535"),
        ("listen:\n  port:\n", "FILE:2:8: listen.port: must be a whole number"),
        ("accounts:\n  registration: yes\n", "FILE:2:17: accounts.registration: must be true or false"),
        ("listen:\n  shutdown_grace_s: .nan\n", "FILE:2:21: listen.shutdown_grace_s: must be a number"),
        ("logs: {level: loud}\n", "FILE:1:15: logs.level: must be 'debug', 'info', 'warning' or 'error'"),
        ("listen: 8008\n", "FILE:1:9: listen: must be a section with keys of its own"),
        ("cors:\n  origins: https://a.example\n", "FILE:2:12: cors.origins: must be a list"),
        (
            "cors:\n  origins:\n    - https://a.example\n    - https://b.example/path\n",
            "FILE:4:7: cors.origins[1]: must be an origin like https://app.example.org, without a path",
        ),
        (
            'cors: {origins: ["*", "https://a.example"]}',
            'FILE:1:17: cors.origins: "*" stands for all and must stand alone',
        ),
        ("server:\n  name: a b\n", "FILE:2:9: server.name: has not the right form"),
        (
            "server:\n  public_url: chat.example.org\n",
            "FILE:2:15: server.public_url: must be an address like",
        ),
        ("server:\n  default_room_version: 99\n", "FILE:2:25: server.default_room_version: must be '1', '2'"),
        (
            "listen:\n  port: 1\n  port: 2\n",
            "FILE:3:3: listen.port: stands here a second time (first at FILE:2:3)",
        ),
        ("listen:\n\tport: 1\n", "FILE:2:1: not YAML: "),
        ("listen: [\n", "FILE:2:1: not YAML: "),
        ("listen: {port: !!python/object:os.system 1}\n", "FILE:1:16: listen.port: the tag"),
        ("- server\n", "FILE:1:1: must hold sections such as `server:`"),
        ("? [a, b]\n: 1\n", "FILE:1:3: a key must be a word"),
        (
            "listen: {trusted_proxies: [0.0.0.0/0]}\n",
            "FILE:1:27: listen.trusted_proxies: a network of the whole internet",
        ),
        (
            "listen: {trusted_proxies: [proxy]}\n",
            "FILE:1:28: listen.trusted_proxies[0]: must be a network like",
        ),
        ("rate_limits:\n  login: {per_second: 1}\n", "FILE:2:10: rate_limits.login.burst: is missing"),
        (
            "rate_limits:\n  login: {per_second: 0, burst: 1}\n",
            "FILE:2:23: rate_limits.login.per_second: must be more than 0",
        ),
        ("university: {prefix: chat}\n", "FILE:1:22: university.prefix: has not the right form"),
        ("university: {prefix: /a/}\n", "FILE:1:22: university.prefix: has not the right form"),
    ],
)
def test_an_error_names_the_line_and_what_is_wrong(folder: Folder, text: str, said: str) -> None:
    [problem] = folder.problems(text)
    assert problem.startswith(said)


def test_all_that_is_wrong_is_told_at_once(folder: Folder) -> None:
    problems = folder.problems(
        "listen:\n  port: x\n  hots: y\nlogs:\n  level: 1\n", HOMESERVER__WEB__DEMO="no"
    )
    assert sorted(problem.split(": ")[0] for problem in problems) == [
        "FILE:2:9",
        "FILE:3:3",
        "FILE:5:10",
        "environment variable HOMESERVER__WEB__DEMO",
    ]


def test_where_text_is_wanted_bare_words_and_numbers_are_text(folder: Folder) -> None:
    text = "server: {name: 0123, default_room_version: 10}\n"
    settings = folder.load(text + issuer(name="on", secret="1" * 40))
    assert settings.server.name == "0123"
    assert settings.server.default_room_version == "10"
    assert settings.issuers[0].name == "on"
    assert settings.issuers[0].secret is not None
    assert settings.issuers[0].secret.get_secret_value() == "1" * 40


def test_a_file_that_blows_up_by_repetition_is_refused(folder: Folder) -> None:
    layers = "\n".join(f"  - &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    problems = folder.problems(f"cors:\n  origins:\n  - &l0 [x, x, x, x, x, x, x, x, x]\n{layers}\n")
    assert "too much nested or repeated" in problems[0]
    assert "too much nested or repeated" in folder.problems("cors: &a {origins: [*a]}\n")[0]


def test_a_file_that_cannot_be_read_is_named(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml: cannot be read: No such file"):
        load(tmp_path / "absent.yaml", {})
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(tmp_path, {})
    folder.file.write_bytes(b"server:\n  name: \xff\n")
    with pytest.raises(SettingsError, match=r"is not UTF-8 text \(byte 16\)"):
        load(folder.file, {})
    folder.file.write_bytes(b"#" * 2_000_000)
    with pytest.raises(SettingsError, match="is larger than"):
        load(folder.file, {})


def test_without_a_path_the_file_of_this_folder_is_taken(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.path)
    assert load(environ={}).listen.port == 8008
    folder.load("listen: {port: 7000}")
    assert load(environ={}).listen.port == 7000


def test_the_process_s_environment_is_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMESERVER__LISTEN__PORT", "7001")
    folder.file.write_text("listen: {port: 7000}")
    assert load(folder.file).listen.port == 7001


def test_variables_win_over_the_file(folder: Folder) -> None:
    settings = folder.load(
        "listen:\n  port: 7000\n  host: 0.0.0.0\ncors:\n  origins: [https://a.example]\n",
        HOMESERVER__LISTEN__PORT="7001",
        HOMESERVER__ACCOUNTS__REGISTRATION="true",
        HOMESERVER__SERVER__NAME="0123",
        HOMESERVER__CORS__ORIGINS='["https://b.example", "https://c.example"]',
        HOMESERVER__RATE_LIMITS__LOGIN="{per_second: 2, burst: 3}",
        HOMESERVER__MEDIA__THUMBNAIL_SIZES="[{width: 32, height: 32}]",
        HOMESERVER__RATE_LIMITS__LOGIN__BURST="9",
        HOMESERVER_TEST_POSTGRES="not ours",
        PATH="/bin",
    )
    assert settings.listen.port == 7001
    assert settings.listen.host == "0.0.0.0"
    assert settings.accounts.registration
    assert settings.server.name == "0123"
    assert settings.cors.origins == ("https://b.example", "https://c.example")
    assert (settings.rate_limits.login.per_second, settings.rate_limits.login.burst) == (2, 9)
    assert [size.width for size in settings.media.thumbnail_sizes] == [32]


def test_one_key_of_an_issuer_can_be_set_from_outside(folder: Folder) -> None:
    settings = folder.load(
        issuer(name="portal", jwks_url="https://portal.example.org/jwks", algorithms="[RS256]"),
        HOMESERVER__ISSUERS__0__AUDIENCE="chat",
        HOMESERVER__ISSUERS__1__NAME="shop",
        HOMESERVER__ISSUERS__1__NAMESPACE="2",
        HOMESERVER__ISSUERS__1__SECRET=SECRET,
        HOMESERVER__ISSUERS__1__CLAIMS__USER_ID="sub",
    )
    assert [issuer.name for issuer in settings.issuers] == ["portal", "shop"]
    assert settings.issuers[0].audience == "chat"
    assert settings.issuers[1].claims.user_id == "sub"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HOMESERVER__LISTEN__PROT", "1", "is not known; did you mean HOMESERVER__LISTEN__PORT?"),
        ("HOMESERVER__LISTN__PORT", "1", "is not known; did you mean HOMESERVER__LISTEN?"),
        ("HOMESERVER__LISTEN__PORT__X", "1", "is not known"),
        ("HOMESERVER__", "1", "is not known"),
        ("homeserver__listen__port", "1", "is not known"),
        ("HOMESERVER__LISTEN__PORT", "x", "listen.port: must be a whole number"),
        ("HOMESERVER__LISTEN__PORT", "", "listen.port: must be a whole number"),
        ("HOMESERVER__LISTEN__PORT", "[", "not YAML: "),
        ("HOMESERVER__LISTEN", "{prot: 1}", "listen.prot: is not a known key; did you mean port?"),
        ("HOMESERVER__ISSUERS__1__NAME", "x", "does not fit: issuers ends before it"),
        ("HOMESERVER__CORS__ORIGINS__0", "nonsense", "cors.origins[0]: must be an address like"),
        ("HOMESERVER__DATABASE__URL_FILE", "absent", "database.url_file: "),
    ],
)
def test_an_error_in_the_environment_names_the_variable(
    folder: Folder, name: str, value: str, said: str
) -> None:
    problem = folder.problems("", **{name: value})[0]
    assert problem.startswith(f"environment variable {name}: {said}")


def test_a_variable_that_does_not_fit_a_broken_file_is_told_too(folder: Folder) -> None:
    problems = folder.problems("listen: 5\n", HOMESERVER__LISTEN__PORT="1")
    assert problems[0].startswith("environment variable HOMESERVER__LISTEN__PORT: does not fit")


def test_secrets_come_from_files(folder: Folder) -> None:
    (folder.path / "db").write_text("postgresql://chat:pw@db/chat\n")
    (folder.path / "host").write_text(f"{SECRET}\r\n")
    text = "database: {url_file: db}\nissuers:\n- {name: a, namespace: 1, secret_file: host}\n"
    settings = folder.load(text)
    assert settings.database.url == "postgresql://chat:pw@db/chat"
    assert settings.database.url_file is None
    assert settings.issuers[0].secret is not None
    assert settings.issuers[0].secret.get_secret_value() == SECRET


def test_a_secret_given_twice_is_refused(folder: Folder) -> None:
    (folder.path / "db").write_text("sqlite:///x")
    [problem] = folder.problems("database:\n  url_file: db\n  url: sqlite:///y\n")
    assert problem == "FILE:2:3: database: takes url or url_file, not both"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b"\xff", 0o600, "is not UTF-8 text"),
        (b"x" * 100_000, 0o600, "is larger than"),
        (b"sqlite:///x", 0o602, "may be written by anybody (mode 0602); chmod o-w it"),
        (b"nonsense", 0o600, None),
    ],
)
def test_a_bad_secret_file_is_named_and_not_shown(
    folder: Folder, content: bytes, mode: int, said: str | None
) -> None:
    secret_file = folder.path / "db"
    secret_file.write_bytes(content)
    secret_file.chmod(mode)
    [problem] = folder.problems("database:\n  url_file: db\n")
    if said is None:
        assert problem.startswith("FILE:2:13: database.url: has not the right form")
    else:
        assert problem == f"FILE:2:13: database.url_file: {secret_file} {said}" or (
            problem.startswith(f"FILE:2:13: database.url_file: {secret_file} {said}")
        )
    assert "nonsense" not in problem


def test_a_secret_shows_neither_in_errors_nor_in_print(folder: Folder) -> None:
    text = f"database: {{url: 'postgresql://chat:{SECRET}@db/chat'}}\n"
    assert SECRET not in repr(folder.load(text + issuer(secret=SECRET)))
    [problem] = folder.problems(issuer(secret=SECRET, namespace=0))
    assert SECRET not in problem

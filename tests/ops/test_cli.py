"""The command line: each verb through the program's own entry."""

import json
import re

import pytest

from homeserver.settings import reference
from homeserver.settings.secrets import open_keys
from tests.ops.drivers import PASSWORD, Cli


def test_help_names_all_verbs(cli: Cli) -> None:
    text = cli("--help")
    for verb in (
        "run",
        "migrate",
        "check-config",
        "generate-config",
        "verify-room",
        "user",
        "keys",
        "service-keys",
        "registration-tokens",
        "rooms",
        "messages",
        "reports",
    ):
        assert re.search(rf"\b{verb}\b", text)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", cli("--version"))


def test_good_settings_are_called_good(cli: Cli) -> None:
    assert cli("check-config") == "the settings are good\n"


def test_bad_settings_are_told_with_their_line_by_every_verb(cli: Cli) -> None:
    cli.config.write_text("listen:\n  prot: 1\n")
    for verb in (
        ["check-config"],
        ["run"],
        ["migrate"],
        ["user", "list"],
        ["keys", "show"],
        ["verify-room", "!x:y"],
    ):
        said = cli(*verb, status=2)
        assert said == f"{cli.config}:2:3: listen.prot: is not a known key; did you mean port?\n"


def test_settings_that_raise_questions_are_good_but_questioned(cli: Cli) -> None:
    cli.config.write_text("listen: {host: 0.0.0.0}\naccounts: {registration: true}\n")
    said = cli("check-config")
    assert "look again: accounts.registration is true" in said
    assert said.endswith("the settings are good\n")


def test_generated_files_are_those_of_the_reference(cli: Cli) -> None:
    assert cli("generate-config", "--all") == reference.reference_yaml()
    assert cli("generate-config", "--schema") == reference.schema_json()
    small = cli(
        "generate-config", "--server-name", "chat.example.org", "--public-url", "https://chat.example.org"
    )
    cli.config.write_text(small)
    assert "chat.example.org" in small
    assert cli("check-config").endswith("the settings are good\n")


def test_generating_never_writes_over_a_file(cli: Cli) -> None:
    path = cli.folder / "new.yaml"
    cli("generate-config", "-o", str(path))
    assert path.read_text() == reference.smallest_yaml("localhost", "http://127.0.0.1:8008")
    said = cli("generate-config", "--all", "-o", str(path), status=1)
    assert "cannot be written: File exists" in said
    cli("generate-config", "--all", "--schema", status=1)


def test_migrate_makes_the_tables_once(cli: Cli) -> None:
    assert "are at revision None" in cli("migrate", "--check", status=1)
    assert cli("migrate") == "the tables are now up to date\n"
    assert cli("migrate") == "the tables were up to date\n"
    assert cli("migrate", "--check") == "the tables were up to date\n"


def test_an_account_is_made_with_a_password_from_a_file(cli: Cli) -> None:
    said = cli(
        "user",
        "create",
        "--name",
        "Alice",
        "--email",
        "alice@example.org",
        "--password-file",
        cli.password_file(),
    )
    assert said == "@alice:localhost (number 1, tag alice)\n"
    assert PASSWORD not in said


def test_a_password_is_typed_twice_and_not_shown(cli: Cli) -> None:
    args = ("user", "create", "--name", "Bob", "--email", "bob@example.org")
    said = cli(*args, keyboard=f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n")
    assert "do not match" in said
    assert "@bob:localhost" in said
    assert PASSWORD not in said


def test_a_password_comes_from_standard_input(cli: Cli) -> None:
    args = ("user", "create", "--name", "Bob", "--email", "bob@example.org", "--password-file", "-")
    assert "@bob:localhost" in cli(*args, keyboard=f"{PASSWORD}\n")
    cli("user", "reset-password", "bob@example.org", "--password-file", "-", keyboard="", status=1)


def test_no_password_is_taken_from_the_command_line(cli: Cli) -> None:
    said = cli(
        "user", "create", "--name", "Bob", "--email", "b@example.org", "--password", PASSWORD, status=2
    )
    assert "No such option" in said
    assert "--password-file" in cli("user", "create", "--help")


@pytest.mark.parametrize(
    ("args", "password", "said"),
    [
        (["--email", "no e-mail"], PASSWORD, "e-mail"),
        (["--email", "a@example.org"], "short", "the password must have at least 8 characters"),
        (["--email", "taken@example.org"], PASSWORD, "this e-mail address is in use"),
        (["--email", "a@example.org", "--tag", "?"], PASSWORD, "tag"),
    ],
)
def test_what_the_service_refuses_is_told_without_a_trace(
    cli: Cli, args: list[str], password: str, said: str
) -> None:
    cli(
        "user",
        "create",
        "--name",
        "T",
        "--email",
        "taken@example.org",
        "--password-file",
        cli.password_file(),
    )
    output = cli(
        "user", "create", "--name", "A", *args, "--password-file", cli.password_file(password), status=1
    )
    assert said in output
    assert "Traceback" not in output
    assert output.count("\n") == 1


def test_an_account_without_e_mail_needs_no_password(cli: Cli) -> None:
    assert cli("user", "create", "--name", "Robot") == "@robot:localhost (number 1, tag robot)\n"


def test_people_are_listed_for_people_and_for_programs(cli: Cli) -> None:
    for name in ("Alice", "Боб"):
        cli("user", "create", "--name", name, "--tag", "alice" if name == "Alice" else "bob")
    lines = cli("user", "list").splitlines()
    assert lines[0].split() == ["number", "user", "id", "name", "tag", "e-mail", "created", "standing"]
    assert lines[1].split()[:3] == ["1", "@alice:localhost", "Alice"]
    assert lines[2].split()[-1] == "active"
    rows = [json.loads(line) for line in cli("user", "list", "--json").splitlines()]
    assert [row["display_name"] for row in rows] == ["Alice", "Боб"]
    assert [json.loads(cli("user", "list", "--json", "--limit", "1", "--offset", "1"))["number"]] == [2]


def test_suspending_and_closing_show_in_the_list(cli: Cli) -> None:
    cli("user", "create", "--name", "Alice")

    def standing() -> str:
        return str(json.loads(cli("user", "list", "--json"))["standing"])

    assert cli("user", "suspend", "@alice:localhost") == "@alice:localhost is suspended\n"
    assert standing() == "suspended"
    cli("user", "unsuspend", "@alice:localhost")
    assert standing() == "active"
    cli("user", "lock", "@alice:localhost")
    assert standing() == "locked"
    cli("user", "unlock", "@alice:localhost")
    assert cli("user", "admin", "@alice:localhost") == "@alice:localhost is an admin\n"
    assert standing() == "admin"
    cli("user", "admin", "@alice:localhost", "--revoke")
    cli("user", "deactivate", "@alice:localhost", keyboard="n\n", status=1)
    assert standing() == "active"
    cli("user", "deactivate", "@alice:localhost", "--yes")
    assert standing() == "closed"


def test_a_person_who_is_not_there_is_not_found(cli: Cli) -> None:
    for who in ("@nobody:localhost", "nobody@example.org"):
        said = cli("user", "reset-password", who, "--password-file", cli.password_file(), status=1)
        assert said == "no such account\n"


def test_a_password_file_that_cannot_be_read_is_named(cli: Cli) -> None:
    absent = str(cli.folder / "absent")
    said = cli("user", "reset-password", "@a:localhost", "--password-file", absent, status=1)
    assert said == f"{absent} cannot be read: No such file or directory\n"


def test_keys_show_only_their_public_halves(cli: Cli) -> None:
    said = cli("keys", "show")
    keys = open_keys(cli.folder / "data")
    assert said == f"{keys.signing.key_id} {keys.signing.verify_key_base64} (signs)\n"
    for secret in (
        keys.signing.to_text().split()[2],
        (cli.folder / "data/keys/media_url.key").read_text().strip(),
    ):
        assert secret not in said


def test_a_key_is_replaced_after_a_question(cli: Cli) -> None:
    first = open_keys(cli.folder / "data")
    cli("keys", "rotate", "signing", keyboard="n\n", status=1)
    assert open_keys(cli.folder / "data") == first
    said = cli("keys", "rotate", "signing", "--yes")
    second = open_keys(cli.folder / "data")
    assert [one.key for one in second.old_signing] == [first.signing]
    assert f"{second.signing.key_id} {second.signing.verify_key_base64} (signs)\n" in said
    assert f"{first.signing.key_id} {first.signing.verify_key_base64} (old)\n" in said
    cli("keys", "rotate", "access-token", "--yes")
    cli("keys", "rotate", "media-url", "--yes")
    third = open_keys(cli.folder / "data")
    assert third.access_token != second.access_token
    assert third.media_url != second.media_url
    assert third.signing == second.signing


def test_service_keys_are_made_listed_and_revoked(cli: Cli) -> None:
    secret, told = cli("service-keys", "create", "order server", "--scope", "messenger").splitlines()
    key_id = secret.split("_")[1]
    assert told == f"Key {key_id} is good for messenger. Keep it now: only its hash is stored."
    said = cli("service-keys", "list")
    assert secret not in said
    assert said.splitlines()[0].split() == ["key", "name", "scope", "created", "last", "used", "standing"]
    assert said.splitlines()[1].split()[:4] == [key_id, "order", "server", "messenger"]
    assert cli("service-keys", "revoke", key_id) == f"{key_id} is revoked\n"
    assert json.loads(cli("service-keys", "list", "--json"))["standing"] == "revoked"
    assert cli("service-keys", "revoke", "0" * 16, status=1) == "no such service key\n"
    unknown = cli("service-keys", "create", "x", "--scope", "marketplace", status=1)
    assert unknown == "no API or bridge marketplace; known are messenger, university\n"


def test_registration_tokens_are_made_listed_and_revoked(cli: Cli) -> None:
    made, told = cli("registration-tokens", "create", "--uses", "3", "--days", "7").splitlines()
    assert told == "nobody is asked for tokens: matrix.registration_needs_token is off"
    cli.config.write_text("matrix: {registration_needs_token: true}\n")
    assert cli("registration-tokens", "create", "--token", "friends") == "friends\n"
    head, first, second = cli("registration-tokens", "list").splitlines()
    assert head.split() == ["token", "used", "of", "created", "ends"]
    assert first.split()[:3] == [made, "0", "3"]
    assert (second.split()[:3], second.split()[-1]) == (["friends", "0", "any"], "never")
    assert cli("registration-tokens", "create", "--token", "friends", status=1) == (
        "this token exists already\n"
    )
    assert "1 to 64 letters" in cli("registration-tokens", "create", "--token", "a b", status=1)
    assert cli("registration-tokens", "revoke", made) == f"{made} is revoked\n"
    assert json.loads(cli("registration-tokens", "list", "--json"))["token"] == "friends"
    assert cli("registration-tokens", "revoke", made, status=1) == "no such token\n"


def test_keys_open_to_others_are_refused(cli: Cli) -> None:
    cli("keys", "show")
    (cli.folder / "data/keys/signing.key").chmod(0o644)
    assert "chmod 0600 it" in cli("keys", "show", status=1)
    assert "chmod 0600 it" in cli("user", "list", status=1)
    assert "chmod 0600 it" in cli("run", status=1)


def test_an_unknown_room_cannot_be_verified(cli: Cli) -> None:
    assert "are at revision None" in cli("verify-room", "!x:localhost", status=1)
    cli("migrate")
    assert cli("verify-room", "!x:localhost", status=1) == "no such room\n"


def test_a_database_that_is_away_is_told_without_its_password(cli: Cli) -> None:
    said = cli(
        "user", "list", status=1, HOMESERVER__DATABASE__URL="postgresql://chat:s3cretword@127.0.0.1:1/chat"
    )
    assert said.startswith("the database cannot be used: ")
    assert "s3cretword" not in said
    assert "Traceback" not in said

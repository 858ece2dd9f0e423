"""What a server shows to others without being told to: files to other users of the machine, a demo to the network."""

import stat
from pathlib import Path

import pytest

from homeserver.settings.advice import advice
from homeserver.settings.models import DatabaseSettings
from homeserver.settings.tree import SettingsError
from homeserver.storage.db import Database, database_url
from homeserver.storage.migrate import upgrade
from tests.ops.test_reference import load_text

PROXY = "listen: {trusted_proxies: [127.0.0.1/32]}\n"
REACHED = ("listen: {host: 0.0.0.0}\n", PROXY, "server: {public_url: 'https://chat.example.org'}\n")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("was_there", [False, True])
async def test_others_on_the_machine_cannot_read_the_database(tmp_path: Path, was_there: bool) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    url = database_url(DatabaseSettings(), folder)
    file = folder / "homeserver.db"
    if was_there:  # as an earlier version left it
        await upgrade(url)
        file.chmod(0o644)
    await upgrade(url)
    db = Database(url, DatabaseSettings())
    async with db.write() as conn:
        await conn.exec_driver_sql("DELETE FROM number_heads")
        modes = {one.name: oct(mode(one)) for one in folder.iterdir()}
    await db.close()
    assert modes == dict.fromkeys(("homeserver.db", "homeserver.db-wal", "homeserver.db-shm"), "0o600")


@pytest.mark.parametrize(("bits", "is_told"), [(0o755, True), (0o710, True), (0o700, False)])
def test_an_open_data_folder_is_pointed_out(tmp_path: Path, bits: int, is_told: bool) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(bits)
    said = advice(load_text(tmp_path, f"server: {{data_dir: {folder}}}"))
    assert any("chmod 700" in sentence for sentence in said) is is_told, said


@pytest.mark.parametrize("reached", REACHED)
def test_a_demo_that_others_reach_needs_a_word(tmp_path: Path, reached: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_text(tmp_path, reached + "web: {demo: true}")
    assert "web.demo_public" in str(refused.value.problems[0])
    said = advice(load_text(tmp_path, reached + "web: {demo: true, demo_public: true}"))
    assert any("known passwords" in sentence for sentence in said), said
    load_text(tmp_path, "web: {demo: true}")


@pytest.mark.parametrize("reached", REACHED[1:])
@pytest.mark.parametrize("opened", ["accounts: {registration: true}", "guest_accounts: {enabled: true}"])
def test_open_registration_without_limits_behind_a_proxy_is_pointed_out(
    tmp_path: Path, reached: str, opened: str
) -> None:
    said = advice(load_text(tmp_path, f"{reached}{opened}\nrate_limits: {{enabled: false}}"))
    assert any("full of spam" in sentence for sentence in said), said

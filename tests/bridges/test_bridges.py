"""How bridges are found, checked and run; the echo bridge shows all that one can have."""

from pathlib import Path

import aiohttp
import pytest

from homeserver.app import build
from homeserver.bridges import find
from homeserver.errors import Invalid
from homeserver.faces import make_bridges
from homeserver.http.sockets import Hub
from homeserver.lifecycle import Running, running
from homeserver.settings.load import load
from homeserver.settings.models import Settings
from tests.api.driver import User, register


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The echo bridge lies where installed packages lie."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"bridges": {"echo": {"prefix": "/api/parrot"}}}


@pytest.mark.both
async def test_the_echo_bridge_answers(server: Running, client: aiohttp.ClientSession) -> None:
    alice: User = await register(client, "Alice")
    bot = await alice.call("GET", "/api/parrot/who")
    assert bot["display_name"] == "Echo"
    chat = await alice.private(User(client, "", bot["id"]))
    async with alice.socket(chat) as ear:
        await ear.say("message:new", text="Polly")
        said = [(await ear.next())["payload"] for _ in range(2)]
        assert [(one["text"], one["sender_id"]) for one in said] == [
            ("Polly", alice.id),
            ("Polly", bot["id"]),
        ]
    assert await alice.texts(chat) == ["Polly", "Polly"]


@pytest.mark.own_server
async def test_its_warnings_are_said_at_start(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    said = [record.getMessage() for record in caplog.get_records("setup")]
    assert "bridge echo: it talks back" in said


async def test_its_api_needs_a_token_and_is_in_the_documentation(
    server: Running, client: aiohttp.ClientSession
) -> None:
    async with client.get("/api/parrot/who") as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "missing_token")
    async with client.get("/openapi.json") as answer:
        assert "/api/parrot/who" in (await answer.json())["paths"]


def test_what_is_not_installed_is_told() -> None:
    with pytest.raises(Invalid, match=r"bridges\.nowhere: there is no such bridge; installed:.* echo"):
        find("nowhere")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"prefix": "no slash"}, r"bridges\.echo\.prefix: String should match pattern"),
        ({"colour": "red"}, r"bridges\.echo\.colour: Extra inputs are not permitted"),
        ({"name": ""}, r"bridges\.echo\.name: String should have at least 1 character"),
    ],
)
async def test_its_settings_are_checked_by_its_own_model(
    settings: Settings, section: dict[str, object], said: str
) -> None:
    hs = build(settings.model_copy(update={"bridges": {"echo": section}}))
    hub = Hub(settings.sockets, hs.core.clock, hs.core.metrics)
    with pytest.raises(Invalid, match=said):
        make_bridges(hs, hub)
    await hs.core.db.close()


@pytest.mark.parametrize("overrides", [{"bridges": {"echo": {"prefix": "/api/v1"}}}])
async def test_two_apis_cannot_have_one_place(settings: Settings) -> None:
    with pytest.raises(Invalid, match=r"/api/v1 is the prefix of Messenger and of Echo"):
        async with running(settings):
            pass


def test_bridges_are_set_in_the_file_or_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "homeserver.yaml"
    file.write_text("bridges:\n  echo:\n    name: Polly\n")
    assert load(file, {}).bridges == {"echo": {"name": "Polly"}}
    assert load(None, {"HOMESERVER__BRIDGES": "echo: {name: Polly}"}).bridges == {"echo": {"name": "Polly"}}


async def test_without_a_section_there_is_no_bridge(settings: Settings) -> None:
    plain = settings.model_copy(update={"bridges": {}})
    async with (
        running(plain) as server,
        aiohttp.ClientSession(server.url) as session,
        session.get("/api/parrot/who") as answer,
    ):
        assert answer.status == 404

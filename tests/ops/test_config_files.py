"""What stands in config/ fits the server: the board shows its numbers, the proxy lets through what must pass."""

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from homeserver.metrics import Metrics
from homeserver.settings.load import load
from homeserver.settings.models import Settings

CONFIG = Path(__file__).parents[2] / "config"


def read(name: str) -> str:
    return (CONFIG / name).read_text(encoding="utf-8")


def expressions() -> list[str]:
    board = json.loads(read("grafana.json"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def busy_metrics() -> Metrics:
    """Numbers of which each has been used once, as one that never was has no labels yet."""
    metrics = Metrics()
    metrics.request_started()
    metrics.request_done(route="/x", method="GET", status=200, seconds=0.01, statements=2)
    metrics.batch_committed(entries=1, events=1, seconds=0.001)
    metrics.statement_sent()
    metrics.set_waiting(1)
    metrics.socket_opened("university")
    metrics.frames_sent("university")
    metrics.slow_socket_closed("university")
    metrics.rate_limited("login")
    metrics.push_tried("sent")
    metrics.task_failed("sweep")
    metrics.task_restarted("sweep")
    metrics.set_aside("search")
    return metrics


def test_the_board_asks_only_for_numbers_that_exist_by_labels_that_exist() -> None:
    samples = [sample for family in busy_metrics().registry.collect() for sample in family.samples]
    labels: dict[str, set[str]] = {}
    for sample in samples:
        labels.setdefault(sample.name, set()).update(sample.labels)
    for expression in expressions():
        [name] = re.findall(r"(?:homeserver|process)_\w+", expression)
        assert name in labels, expression
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert set(re.split(r",\s*", group)) <= labels[name], expression


def test_the_board_shows_all_of_our_numbers() -> None:
    text = "\n".join(expressions())
    for family in Metrics().registry.collect():
        if family.name.startswith("homeserver_"):
            assert family.name in text, family.name


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(read("grafana.json"))["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_proxy_passes_sockets_addresses_and_the_largest_file() -> None:
    text = read("nginx.conf")
    settings = Settings()
    size = re.search(r"client_max_body_size (\d+)m;", text)
    assert size
    assert int(size[1]) * 1024**2 > settings.media.max_upload_bytes
    timeout = re.search(r"proxy_read_timeout (\d+)s;", text)
    assert timeout
    assert int(timeout[1]) > settings.sockets.ping_interval_s + settings.sockets.pong_timeout_s
    assert re.search(r"proxy_set_header Upgrade\s+\$http_upgrade;", text)
    assert re.search(r"proxy_set_header X-Forwarded-For\s+\$remote_addr;", text)
    assert f"server 127.0.0.1:{settings.listen.port};" in text


def test_the_proxy_s_log_has_no_query() -> None:
    text = re.sub(r"#.*", "", read("nginx.conf"))
    [log_format] = re.findall(r"log_format homeserver (.*?);", text, re.DOTALL)
    for variable in ("$request ", "$request_uri", "$args", "$query_string", "$http_"):
        assert variable not in log_format
    assert len(re.findall(r"access_log \S+ homeserver;", text)) == text.count("access_log ")


def test_the_unit_starts_our_verb_and_waits_long_enough() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's own way to keep capitals
    unit.read_string(read("homeserver.service"))
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["run", "-c", "/etc/homeserver/homeserver.yaml"]
    assert float(service["TimeoutStopSec"]) > 3 * Settings().listen.shutdown_grace_s
    assert service["RestartPreventExitStatus"] == "2"
    assert service["UMask"] == "0077"
    assert f"/var/lib/{service['StateDirectory']}" == str(load(CONFIG / "sqlite.yaml", {}).server.data_dir)


@pytest.fixture
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
    return content


def test_the_containers_settings_load(compose: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "database.url").write_text("postgresql://homeserver:x@database/homeserver")
    given = dict(re.findall(r"(HOMESERVER__\w+)=(\S+)", read("Dockerfile")))
    given |= compose["services"]["homeserver"]["environment"]
    given |= {
        "HOMESERVER__SERVER__NAME": "chat.example.org",
        "HOMESERVER__SERVER__PUBLIC_URL": "https://chat.example.org",
        "HOMESERVER__DATABASE__URL_FILE": str(tmp_path / "database.url"),
    }
    (tmp_path / "empty.yaml").write_text("")
    settings = load(tmp_path / "empty.yaml", given)
    assert str(settings.server.data_dir) == "/data"
    assert settings.listen.host == "0.0.0.0"
    [proxy] = settings.listen.trusted_proxies
    [network] = compose["networks"]["homeserver"]["ipam"]["config"]
    assert str(proxy) == f"{network['gateway']}/32"


def test_the_image_takes_in_only_what_it_needs(compose: dict[str, Any]) -> None:
    copied = {
        name
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", read("Dockerfile"), re.MULTILINE)
        for name in line.split()
    }
    let_in = {line[1:] for line in read("Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    assert copied == let_in
    assert compose["services"]["homeserver"]["build"]["dockerfile"] == "config/Dockerfile"
    assert "ports" not in compose["services"]["database"]
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["homeserver"]["ports"])

"""The numbers: each server has its own, and they are served on a port of their own."""

import aiohttp

from homeserver.metrics import Metrics, listen
from homeserver.settings.models import MetricsSettings


def test_two_servers_in_one_process_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    one.batch_committed(entries=7, events=5, seconds=0.002)
    assert one.value("homeserver_entries_appended_total") == 7
    assert one.value("homeserver_events_appended_total") == 5
    assert one.value("homeserver_batch_entries_count") == 1
    assert other.value("homeserver_entries_appended_total") == 0


def test_requests_are_counted_by_route_method_and_class_of_status() -> None:
    metrics = Metrics()
    for status in (200, 204, 404):
        metrics.request_started()
        metrics.request_done(route="/rooms/{id}", method="GET", status=status, seconds=0.01)
    name = "homeserver_http_requests_total"
    assert metrics.value(name, route="/rooms/{id}", method="GET", status="2xx") == 2
    assert metrics.value(name, route="/rooms/{id}", method="GET", status="4xx") == 1
    assert metrics.value("homeserver_http_requests_open") == 0
    assert metrics.value("homeserver_http_request_seconds_count", route="/rooms/{id}", method="GET") == 3


def test_a_made_up_method_makes_no_new_series() -> None:
    metrics = Metrics()
    for method in ("BREW", "STEEP", "POUR"):
        metrics.request_started()
        metrics.request_done(route="unmatched", method=method, status=405, seconds=0.01)
    name = "homeserver_http_requests_total"
    assert metrics.value(name, route="unmatched", method="other", status="4xx") == 3


def test_an_open_socket_has_no_duration_yet() -> None:
    metrics = Metrics()
    metrics.request_started()
    metrics.request_done(route="/ws", method="GET", status=101, seconds=None)
    assert metrics.value("homeserver_http_requests_total", route="/ws", method="GET", status="1xx") == 1
    assert metrics.value("homeserver_http_request_seconds_count", route="/ws", method="GET") == 0


def test_sockets_frames_limits_and_statements() -> None:
    metrics = Metrics()
    metrics.socket_opened("university")
    metrics.socket_opened("university")
    metrics.socket_closed("university")
    metrics.frames_sent("university", 3)
    metrics.slow_socket_closed("university")
    metrics.rate_limited("login")
    metrics.statement_sent()
    metrics.set_waiting(12)
    assert metrics.value("homeserver_sockets_open", face="university") == 1
    assert metrics.value("homeserver_frames_sent_total", face="university") == 3
    assert metrics.value("homeserver_slow_sockets_closed_total", face="university") == 1
    assert metrics.value("homeserver_rate_limited_total", bucket="login") == 1
    assert metrics.value("homeserver_db_statements_total") == 1
    assert metrics.value("homeserver_entries_waiting") == 12


async def test_the_listener_answers_with_all_numbers_and_the_process() -> None:
    metrics = Metrics()
    metrics.batch_committed(entries=3, events=3, seconds=0.002)
    settings = MetricsSettings(enabled=True, host="127.0.0.1", port=0)
    async with listen(metrics, settings) as port, aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{port}/metrics") as answer:
            text = await answer.text()
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert "homeserver_entries_appended_total 3.0" in text
        assert "process_resident_memory_bytes" in text
        assert "process_cpu_seconds_total" in text
        async with client.get(f"http://127.0.0.1:{port}/") as other:
            assert other.status == 404


async def test_switched_off_nothing_listens() -> None:
    async with listen(Metrics(), MetricsSettings(enabled=False)) as port:
        assert port is None

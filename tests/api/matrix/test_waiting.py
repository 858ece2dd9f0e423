"""Long polls that nothing happens for: their waiting makes no request slow, in the log and in the metrics."""

import asyncio
import logging

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create
from tests.api.matrix.slidekit import PATH as SLIDING
from tests.api.matrix.synckit import Follower

pytestmark = pytest.mark.own_server

SLOW_MS = 1000
WAIT_MS = 2000


@pytest.fixture
def overrides() -> dict[str, object]:
    return {
        "matrix": {"enabled": True},
        "push": {"poll_interval_s": 60},
        "logs": {"slow_request_ms": SLOW_MS},
    }


async def test_waiting_is_not_slow(server: Running, alice: Client, caplog: pytest.LogCaptureFixture) -> None:
    room_id = await create(alice)
    his = Follower(alice)
    await his.sync()
    while await his.sync() != await his.sync():
        pass
    first = await alice.call("POST", SLIDING, body={})
    uri = (await alice.call("POST", "/_matrix/media/v1/create"))["content_uri"].removeprefix("mxc://")
    since = {"from": his.token, "timeout": WAIT_MS}
    slide = {"pos": first["pos"], "timeout": WAIT_MS}
    caplog.set_level(logging.INFO, "homeserver.access")
    caplog.clear()
    await asyncio.gather(
        his.sync(WAIT_MS),
        alice.call("GET", "events", params=since),
        alice.call("GET", "events", params={**since, "room_id": room_id}),
        alice.call("POST", SLIDING, body={}, params=slide),
        alice.errcode("GET", f"/_matrix/client/v1/media/download/{uri}?timeout_ms={WAIT_MS}", 504),
    )
    lines = [one.getMessage() for one in caplog.records if one.name == "homeserver.access"]
    assert len([line for line in lines if " waited=" in line]) == 5, lines
    assert not [line for line in lines if line.endswith(" slow")], lines
    metrics, prefix = server.hs.core.metrics, "/_matrix/client"
    for route, method in ((f"{prefix}/v3/sync", "GET"), (f"{prefix}/v3/events", "GET"), (SLIDING, "POST")):
        spent_s = metrics.value("homeserver_http_request_seconds_sum", route=route, method=method)
        assert 0 < spent_s < WAIT_MS / 1000, (route, spent_s)

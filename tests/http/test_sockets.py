"""WebSockets: groups, slow readers, replays, limits and the ways to end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from pytest_aiohttp.plugin import AiohttpClient

from homeserver.clock import FakeClock
from homeserver.errors import Forbidden, HomeserverError, NotFound, RateLimited, Unauthenticated, Unavailable
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket
from homeserver.model import SessionId
from homeserver.protocol.ids import UserId
from homeserver.settings.models import SocketSettings
from tests.http.hubs import Client, News, Place, closed, connect
from tests.http.kit import until


@pytest.fixture
async def place(request: pytest.FixtureRequest) -> Place:
    settings = SocketSettings(**{"first_frame_wait_s": 0, **getattr(request, "param", {})})
    news, clock = News(), FakeClock()
    return Place(Hub(settings, clock, news), news, clock)


@pytest.fixture
async def client(place: Place, aiohttp_client: AiohttpClient) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_get("/", place.serve)
    made = await aiohttp_client(app)
    yield made
    await place.hub.stop(2)


async def test_everybody_in_a_group_gets_the_same_frame_in_order(place: Place, client: Client) -> None:
    people = [await connect(client, place, user=f"user{n}") for n in range(5)]
    for n in range(20):
        place.hub.broadcast("room", f"frame {n}".encode())
    place.hub.broadcast("elsewhere", b"not for them")
    for ws in people:
        assert [await ws.receive_str() for _ in range(20)] == [f"frame {n}" for n in range(20)]
    await until(lambda: place.news.seen["test sent"] == 100)
    assert place.news.seen["test opened"] == 5


async def test_one_person_can_be_left_out(place: Place, client: Client) -> None:
    alice, bob = await connect(client, place, user="alice"), await connect(client, place, user="bob")
    place.hub.broadcast("room", b"alice is typing", but=UserId("alice"))
    place.hub.broadcast("room", b"for all")
    assert await alice.receive_str() == "for all"
    assert await bob.receive_str() == "alice is typing"


async def test_groups_empty_when_sockets_go(place: Place, client: Client) -> None:
    ws = await connect(client, place)
    assert place.hub.has("room")
    assert place.hub.is_connected(UserId("alice"))
    await ws.close()
    await until(lambda: not place.hub.has("room") and len(place.hub) == 0)
    assert not place.hub.is_connected(UserId("alice"))
    await until(lambda: place.news.seen["test closed"] == 1)


@pytest.mark.parametrize("place", [{"queue_frames": 8}], indirect=True)
async def test_a_slow_reader_is_closed_with_1013_and_holds_up_nobody(place: Place, client: Client) -> None:
    slow = await connect(client, place, user="slow")
    quick = await connect(client, place, user="quick")
    big = b"x" * 500_000
    slow_socket = place.sockets[0]
    for _ in range(200):  # more than the network between the two can hold
        place.hub.broadcast("room", big)
        assert len(await quick.receive_str()) == len(big)
        if slow_socket.is_closing:
            break
    assert slow_socket.is_closing
    assert place.news.seen["test slow"] == 1
    assert not quick.closed
    place.hub.broadcast("room", b"after")
    assert await quick.receive_str() == "after"
    code, _ = await closed(slow)
    assert code in {1013, 1006}  # 1006: it did not even read the farewell in time


async def test_frames_held_back_flow_after_a_replay_without_doubles(place: Place, client: Client) -> None:
    place.hold = True
    ws = await connect(client, place)
    socket = place.sockets[0]
    place.hub.broadcast("room", b"live 5", position=5)
    place.hub.broadcast("room", b"typing")
    place.hub.broadcast("room", b"live 6", position=6)
    for position in (4, 5):
        await socket.push(f"replay {position}".encode())
    socket.release(5)
    place.hub.broadcast("room", b"late 5", position=5)
    place.hub.broadcast("room", b"live 7", position=7)
    assert [await ws.receive_str() for _ in range(5)] == [
        "replay 4",
        "replay 5",
        "typing",
        "live 6",
        "live 7",
    ]
    assert socket.first_live == 6


async def test_a_hold_ends_by_itself(place: Place, client: Client) -> None:
    ws = await connect(client, place)
    place.sockets[0].hold(0.05)
    place.hub.broadcast("room", b"later")
    assert await ws.receive_str() == "later"


@pytest.mark.parametrize("place", [{"queue_frames": 8}], indirect=True)
async def test_a_replay_longer_than_the_queue_waits_for_the_reader(place: Place, client: Client) -> None:
    async def replay(socket: Socket, _text: str) -> None:
        for n in range(500):
            await socket.push(str(n).encode())
        await socket.flushed()

    place.talk = replay
    ws = await connect(client, place)
    await ws.send_str("sync")
    assert [await ws.receive_str() for _ in range(500)] == [str(n) for n in range(500)]
    assert not place.sockets[0].is_closing


async def test_a_reader_that_leaves_in_the_middle_of_a_replay_ends_it(place: Place, client: Client) -> None:
    ended = asyncio.Event()

    async def replay(socket: Socket, _text: str) -> None:
        try:
            while True:
                await socket.push(b"x" * 100_000)
        finally:
            ended.set()

    place.talk = replay
    ws = await connect(client, place)
    await ws.send_str("sync")
    await ws.receive_str()
    connection = ws._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()
    async with asyncio.timeout(30):
        await ended.wait()
    await until(lambda: len(place.hub) == 0)


@pytest.mark.parametrize("place", [{"frames_burst": 3, "max_frames_per_s": 0.001}], indirect=True)
async def test_too_many_frames_are_refused_one_by_one(place: Place, client: Client) -> None:
    ws = await connect(client, place)
    for n in range(5):
        await ws.send_str(str(n))
    assert [await ws.receive_str() for _ in range(2)] == ["error rate_limited"] * 2
    assert place.heard == ["0", "1", "2"]
    assert not ws.closed


async def test_binary_frames_are_refused_and_close_the_socket_if_they_go_on(
    place: Place, client: Client
) -> None:
    ws = await connect(client, place)
    await ws.send_bytes(b"\x00")
    assert await ws.receive_str() == "error binary_frame"
    await ws.send_str("text")
    await until(lambda: place.heard == ["text"])
    for _ in range(5):
        await ws.send_bytes(b"\x00")
    assert [await ws.receive_str() for _ in range(5)] == ["error binary_frame"] * 5
    assert (await closed(ws))[0] == 1003


@pytest.mark.parametrize("place", [{"max_frame_bytes": 1024}], indirect=True)
async def test_large_frames_are_refused(place: Place, client: Client) -> None:
    ws = await connect(client, place)
    await ws.send_str("x" * 1024)
    await until(lambda: len(place.heard) == 1)
    for large in ("x" * 1025, "ж" * 600, "x" * 4096):
        await ws.send_str(large)
        assert await ws.receive_str() == "error frame_too_large"
    await ws.send_str("small")
    await until(lambda: len(place.heard) == 2)
    await ws.send_str("x" * 4097)
    assert (await closed(ws))[0] == 1009


@pytest.mark.parametrize("place", [{"max_frame_bytes": 1024}], indirect=True)
async def test_large_frames_that_go_on_close_the_socket(place: Place, client: Client) -> None:
    ws = await connect(client, place)
    for _ in range(5):
        await ws.send_str("x" * 2000)
    assert [await ws.receive_str() for _ in range(5)] == ["error frame_too_large"] * 5
    assert (await closed(ws))[0] == 1009


@pytest.mark.parametrize("place", [{"max_per_user": 2}], indirect=True)
async def test_one_socket_too_many_closes_the_oldest_for_good(place: Place, client: Client) -> None:
    first = await connect(client, place, user="alice")
    second = await connect(client, place, user="alice")
    bob = await connect(client, place, user="bob")
    third = await connect(client, place, user="alice")
    assert (await closed(first))[0] == 1000
    place.hub.broadcast("room", b"still here")
    for ws in (second, third, bob):
        assert await ws.receive_str() == "still here"


async def test_the_end_of_a_session_closes_its_sockets_only(place: Place, client: Client) -> None:
    ended = await connect(client, place, user="alice", session="one")
    other = await connect(client, place, user="alice", session="two")
    place.hub.broadcast("room", b"before")
    place.hub.end_session(UserId("alice"), SessionId("one"))
    assert await ended.receive_str() == "before"
    assert (await closed(ended))[0] == 1008
    place.hub.broadcast("room", b"after")
    assert [await other.receive_str() for _ in range(2)] == ["before", "after"]
    place.hub.end_session(UserId("alice"), None)
    assert (await closed(other))[0] == 1008


async def test_a_token_that_ends_takes_its_socket_along(place: Place, client: Client) -> None:
    place.expires_ms = place.clock.now_ms() + 100
    ws = await connect(client, place)
    assert (await closed(ws))[0] == 1008


async def test_somebody_put_out_of_a_group_hears_what_came_before_and_no_more(
    place: Place, client: Client
) -> None:
    gone, stays = await connect(client, place, user="gone"), await connect(client, place, user="stays")
    place.hub.broadcast("room", b"you are out")
    place.hub.end_in_group("room", UserId("gone"), "no longer a member")
    place.hub.broadcast("room", b"secret")
    assert await gone.receive_str() == "you are out"
    message = await gone.receive()
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)
    assert [await stays.receive_str() for _ in range(2)] == ["you are out", "secret"]


async def test_the_server_stops_with_1001_after_everything_was_sent(place: Place, client: Client) -> None:
    people = [await connect(client, place, user=f"user{n}") for n in range(10)]
    place.hub.broadcast("room", b"last words")
    stopping = asyncio.create_task(place.hub.stop(5))
    for ws in people:
        assert await ws.receive_str() == "last words"
        assert (await closed(ws))[0] == 1001
    await stopping
    assert len(place.hub) == 0
    late = await client.ws_connect("/")
    assert (await closed(late))[0] == 1013


@pytest.mark.parametrize("place", [{"ping_interval_s": 0.05, "pong_timeout_s": 5}], indirect=True)
async def test_a_quiet_reader_that_answers_pings_stays(place: Place, client: Client) -> None:
    ws = await client.ws_connect("/", autoping=False)
    for _ in range(3):
        message = await ws.receive()
        assert message.type is WSMsgType.PING
        await ws.pong(message.data)
    place.hub.broadcast("room", b"hello")
    while (message := await ws.receive()).type is WSMsgType.PING:
        await ws.pong(message.data)
    assert message.data == "hello"
    await ws.close()


@pytest.mark.parametrize("place", [{"ping_interval_s": 0.05, "pong_timeout_s": 0.1}], indirect=True)
async def test_a_reader_that_gives_no_sign_of_life_is_dropped(place: Place, client: Client) -> None:
    await client.ws_connect("/", autoping=False)
    await until(lambda: len(place.sockets) == 1)
    await until(lambda: len(place.hub) == 0)


async def test_the_clients_own_pings_are_answered(place: Place, client: Client) -> None:
    ws = await client.ws_connect("/", autoping=False)
    await ws.ping(b"there?")
    message = await ws.receive()
    assert (message.type, message.data) == (WSMsgType.PONG, b"there?")


async def test_a_bug_closes_the_socket_with_1011(
    place: Place, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_socket: Socket, _text: str) -> None:
        raise ZeroDivisionError

    place.talk = fail
    ws = await connect(client, place)
    await ws.send_str("go")
    assert (await closed(ws))[0] == 1011
    assert any(record.exc_info for record in caplog.records)


async def test_a_bug_before_the_handshake_is_a_500(place: Place, client: Client) -> None:
    place.broken = True
    answer = await client.get("/")
    assert answer.status == 500
    await until(lambda: len(place.hub) == 0)
    assert not place.hub.has("room")


@pytest.mark.parametrize("place", [{"ping_interval_s": 0.05, "pong_timeout_s": 0.05}], indirect=True)
async def test_nothing_keeps_ticking_after_the_end(place: Place, client: Client) -> None:
    async def slow(socket: Socket, _text: str) -> None:
        await socket.push(b"x")
        await until(lambda: socket.is_closing)

    place.talk = slow
    ws = await connect(client, place)
    await ws.send_str("go")
    place.hub.end_session(UserId("alice"), None)
    assert (await closed(ws))[0] == 1008
    await until(lambda: len(place.hub) == 0)
    socket = place.sockets[0]
    assert all(
        timer is None or timer.cancelled() for timer in (socket._timer, socket._expiry, socket._hold_timer)
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unauthenticated("no"), 1008),
        (Forbidden("no"), 1008),
        (NotFound("no"), 1008),
        (RateLimited("no", retry_ms=1), 1013),
        (Unavailable("no"), 1013),
    ],
)
async def test_errors_that_end_a_socket(
    place: Place, client: Client, error: HomeserverError, code: int
) -> None:
    async def fail(_socket: Socket, _text: str) -> None:
        raise error

    place.talk = fail
    ws = await connect(client, place)
    await ws.send_str("go")
    assert await closed(ws) == (code, "unauthenticated: no" if isinstance(error, Unauthenticated) else "no")


async def test_frames_are_not_compressed_though_the_client_offers_it(place: Place, client: Client) -> None:
    ws: Any = await client.ws_connect("/", compress=15)
    assert not ws.compress

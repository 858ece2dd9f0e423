"""One WebSocket: a bounded send queue, rate-limited frames in, and an orderly close.

Frames are ready bytes, made once for all sockets that get them. Senders never wait for a slow reader: when its
queue is full the socket is closed with 1013, and the client reconnects and asks for what it missed.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol, cast

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from homeserver.errors import HomeserverError, Invalid, RateLimited, TooLarge
from homeserver.model import SessionId
from homeserver.protocol.ids import UserId
from homeserver.settings.models import SocketSettings

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0  # for the close handshake, and for frames still queued
MAX_REASON_BYTES = 123  # RFC 6455, section 5.5

_MAX_BAD_FRAMES = 5  # one after the other, of bytes or too large, before the socket is closed
_REFUSED_SIZES = 4  # times the limit: such a frame is read and refused; a larger one closes the socket
_PING = None  # marks a ping in the queue


_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})


class SocketMetrics(Protocol):
    """The metrics of sockets, by face."""

    def socket_opened(self, face: str) -> None: ...

    def socket_closed(self, face: str) -> None: ...

    def slow_socket_closed(self, face: str) -> None: ...

    def frames_sent(self, face: str, count: int = 1) -> None: ...


@dataclass(frozen=True, slots=True)
class Visitor:
    """The user and the face of a socket. `refusal` makes the face's error frame."""

    face: str
    user_id: UserId
    session_id: SessionId | None
    refusal: Callable[[HomeserverError], bytes]


class SocketClosedError(Exception):
    """The socket is closed."""


class Socket:
    """A connected client. Frames with a `position` are those that a replay may send as well."""

    def __init__(self, visitor: Visitor, settings: SocketSettings, metrics: SocketMetrics) -> None:
        self.visitor = visitor
        self.response = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            autoping=False,  # pings and pongs are handled here, so that a pong has a deadline of its own
            compress=False,  # compression would be done once per socket, not once per frame
            max_msg_size=_REFUSED_SIZES * settings.max_frame_bytes + 1,  # aiohttp closes from there on
        )
        self.first_live: int | None = None  # position of the first live frame that was queued
        self._settings = settings
        self._metrics = metrics
        self._queue: deque[bytes | None] = deque()
        self._held: deque[tuple[int | None, bytes]] | None = None
        self._floor: int | None = None  # frames up to this position were replayed
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()  # set whenever the queue got shorter or the socket was closed
        self._bucket = _Bucket(settings.max_frames_per_s, settings.frames_burst)
        self._heard = 0.0
        self._bad_frames = 0
        self._is_busy = False
        self._is_asked = False
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._hold_timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self._end: tuple[int, str] | None = None
        self._transport: asyncio.WriteTransport | None = None

    # --- out ---

    @property
    def is_closing(self) -> bool:
        return self._end is not None

    def put(self, frame: bytes, position: int | None = None) -> None:
        """Queue a live frame, at once; a full queue closes the socket. `position`: see `Hub.broadcast`."""
        if self._end is not None or self._was_replayed(position):
            return
        if self._held is not None:
            self._held.append((position, frame))
            waiting = len(self._held)
        else:
            self._enqueue(position, frame)
            waiting = len(self._queue)
        if waiting > self._settings.queue_frames:
            self._metrics.slow_socket_closed(self.visitor.face)
            self._queue.clear()
            self._held = None
            self.close(WSCloseCode.TRY_AGAIN_LATER, "too slow: reconnect and sync")

    async def push(self, frame: bytes) -> None:
        """Queue a frame of a replay, waiting for room in the queue. Raises SocketClosedError."""
        await self._wait_until(self._settings.queue_frames // 2)
        self._queue.append(frame)
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until everything queued was handed to the network. Raises SocketClosedError."""
        await self._wait_until(1)

    def hold(self, at_most_s: float | None = None) -> None:
        """Keep live frames back until `release`, or for a while at most."""
        self._cancel_hold_timer()
        if self._held is None:
            self._held = deque()
        if at_most_s is not None:
            self._hold_timer = asyncio.get_running_loop().call_later(at_most_s, self.release)

    def release(self, upto: int | None = None) -> None:
        """Send live frames again, except those up to position `upto`, which were replayed."""
        self._cancel_hold_timer()
        if upto is not None and not self._was_replayed(upto):
            self._floor = upto
        held, self._held = self._held, None
        for position, frame in held or ():
            if not self._was_replayed(position):
                self._enqueue(position, frame)

    def _cancel_hold_timer(self) -> None:
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None

    def _was_replayed(self, position: int | None) -> bool:
        return position is not None and self._floor is not None and position <= self._floor

    def _enqueue(self, position: int | None, frame: bytes) -> None:
        if position is not None and self.first_live is None:
            self.first_live = position
        self._queue.append(frame)
        self._wake.set()

    async def _wait_until(self, below: int) -> None:
        while len(self._queue) >= below and self._end is None:
            self._moved.clear()
            await self._moved.wait()
        if self._end is not None:
            raise SocketClosedError

    async def _write(self) -> None:
        """Write the queue to the network; runs as the socket's own task."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._write_waiting()
        except ConnectionError:
            self._give_up()
        except Exception:
            logger.exception("bug while writing to a socket")
            self._give_up()

    async def _write_waiting(self) -> None:
        """Write all queued frames without waiting in between, so that they are sent together."""
        sent = 0
        while self._queue:
            frame = self._queue.popleft()
            if frame is _PING:
                await self.response.ping()
            else:
                await self.response.send_frame(frame, WSMsgType.TEXT)
                sent += 1
        self._metrics.frames_sent(self.visitor.face, sent)
        if self._is_busy:
            self._lives()  # no pong is read while a frame is handled; a successful write counts as well
        self._moved.set()

    # --- in ---

    async def start(self, request: web.Request) -> None:
        """Accept the handshake and start sending frames."""
        await self.response.prepare(request)
        self._transport = cast("asyncio.WriteTransport | None", request.transport)
        self._heard = _now()
        self._writer = asyncio.create_task(self._write(), name="socket-writer")
        self._watch(self._settings.ping_interval_s)
        self._metrics.socket_opened(self.visitor.face)
        if self._end is not None:
            self._begin_close()

    async def frames(self) -> AsyncIterator[str]:
        """The client's text frames within its rate limit, until the socket closes."""
        async for message in self.response:
            self._lives()
            if message.type is WSMsgType.PING:
                await self._pong(message.data)
            elif message.type in _DATA and self._admits(message):
                self._is_busy = True
                yield message.data
                self._is_busy = False

    def _admits(self, message: WSMessage) -> bool:
        """Whether a frame is to be handled. A refused one is answered, and ends the socket only if more follow."""
        wait_ms = self._bucket.take(self._heard)
        most = self._settings.max_frame_bytes
        if wait_ms:
            self.put(self.visitor.refusal(RateLimited("Too many frames; slow down.", retry_ms=wait_ms)))
        elif message.type is WSMsgType.BINARY:
            error = Invalid("Only frames of text are understood.", code="binary_frame")
            self._refuse_bad(error, WSCloseCode.UNSUPPORTED_DATA)
        elif len(message.data) > most or len(message.data.encode()) > most:
            large = TooLarge(
                f"A frame may have at most {most} bytes.", code="frame_too_large", max_bytes=most
            )
            self._refuse_bad(large, WSCloseCode.MESSAGE_TOO_BIG)
        else:
            self._bad_frames = 0
            return True
        return False

    def _refuse_bad(self, error: HomeserverError, code: WSCloseCode) -> None:
        self._bad_frames += 1
        self.put(self.visitor.refusal(error))
        if self._bad_frames >= _MAX_BAD_FRAMES:
            self.close(code, error.message)

    async def _pong(self, data: bytes) -> None:
        try:
            await self.response.pong(data)
        except ConnectionError:
            self._give_up()

    def _lives(self) -> None:
        """Note a sign of life of the client."""
        self._heard = _now()
        if self._is_asked and self._timer is not None:
            self._timer.cancel()
            self._watch(self._settings.ping_interval_s)

    def _watch(self, delay_s: float) -> None:
        self._is_asked = False
        if self._end is not None:
            return
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._ask)

    def _ask(self) -> None:
        """Ping a quiet client."""
        quiet_s = _now() - self._heard
        if quiet_s < self._settings.ping_interval_s:
            self._watch(self._settings.ping_interval_s - quiet_s)
            return
        self._is_asked = True
        self._queue.append(_PING)
        self._wake.set()
        self._timer = asyncio.get_running_loop().call_later(self._settings.pong_timeout_s, self._drop)

    def _drop(self) -> None:
        logger.info("socket of %s gave no sign of life; dropped", self.visitor.user_id)
        self._give_up()

    # --- end ---

    def expire_in(self, seconds: float) -> None:
        """Close with 1008 when the token expires. The client refreshes it and reconnects."""
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(max(0.0, seconds), self._expire)

    def _expire(self) -> None:
        self.close(WSCloseCode.POLICY_VIOLATION, "the token expired")

    def close(self, code: int, reason: str) -> None:
        """Begin to close, after the frames queued so far. The first call counts."""
        if self._end is None:
            if self._hold_timer is not None:
                self.release()  # no replay that these frames would overtake
            self._end = (code, reason)
            self._moved.set()
            if self.response.prepared:
                self._begin_close()

    def _begin_close(self) -> None:
        self._closer = asyncio.create_task(self._close(), name="socket-closer")

    async def _close(self) -> None:
        code, reason = self._end or (WSCloseCode.OK, "")
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while self._queue and not self.response.closed:
                    self._moved.clear()
                    await self._moved.wait()
                await self.response.close(code=code, message=cut_reason(reason))
        except (TimeoutError, ConnectionError):
            self._give_up()

    def _give_up(self) -> None:
        """Abort the connection, and wake the reader and all waiters."""
        if self._end is None:
            self._end = (WSCloseCode.ABNORMAL_CLOSURE, "")
        self._queue.clear()
        self._moved.set()
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Stop all tasks and timers of the socket; it is closed when this returns or raises."""
        for timer in (self._timer, self._expiry, self._hold_timer):
            if timer is not None:
                timer.cancel()
        if not self.response.prepared:
            return
        self.close(WSCloseCode.OK, "")
        try:
            if self._closer is not None:
                await self._closer
        finally:  # also when this task is cancelled
            if not self.response.closed:
                self._give_up()
            if self._writer is not None:
                self._writer.cancel()
            self._metrics.socket_closed(self.visitor.face)


class _Bucket:
    """A token bucket for a client's frames: `burst` at once, then `per_s` a second."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._level = float(burst)
        self._at = _now()

    def take(self, now: float) -> int:
        """Take a frame: 0, or the milliseconds to wait."""
        self._level = min(self._burst, self._level + (now - self._at) * self._per_s)
        self._at = now
        if self._level < 1:
            return max(1, math.ceil((1 - self._level) / self._per_s * 1000))
        self._level -= 1
        return 0


def _now() -> float:
    return asyncio.get_running_loop().time()


def cut_reason(reason: str) -> bytes:
    """A close reason, cut to the longest allowed."""
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()

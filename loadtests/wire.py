"""A lean client: HTTP/1.1 keep-alive and WebSocket over one asyncio protocol.

A generator of load that costs as much as the server measures itself. So requests are bytes made beforehand, an
answer is found by two searches in the buffer, and a callback takes it; there is no task and no header object.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any, cast

import orjson

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
ANSWER_TIMEOUT_S = 30.0

OnAnswer = Callable[[int, bytes], None]
OnFrame = Callable[[bytes], None]


class WireError(Exception):
    """The server did not do what it should: a bad status, a lost connection, no answer in time."""


def request(method: str, path: str, token: str = "", body: bytes | None = None) -> bytes:
    """A whole request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Connection(asyncio.Protocol):
    """One connection, one request at a time; `on_answer` gets each answer, `on_frame` each frame after `upgrade`."""

    def __init__(self) -> None:
        self.on_answer: OnAnswer = lambda _status, _body: None
        self.on_frame: OnFrame = lambda _payload: None
        self.close_code: int | None = None
        self.is_lost = False
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._is_socket = False
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(WireError(f"the connection was lost: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and (self._frame() if self._is_socket else self._answer()):
            pass

    # --- HTTP ---

    def send(self, raw: bytes) -> None:
        """Write a ready request; its answer goes to `on_answer`."""
        if self._transport is None or self.is_lost:
            raise WireError("not connected")
        self._transport.write(raw)

    async def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        body: object = None,
        *,
        expect: tuple[int, ...] = (200, 201),
    ) -> Any:
        """One request and the JSON of its answer. Raises WireError for another status than expected."""
        raw = request(method, path, token, None if body is None else orjson.dumps(body))
        status, answer = await self._exchange(raw)
        if status not in expect:
            raise WireError(
                f"{method} {path.partition('?')[0]}: {status} {answer[:300].decode(errors='replace')}"
            )
        return orjson.loads(answer) if answer.strip().startswith((b"{", b"[")) else answer

    async def fetch(self, method: str, path: str, token: str = "") -> bytes:
        """One request and the bytes of its answer, which must be a 200. Raises WireError."""
        status, answer = await self._exchange(request(method, path, token))
        if status != 200:
            raise WireError(f"{method} {path.partition('?')[0]}: {status}")
        return answer

    async def upgrade(self, path: str, token: str = "") -> None:
        """Become a WebSocket. Frames go to `on_frame` from now on, text only."""
        key = base64.b64encode(os.urandom(16)).decode()
        credential = f"Authorization: Bearer {token}\r\n" if token else ""
        handshake = (
            f"GET {path} HTTP/1.1\r\nHost: bench\r\n{credential}Connection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        status, answer = await self._exchange(handshake.encode())
        if status != 101:
            raise WireError(f"{path}: no WebSocket but {status} {answer[:300].decode(errors='replace')}")

    async def _exchange(self, raw: bytes) -> tuple[int, bytes]:
        waiting: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        before, self.on_answer = self.on_answer, lambda status, body: waiting.set_result((status, body))
        try:
            self.send(raw)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await waiting
        except TimeoutError:
            raise WireError("no answer in time") from None
        finally:
            self.on_answer, self._waiting = before, None

    def _answer(self) -> bool:
        """Take one answer out of the buffer; False if it is not all there yet."""
        buffer = self._buffer
        end = buffer.find(_END)
        if end < 0:
            return False
        head = bytes(buffer[:end]).lower()
        status = int(head[9:12])
        at = head.find(_LENGTH)
        length = 0
        if at >= 0:
            stop = head.find(b"\r\n", at)
            length = int(head[at + len(_LENGTH) : stop if stop >= 0 else len(head)])
        start = end + len(_END)
        if len(buffer) < start + length:
            return False
        body = bytes(buffer[start : start + length])
        del buffer[: start + length]
        self._is_socket = status == 101
        self.on_answer(status, body)
        return True

    # --- WebSocket ---

    def _frame(self) -> bool:
        """Take one frame of the server (never masked) out of the buffer; False if it is not all there yet."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        kind, length, start = buffer[0] & 0x0F, buffer[1], 2
        if length == 126:
            start, length = 4, int.from_bytes(buffer[2:4])
        elif length == 127:
            start, length = 10, int.from_bytes(buffer[2:10])
        if len(buffer) < start + length:
            return False
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        if kind == 1:
            self.on_frame(payload)
        elif kind == 9:
            self.send(masked(0x8A, payload))
        elif kind == 8:
            self.close_code = int.from_bytes(payload[:2])
        return True

    def close(self) -> None:
        """Hang up; a WebSocket says goodbye first."""
        if self._transport is None or self.is_lost:
            return
        if self._is_socket and self.close_code is None:
            self.send(masked(0x88, (1000).to_bytes(2)))
        self._transport.close()


def masked(first: int, payload: bytes) -> bytes:
    """A short frame of a client, with a mask of zeros."""
    return bytes((first, 0x80 | len(payload), 0, 0, 0, 0)) + payload


async def connect(host: str, port: int) -> Connection:
    """An open connection."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        _, made = await loop.create_connection(Connection, host, port)
    return made

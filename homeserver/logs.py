"""The server's own log: one line per record, as text for humans or JSON for programs.

    log.info("room %s closed", room_id, extra={"members": 12})

Values in `extra` are written apart (`members=12`, or a key of the JSON object), and every line carries the id of the
request it belongs to. All output passes `redact` last, tracebacks too, so that a token, a password or a query string
never reaches a file. That is the second line of defence: the first is not to log such things, and above all no message
bodies, which no pattern can recognise.
"""

import logging
import re
import sys
import threading
from collections import deque
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

import orjson

from homeserver.settings.process import LogSettings
from homeserver.settings.section import LogFormat

request_id: ContextVar[str] = ContextVar("request_id", default="")

HIDDEN = "[redacted]"
MAX_TEXT_CHARS = 8_000
MAX_TRACE_CHARS = 32_000
_LINES_AT_ONCE = 500
_GATHER_S = 0.1  # longest delay of a line before it is written
_CLOSE_TIMEOUT_S = 2.0

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LIBRARIES = ("aiohttp", "aiosqlite", "alembic", "asyncio", "PIL", "psycopg", "sqlalchemy")

_KEY_WORDS = (
    r"(?:token|secret|passw(?:or)?d|passphrase|credentials?"
    r"|(?:api|private|signing|service)[_-]?key|\b(?:access|refresh|signature|sig|pwd|jwt))"
)
_QUOTED = r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*\""""


class _Rule(NamedTuple):
    """A redaction. The pattern is only tried if one of the lower-case `needles` is in the text: much faster."""

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str


_RULES = (
    # Values that libraries put into their errors: parameters of a statement, a row, a wrong input.
    _Rule(("[parameters: ",), re.compile(r"\[parameters: [^\n]*"), f"[parameters: {HIDDEN}]"),
    _Rule(("detail:",), re.compile(r"\bDETAIL:[^\n]*"), f"DETAIL: {HIDDEN}"),
    _Rule(("input_value=",), re.compile(r"\binput_value=[^\n]*"), f"input_value={HIDDEN}"),
    # Keys as text.
    _Rule(
        ("private key-",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.DOTALL),
        HIDDEN,
    ),
    _Rule(("ed25519 ",), re.compile(r"\bed25519 (\w+) [A-Za-z0-9+/_-]{40,}=*"), rf"ed25519 \1 {HIDDEN}"),
    # Headers, and any key or parameter whose name suggests a secret.
    _Rule(
        ("authorization", "authenticate", "cookie"),
        re.compile(
            rf"\b(authorization|www-authenticate|cookie)(['\"]?\s*[:=]\s*)(?:{_QUOTED}|[^\n'\"]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    _Rule(
        ("bearer", "basic"),
        re.compile(r"\b(bearer|basic)(?:\s|%20|\+)+[^\s,;'\"&]+", re.IGNORECASE),
        rf"\1 {HIDDEN}",
    ),
    _Rule(
        (
            "token",
            "secret",
            "passw",
            "passphrase",
            "credential",
            "key",
            "access",
            "refresh",
            "sig",
            "pwd",
            "jwt",
        ),
        re.compile(
            rf"({_KEY_WORDS}['\"]?(?:\s*[:=]\s*|%3[AD]))(?:{_QUOTED}|[^\s,;&'\")}}\]]+)", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
    # URLs: a password before the host, and the query string.
    _Rule(("://",), re.compile(r"(://[^\s/:@]{0,200}):[^\s@]{1,500}@"), rf"\1:{HIDDEN}@"),
    _Rule(("?", "%3f"), re.compile(r"(?:\?|%3[Ff])(?=[\w%&=+~/.-])[^\s'\"<>]+"), f"?{HIDDEN}"),
    # Anything that looks like a token or a key; ids of events and rooms begin with $ and ! and are kept.
    _Rule(("eyj",), re.compile(r"\beyJ[\w-]{4,}(?:\.[\w-]*){1,4}"), HIDDEN),
    _Rule(
        ("",),
        re.compile(
            r"(?<![\w$!-])(?=[\w-]{32})(?=[\w-]{0,200}?[a-z])(?=[\w-]{0,200}?[A-Z])(?=[\w-]{0,200}?\d)[\w-]+"
        ),
        HIDDEN,
    ),
    # E-mail addresses.
    _Rule(("@",), re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,}\b"), HIDDEN),
)
_SECRET_NAME = re.compile(rf"{_KEY_WORDS}$|authorization|cookie|query|body|content|text", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """`text` with possible secrets removed. False positives are accepted, a leaked secret is not."""
    small = text.lower()
    for rule in _RULES:
        for needle in rule.needles:  # a loop, no any(): this runs for each line, some thirty needles long
            if needle in small:
                text = rule.pattern.sub(rule.replacement, text)
                break
    return text


def one_line(text: str) -> str:
    """`text` with line ends and control characters escaped, so that no input can forge a line."""
    return _CONTROL.sub(lambda match: repr(match.group())[1:-1], text)


def _clean(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS] + "..."
    return one_line(redact(text))


def _facts(record: logging.LogRecord) -> dict[str, str | int | float | bool | None]:
    """The caller's `extra` values, cleaned; values whose name suggests a secret are hidden whatever they are."""
    facts: dict[str, str | int | float | bool | None] = {}
    for name, value in record.__dict__.items():
        if name in _STANDARD or name.startswith("_"):
            continue
        if _SECRET_NAME.search(name):
            facts[name] = HIDDEN
        elif value is None or isinstance(value, bool | int | float):
            facts[name] = value
        else:
            facts[name] = _clean(str(value))
    return facts


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Formatter(logging.Formatter):
    """Base of both formats: the traceback, shortened in its middle and redacted."""

    def trace(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        if not parts:
            return ""
        text = "\n".join(parts)
        if len(text) > MAX_TRACE_CHARS:
            half = MAX_TRACE_CHARS // 2
            text = f"{text[:half]}\n...\n{text[-half:]}"
        return redact(text)


class TextFormatter(_Formatter):
    """`2026-01-31T12:00:00.000Z INFO homeserver.app: ready port=8008 request=4f...`, tracebacks indented below."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {_clean(record.getMessage())}"
        line += "".join(f" {name}={value}" for name, value in _facts(record).items())
        if current := request_id.get():
            line += f" request={current}"
        if trace := self.trace(record):
            line += "".join(f"\n    {one_line(part)}" for part in trace.splitlines())
        return line


class JsonFormatter(_Formatter):
    """One JSON object per line: time, level, logger, message, the extra values, request_id and trace if present."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | int | float | bool | None] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _clean(record.getMessage()),
        }
        for name, value in _facts(record).items():
            line.setdefault(name, value)
        if current := request_id.get():
            line["request_id"] = current
        if trace := self.trace(record):
            line["trace"] = trace
        return orjson.dumps(line).decode()


class QueuedHandler(logging.Handler):
    """Writes from a thread of its own, so that logging never waits for the reader of the log.

    The thread checks for lines a few times a second instead of being woken for each: a waking thread takes the GIL from
    the server, and with a line per request that cost a third of its CPU time. At most `max_waiting` lines are queued;
    if the reader stalls, further lines are dropped, and their number is logged once there is room.
    """

    def __init__(self, stream: TextIO, max_waiting: int) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._max_waiting = max_waiting
        self._dropped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) >= self._max_waiting:
            self._dropped += 1
            return
        try:
            self._lines.append(self.format(record))  # here, as the request id is known only to the caller
        except Exception:  # noqa: BLE001 - a record that cannot be formatted must not stop what logs it
            self.handleError(record)

    def close(self) -> None:
        """Write queued lines, but do not wait long for a stalled reader. Called at the end of the program."""
        self._closing.set()
        self._thread.join(_CLOSE_TIMEOUT_S)
        super().close()

    def _write_all(self) -> None:
        is_closing = False
        while not is_closing:
            is_closing = self._closing.wait(_GATHER_S)
            if not self._write_waiting():
                return

    def _write_waiting(self) -> bool:
        """Write until the queue is empty; False if the log's reader is gone, which can then be reported nowhere."""
        while self._lines or self._dropped:
            lines = [self._lines.popleft() for _ in range(min(len(self._lines), _LINES_AT_ONCE))]
            text = "".join(f"{line}\n" for line in lines)
            dropped, self._dropped = self._dropped, 0
            if dropped:
                text += f"({dropped} lines of this log were dropped: they were not read fast enough)\n"
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                return False
        return True


def handler(log_format: LogFormat, stream: TextIO, max_waiting: int | None = None) -> logging.Handler:
    """A handler that writes redacted lines to `stream`: at once, or from a thread if `max_waiting` is given."""
    made = logging.StreamHandler(stream) if max_waiting is None else QueuedHandler(stream, max_waiting)
    made.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    return made


def setup(settings: LogSettings, stream: TextIO | None = None, *, queued: bool = False) -> None:
    """Configure the process's logging from the settings, to standard error unless `stream` is given.

    Called by the command line only: logging is global to the process. Libraries log from WARNING on. `queued` is for
    servers, which must not block when the reader of their log does.
    """
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    max_waiting = settings.max_waiting_lines if queued else None
    root.addHandler(handler(settings.format, stream or sys.stderr, max_waiting))
    root.setLevel(_LEVELS[settings.level])
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[settings.level]))
    logging.captureWarnings(True)

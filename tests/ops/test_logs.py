"""The log: lines for people or machines, and no way for a secret to get into them."""

import io
import json
import logging
import string
import threading
from collections.abc import Iterator

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeserver import logs
from homeserver.settings.models import LogSettings
from homeserver.settings.section import LogFormat

pytestmark = pytest.mark.both

TOKEN = jwt.encode({"sub": "@alice:localhost", "type": "access"}, "k" * 32, algorithm="HS256")
REFRESH = "session1.E7ynf0bp5eTlx98V_2bzISbg39AKHXc_rvq7hArdNj4"
PASSWORD = "correct-horse7"


class Lines:
    """A logger of its own with a handler of ours; `text` is what it has written."""

    def __init__(self, log_format: LogFormat) -> None:
        self._stream = io.StringIO()
        self.log = logging.Logger("homeserver.test", logging.DEBUG)  # noqa: LOG001 - not the process's tree
        self.log.addHandler(logs.handler(log_format, self._stream))

    @property
    def text(self) -> str:
        return self._stream.getvalue()


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Lines:
    return Lines(request.param)


LEAKS = [
    (f"Authorization: Bearer {TOKEN}", TOKEN),
    (f"authorization: Basic {PASSWORD}", PASSWORD),
    (f"WWW-Authenticate: Bearer {TOKEN}", TOKEN),
    (f"<CIMultiDict('Host': 'x', 'Authorization': 'Bearer {TOKEN}', 'Accept': '*/*')>", TOKEN),
    (f"{{'WWW-Authenticate': 'Token {PASSWORD} and more'}}", PASSWORD),
    (f"Cookie: session={PASSWORD}; theme=dark", PASSWORD),
    (f"Set-Cookie: access_token={PASSWORD}; HttpOnly", PASSWORD),
    (f"GET /ws/conversations/1/?token={TOKEN} HTTP/1.1", TOKEN),
    (f"GET /media/abc/cat.png?e=1700000000000&s={PASSWORD}", PASSWORD),
    (f"/ws?{PASSWORD}", PASSWORD),
    (f"https://chat.example.org/ws?Authorization=Bearer%20{PASSWORD}", PASSWORD),
    (f"/login?next=%2Fws%3Ftoken%3D{PASSWORD}", PASSWORD),
    (f"next=%2Fws%3Ftoken%3D{PASSWORD}", PASSWORD),
    (f'{{"access_token":"{PASSWORD}","token_type":"bearer"}}', PASSWORD),
    (f'{{"email": "a@b.example", "password": "{PASSWORD} \\" and more"}}', PASSWORD),
    (f"{{'refresh_token': '{REFRESH}'}}", REFRESH.split(".")[1]),
    (f"refresh={PASSWORD}&x=1", PASSWORD),
    (f"the refresh token {REFRESH} was used twice", REFRESH.split(".")[1]),
    (f"token {TOKEN} is not valid", TOKEN),
    (f"Tokens(access='{PASSWORD}', refresh='{PASSWORD}')", PASSWORD),
    (f"could not connect to postgresql+psycopg://chat:{PASSWORD}@db.example.org/chat", PASSWORD),
    (f"HOMESERVER__ISSUERS__0__SECRET={PASSWORD}", PASSWORD),
    (f"X-Service-Key: {PASSWORD}", PASSWORD),
    ("ed25519 a_x1 " + "k" * 43, "k" * 43),
    (f"-----BEGIN PRIVATE KEY-----\n{PASSWORD}\n-----END PRIVATE KEY-----", PASSWORD),
    (f"-----BEGIN RSA PRIVATE KEY-----\n{PASSWORD}", PASSWORD),
    (f"INSERT INTO users VALUES (?)\n[parameters: ('{PASSWORD}', 3)]\n(Background on this error", PASSWORD),
    ("DETAIL:  Key (email)=(alice@example.org) already exists.", "alice@example.org"),
    (f"1 validation error\n  bad [type=x, input_value='{PASSWORD}', input_type=str]", PASSWORD),
    ("no account of alice.b+chat@mail.example.org", "alice.b+chat@mail.example.org"),
]


@pytest.mark.parametrize(("text", "secret"), LEAKS)
def test_no_secret_gets_out_by_message_argument_fact_or_trace(lines: Lines, text: str, secret: str) -> None:
    lines.log.info("%s", text)
    lines.log.info(text.replace("%", "%%"), extra={"what": text})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        lines.log.exception("crashed")
    lines.log.warning("with the stack", stack_info=True)
    assert secret not in lines.text
    assert logs.HIDDEN in lines.text


@pytest.mark.parametrize(
    "name", ["token", "access_token", "password", "authorization", "body", "query", "text"]
)
def test_a_fact_under_a_telling_name_is_hidden_whatever_it_is(lines: Lines, name: str) -> None:
    lines.log.info("login", extra={name: "short"})
    assert "short" not in lines.text


@given(
    secret=st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=12, max_size=80),
    frame=st.sampled_from(
        [
            "Authorization: Bearer {}",
            "token={}",
            "/x?{}",
            "/x?a=b&token={}&c=d",
            '"password": "{}"',
            "'secret': b'{}'",
            "postgresql://u:{}@h/d",
            "wss://h/p?token={}",
            "cookie: a={}; b=c",
        ]
    ),
    before=st.text(alphabet=string.ascii_letters + " /:?=&'\"\n", max_size=40),
)
def test_no_frame_and_no_neighbour_lets_a_secret_through(secret: str, frame: str, before: str) -> None:
    marked = f"Z9{secret}"  # cannot stand in `before`
    assert marked not in logs.redact(f"{before} {frame.format(marked)} after")
    assert secret not in logs.redact(f"{frame.format(secret)} after")


USEFUL = [
    "room !abcDEF0123456789abcDEF0123456789abcDEF01234:example.org closed",
    "event $Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg of @alice:example.org was refused: auth rule 5",
    "GET /api/unet-chat/messages/018f2b3c-1111-8222-8333-444455556666 200 in 3.4 ms user=@alice:example.org",
    "SELECT room_id, position FROM entries WHERE position > ? AND room_id IN (?, ?) LIMIT ?",
    "listening on http://127.0.0.1:8008",
    "/srv/chat/data/keys/access_token.key may be read by others (mode 0644)",
    "did it work? yes",
    "test_the_socket_that_does_not_read_is_closed_and_the_others_go_on",
]


@pytest.mark.parametrize("text", USEFUL)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_nobody_can_forge_a_line(lines: Lines) -> None:
    forged = "x\n2026-01-31T12:00:00.000Z INFO homeserver.app: all is well\r\x1b[2J\u2028"
    lines.log.info("path %s", forged, extra={"agent": forged})
    try:
        raise RuntimeError(forged)
    except RuntimeError:
        lines.log.exception("crashed")
    assert [line for line in lines.text.splitlines() if line.startswith("2026-01-31T12")] == []
    assert "\x1b" not in lines.text
    assert "\r" not in lines.text


def test_text_lines_have_time_level_logger_facts_and_request() -> None:
    lines = Lines("text")
    token = logs.request_id.set("4f2a")
    lines.log.info("room %s closed", "!r:h", extra={"members": 12})
    logs.request_id.reset(token)
    time, rest = lines.text.strip().split(" ", 1)
    assert time.endswith("Z")
    assert time[10] == "T"
    assert rest == "INFO homeserver.test: room !r:h closed members=12 request=4f2a"


def test_json_lines_are_one_object_each_with_the_trace_inside() -> None:
    lines = Lines("json")
    token = logs.request_id.set("4f2a")
    lines.log.info("room closed", extra={"members": 12})
    try:
        raise RuntimeError("disk away")
    except RuntimeError:
        lines.log.exception("crashed")
    logs.request_id.reset(token)
    first, second = (json.loads(line) for line in lines.text.splitlines())
    assert first["level"] == "info"
    assert first["logger"] == "homeserver.test"
    assert (first["message"], first["members"], first["request_id"]) == ("room closed", 12, "4f2a")
    assert "trace" not in first
    assert "RuntimeError: disk away" in second["trace"]
    assert second["trace"].startswith("Traceback")


def test_a_fact_cannot_replace_a_part_of_the_line() -> None:
    lines = Lines("json")
    lines.log.info("true", extra={"level": "error", "time": "never", "logger": "other"})
    line = json.loads(lines.text)
    assert (line["level"], line["message"], line["logger"]) == ("info", "true", "homeserver.test")


def test_endless_texts_are_cut(lines: Lines) -> None:
    lines.log.info("x" * 1_000_000)
    try:
        raise RuntimeError("y " * 1_000_000)
    except RuntimeError:
        lines.log.exception("crashed")
    assert len(lines.text) < 2 * logs.MAX_TEXT_CHARS + 3 * logs.MAX_TRACE_CHARS


@pytest.fixture
def _root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.mark.usefixtures("_root")
def test_setup_writes_our_level_and_only_warnings_of_libraries() -> None:
    stream = io.StringIO()
    logs.setup(LogSettings(level="debug", format="text"), stream)
    logging.getLogger("homeserver.timeline").debug("ours")
    logging.getLogger("aiosqlite").debug("executing with secrets")
    logging.getLogger("sqlalchemy.engine.Engine").info("values of rows")
    logging.getLogger("asyncio").warning("slow callback")
    assert "ours" in stream.getvalue()
    assert "slow callback" in stream.getvalue()
    assert "executing" not in stream.getvalue()
    assert "values of rows" not in stream.getvalue()


@pytest.mark.usefixtures("_root")
def test_a_second_setup_does_not_double_the_lines() -> None:
    stream = io.StringIO()
    logs.setup(LogSettings(), stream)
    logs.setup(LogSettings(), stream)
    logging.getLogger("homeserver.app").info("ready")
    assert stream.getvalue().count("ready") == 1


class Reader(io.StringIO):
    """A stream whose reader lets nothing through until `reads` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()
        self.is_asked = threading.Event()

    def write(self, text: str) -> int:
        self.is_asked.set()
        self.reads.wait(30)
        return super().write(text)


def test_whoever_logs_does_not_wait_for_a_reader_and_the_lost_lines_are_counted() -> None:
    stream = Reader()
    handler = logs.handler("text", stream, max_waiting=100)
    log = logging.Logger("homeserver.test")  # noqa: LOG001 - not the process's tree
    log.addHandler(handler)
    log.info("first")
    stream.is_asked.wait(30)
    for number in range(150):
        log.info("line %d", number)
    stream.reads.set()
    handler.close()
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("first")
    assert [line.split()[-1] for line in lines[1:101]] == [str(number) for number in range(100)]
    assert lines[101] == "(50 lines of this log were dropped: they were not read fast enough)"
    assert len(lines) == 102


def test_a_reader_who_is_gone_stops_nobody() -> None:
    stream = io.StringIO()
    stream.close()
    handler = logs.handler("json", stream, max_waiting=100)
    log = logging.Logger("homeserver.test")  # noqa: LOG001 - not the process's tree
    log.addHandler(handler)
    for _ in range(300):
        log.info("nobody reads this")
    handler.close()

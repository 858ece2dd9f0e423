"""Request bodies and queries: parsing and validation.

One parser reads a body once: JSON in UTF-8, no NUL characters, no lone surrogates, no duplicate keys
(two parsers of such an object may take different values), bounded in bytes, depth and time.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar, cast

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    Strict,
    StrictBool,
    ValidationError,
    model_validator,
)

from homeserver.errors import Invalid, TooLarge

MAX_DEPTH = 32  # of nested arrays and objects; no request body needs more than a few
BODY_TIMEOUT_S = 30.0  # for a small JSON body

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DIGITS = re.compile(r"-?[0-9]{1,18}")
_MAX_REASONS = 5

M = TypeVar("M", bound=BaseModel)

BROKEN = (web.RequestPayloadError, HttpProcessingError)
"""What aiohttp raises while it reads a body that is malformed HTTP."""


class Body(BaseModel):
    """A JSON object sent by a client. Unknown keys are ignored, as real clients send more.

    An optional field that is null counts as absent: many clients write all fields that they know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    _optional: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        fields = cls.model_fields.items()
        cls._optional = frozenset(field.alias or name for name, field in fields if not field.is_required())

    @model_validator(mode="before")
    @classmethod
    def _without_absent(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        optional, is_absent = cls._optional, cls._is_absent
        return {name: one for name, one in values.items() if name not in optional or not is_absent(one)}

    @staticmethod
    def _is_absent(value: object) -> bool:
        return value is None


class JsonObject(RootModel[dict[str, Any]]):
    """A JSON object that is checked later."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Query(Body):
    """The query string of a URL. An optional parameter that is blank counts as absent."""

    @staticmethod
    def _is_absent(value: object) -> bool:
        return value is None or is_blank(value)


def is_blank(value: object) -> bool:
    """Whether this is text with nothing in it."""
    return isinstance(value, str) and not value.strip()


def _number(value: object) -> object:
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _blank_is_none(value: object) -> object:
    return None if is_blank(value) else value


BLANK_IS_ABSENT = BeforeValidator(_blank_is_none)
"""For an optional field of a body, which may be None: blank text in it counts as absent, as forms send that."""

Number = Annotated[int, Strict(), Field(ge=1, le=2**53 - 1)]
"""A positive integer of JSON, no larger than JavaScript can hold."""

QueryInt = Annotated[int, BeforeValidator(_number)]
"""A whole number in a query."""

Flag = StrictBool

MAX_TEXT_CHARS = 100_000  # far above `rooms.max_message_chars`, which the message service checks
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
"""Text written by a user."""

ClientId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="Your own id for the message: a retry with the same id sends nothing.",
    ),
]
"""The sender's own id for a message."""


async def read_bytes(request: web.Request, max_bytes: int, timeout_s: float = BODY_TIMEOUT_S) -> bytes:
    """The whole body. Raises TooLarge above `max_bytes` and Invalid when it does not arrive in time."""
    if request.content_length is not None and request.content_length > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        if request.content.is_eof():  # it arrived with the headers, as small ones do: nothing to wait for
            body += request.content.read_nowait()
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
            return bytes(body)
        async with asyncio.timeout(timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise slow_body() from None
    except BROKEN:
        raise _broken() from None
    return bytes(body)


async def body_chunks(request: web.Request, timeout_s: float = BODY_TIMEOUT_S) -> AsyncIterator[bytes]:
    """The chunks of a body, for bodies too large for memory. Raises Invalid (slow_body, bad_body)."""
    chunks = request.content.iter_any()
    try:
        while True:
            async with asyncio.timeout(timeout_s):
                chunk = await anext(chunks, b"")
            if not chunk:
                return
            yield chunk
    except TimeoutError:
        raise slow_body() from None
    except BROKEN:
        raise _broken() from None


def slow_body() -> Invalid:
    """The error to raise if the rest of a body does not arrive."""
    return Invalid("The body did not arrive in time.", code="slow_body")


def _broken() -> Invalid:
    return Invalid("The body is truncated or wrongly encoded.", code="bad_body")


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body may have at most {max_bytes} bytes.", max_bytes=max_bytes)


def parse_json(raw: bytes | str) -> object:
    """The JSON value in `raw`. Raises Invalid (code bad_json)."""
    if isinstance(raw, str):
        try:
            raw = raw.encode()
        except UnicodeEncodeError:
            raise _bad_json("is not UTF-8") from None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _bad_json(f"is not JSON in UTF-8 ({error})") from None
    if _count_names(value) != _STRINGS.sub(b"", raw).count(b":"):
        raise _bad_json("has a duplicate key in an object")
    return value


def _count_names(value: object) -> int:
    """The number of keys in all objects. Raises Invalid for too much depth and NUL characters."""
    names = 0
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                names += len(item)
                for name in item:
                    _check_text(name)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return names
        level = below
    raise _bad_json("is nested too deeply")


def _check_text(text: str, code: str = "invalid_param") -> None:
    if "\x00" in text:
        raise Invalid("NUL characters are not allowed.", code=code)


def _bad_json(what: str) -> Invalid:
    return Invalid(f"The body {what}.", code="bad_json")


def check_body(model: type[M], raw: bytes) -> M:
    """The body as a record; an empty one counts as {}. Raises Invalid."""
    value = parse_json(raw) if raw.strip() else {}
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.", code="bad_json")
    return check(model, value)


def check_query(model: type[M], query: Mapping[str, str], code: str = "invalid_param") -> M:
    """The query as a record; of a duplicate parameter the first counts. Raises Invalid, with `code` where no parameter
    is missing."""
    if not query:
        return cast(M, _no_query(model, code))
    values: dict[str, str] = {}
    for name, value in query.items():
        _check_text(value, code)
        values.setdefault(name, value)
    return check(model, values, code)


@lru_cache(512)  # more than there are models
def _no_query(model: type[BaseModel], code: str) -> BaseModel:
    """The record of an empty query: one for all requests, as records do not change."""
    return check(model, {}, code)


def check(model: type[M], value: object, code: str = "invalid_param") -> M:
    """`value` as a record of `model`. Raises Invalid (missing_param, or else `code`) with all reasons."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        reasons = error.errors(include_url=False, include_context=False, include_input=False)
    missing = all(reason["type"] == "missing" for reason in reasons)
    text = "; ".join(_reason(reason["loc"], reason["msg"]) for reason in reasons[:_MAX_REASONS])
    raise Invalid(text, code="missing_param" if missing else code)


_PLAIN = {"Field required": "is required"}


def _reason(place: Sequence[Any], message: str) -> str:
    message = _PLAIN.get(message, message.removeprefix("Value error, "))
    name = ".".join(str(part) for part in place)
    return f"{name}: {message}" if name else message

"""The base class of all sections, and validators of single values that several sections use."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal, TypeVar, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """Base of sections: frozen, unknown keys are refused. Errors never include the input, which may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def is_advanced(field: FieldInfo) -> bool:
    """True if the key, and everything below it, is `Advanced`."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("advanced") is True


def is_loopback(host: str) -> bool:
    """True if only this machine can reach `host` (an address or a name; unknown names count as reachable)."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split_url(url: str) -> SplitResult:
    """The parts of an http(s) URL. Raises ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address like https://chat.example.org")
    if parts.username or parts.password:
        raise ValueError("must not carry a user name or password")
    _ = parts.port  # raises ValueError if the port is invalid
    return parts


def _public_url(url: str) -> str:
    parts = split_url(url)
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or fragment")
    return url.rstrip("/")


def _origin(value: str) -> str:
    if value == "*":
        return value
    parts = split_url(value)
    if parts.path or parts.query or parts.fragment:
        raise ValueError(
            "must be an origin like https://app.example.org, without a path or a slash at the end"
        )
    return value.lower()


def _host(value: str) -> str:
    if value.startswith("[") or not re.fullmatch(r"[A-Za-z0-9_.:%-]+", value):
        raise ValueError("must be an address or host name to listen on, e.g. 127.0.0.1, :: or 0.0.0.0")
    return value


T = TypeVar("T")
Advanced = Annotated[T, Field(json_schema_extra={"advanced": True})]
"""A key whose default an operator has no reason to change: bounds of memory, batches, delays. The reference has it,
the samples do not."""

PublicUrl = Annotated[str, AfterValidator(_public_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Host = Annotated[str, AfterValidator(_host)]
Prefix = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$", max_length=200)]

MIB = 1024 * 1024
GIB = 1024 * MIB
DAY_S = 86_400

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
RoomVersion = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]
ROOM_VERSIONS: tuple[str, ...] = get_args(RoomVersion)

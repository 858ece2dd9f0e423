"""The error table of this API: `{"errcode": "M_...", "error"}` (server-server API, "Authentication" and its calls)."""

from collections.abc import Mapping
from types import MappingProxyType

from homeserver.http.errors import PLAIN_STATUSES, ErrorTable, Failure
from homeserver.http.routes import ErrorForm

_BY_STATUS: Mapping[int, str] = MappingProxyType(
    {
        400: "M_UNKNOWN",
        401: "M_UNAUTHORIZED",
        403: "M_FORBIDDEN",
        404: "M_NOT_FOUND",
        405: "M_UNRECOGNIZED",
        413: "M_TOO_LARGE",
        429: "M_LIMIT_EXCEEDED",
    }
)
_BY_CODE: Mapping[str, str] = MappingProxyType(
    {
        "bad_json": "M_NOT_JSON",
        "invalid_param": "M_BAD_JSON",
        "invalid_query": "M_INVALID_PARAM",
        "missing_param": "M_MISSING_PARAM",
        "missing_token": "M_MISSING_TOKEN",
        "unknown_token": "M_UNKNOWN_TOKEN",
        "unrecognized": "M_UNRECOGNIZED",
    }
)


def _body(failure: Failure) -> Mapping[str, object]:
    errcode = _BY_CODE.get(failure.code) or _BY_STATUS.get(failure.status, "M_UNKNOWN")
    body: dict[str, object] = {"errcode": errcode, "error": failure.detail}
    if failure.status == 429:
        body["retry_after_ms"] = failure.data.get("retry_ms", 0)
    return body


ERRORS = ErrorTable(PLAIN_STATUSES, {}, _body, {404: "unrecognized", 405: "unrecognized"})

FORM = ErrorForm(
    {
        "type": "object",
        "description": "Why a request was refused.",
        "properties": {
            "errcode": {"type": "string"},
            "error": {"type": "string"},
            "retry_after_ms": {"type": "integer"},
        },
        "required": ["errcode", "error"],
    },
    {
        400: "The request is malformed, or breaks a rule.",
        401: "The request is not signed, or not by the server that it says.",
        403: "The server may not do this.",
        404: "Not found, or not visible to the server.",
        413: "The body is too large.",
        429: "Too many requests; `retry_after_ms` says when to retry.",
    },
)
"""The error form in the API documentation."""

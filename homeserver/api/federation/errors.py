"""The error table of this API: `{"errcode": "M_...", "error"}` (server-server API, "Authentication" and its calls)."""

from collections.abc import Mapping
from types import MappingProxyType

from homeserver.http.errcodes import CODES, STATUSES, errcode_body
from homeserver.http.errors import PLAIN_STATUSES, ErrorTable, Failure
from homeserver.http.routes import ErrorForm

_BY_STATUS: Mapping[int, str] = MappingProxyType({**STATUSES, 401: "M_UNAUTHORIZED"})
_BY_CODE: Mapping[str, str] = MappingProxyType({**CODES, "unknown_token": "M_UNKNOWN_TOKEN"})


def _body(failure: Failure) -> Mapping[str, object]:
    return errcode_body(failure, _BY_CODE, _BY_STATUS)


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

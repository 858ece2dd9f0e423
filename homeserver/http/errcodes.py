"""The form of errors that the APIs of Matrix share: `{"errcode": "M_...", "error"}`."""

from collections.abc import Mapping
from types import MappingProxyType

from homeserver.http.errors import Failure

STATUSES: Mapping[int, str] = MappingProxyType(
    {
        400: "M_UNKNOWN",
        403: "M_FORBIDDEN",
        404: "M_NOT_FOUND",
        405: "M_UNRECOGNIZED",
        413: "M_TOO_LARGE",
        429: "M_LIMIT_EXCEEDED",
    }
)
"""The errcode of each status; others have M_UNKNOWN."""

CODES: Mapping[str, str] = MappingProxyType(
    {
        "bad_json": "M_NOT_JSON",
        "invalid_param": "M_BAD_JSON",
        "invalid_query": "M_INVALID_PARAM",
        "missing_param": "M_MISSING_PARAM",
        "missing_token": "M_MISSING_TOKEN",
        "unrecognized": "M_UNRECOGNIZED",
    }
)
"""The errcodes of our codes for requests as such, where they differ from the status's."""


def errcode_body(
    failure: Failure, codes: Mapping[str, str], statuses: Mapping[int, str]
) -> dict[str, object]:
    """The body of an error. `codes` and `statuses`: the API's own tables."""
    errcode = codes.get(failure.code) or statuses.get(failure.status, "M_UNKNOWN")
    body: dict[str, object] = {"errcode": errcode, "error": failure.detail}
    if failure.status == 429:
        body["retry_after_ms"] = failure.data.get("retry_ms", 0)
    return body

"""The error table of this API: `{"detail", "code"}`, with 422 for a field that is missing or wrong."""

from homeserver.http.errors import PLAIN_STATUSES, ErrorTable, detail_body

ERRORS = ErrorTable(
    PLAIN_STATUSES, {"missing_param": 422, "invalid_param": 422, "slow_body": 408}, detail_body
)

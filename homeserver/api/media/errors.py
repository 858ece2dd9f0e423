"""The error table of this API."""

from homeserver.http.errors import PLAIN_STATUSES, ErrorTable, detail_body

ERRORS = ErrorTable(PLAIN_STATUSES, {}, detail_body)

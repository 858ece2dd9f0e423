"""The one table of this face's errors."""

from homeserver.http.errors import PLAIN_STATUSES, ErrorTable, detail_body

ERRORS = ErrorTable(PLAIN_STATUSES, {}, detail_body)

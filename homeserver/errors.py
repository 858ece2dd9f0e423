"""The one error tree of the server.

    HomeserverError
    ├── Invalid            the request is malformed or breaks a rule of form
    ├── Unauthenticated    no credential, or an invalid one
    ├── Forbidden          authenticated, but not allowed
    ├── NotFound           absent, or not visible to this user
    ├── Conflict           the request conflicts with existing data
    ├── TooLarge           over a size limit
    ├── RateLimited        too many requests; `retry_ms` says when to retry
    ├── Unsupported        a version or feature that this server does not have
    ├── Upstream           another server failed us
    └── Unavailable        this server cannot do it now (shutting down, database away)

Services raise these; each API maps them to statuses and bodies in one table of its own.
`code` is stable and meant for programs, `message` for humans. `data` holds extra fields for the response.
"""


class HomeserverError(Exception):
    """Root of the tree; never raised itself."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.data = data


class Invalid(HomeserverError):
    code = "invalid"


class Unauthenticated(HomeserverError):
    code = "unauthenticated"


class Forbidden(HomeserverError):
    code = "forbidden"


class NotFound(HomeserverError):
    code = "not_found"


class Conflict(HomeserverError):
    code = "conflict"


class TooLarge(HomeserverError):
    code = "too_large"


class RateLimited(HomeserverError):
    """Too many requests. `retry_ms`: how long the caller should wait, in milliseconds."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_ms: int, code: str | None = None, **data: object) -> None:
        super().__init__(message, code=code, **data)
        self.retry_ms = retry_ms


class Unsupported(HomeserverError):
    code = "unsupported"


class Upstream(HomeserverError):
    code = "upstream"


class Unavailable(HomeserverError):
    code = "unavailable"

"""The one error tree of the server.

    HomeserverError
    ├── Invalid            the request is malformed or breaks a rule of form
    ├── Unauthenticated    no credential, or one that does not hold
    ├── Forbidden          known person, not allowed
    ├── NotFound           absent, or not to be known of by this person
    ├── Conflict           the wish clashes with what is there already
    ├── TooLarge           over a limit of size
    ├── RateLimited        too many at once; `retry_ms` says when to come back
    ├── Unsupported        a version or feature that this server does not have
    ├── Upstream           another server failed us
    └── Unavailable        this server cannot do it now (shutting down, database away)

Services raise these; only faces know what they look like on a wire, each in one table of its own.
`code` is stable and meant for machines, `message` for people. `data` holds extra facts for the answer.
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
    """`retry_ms`: how long the caller should wait, in milliseconds."""

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

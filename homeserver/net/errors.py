"""Errors of outgoing requests. All are Upstream; the messages are for logs, and contain no address."""

from homeserver.errors import Upstream


class RequestFailed(Upstream):
    """No usable response; base class of the errors below."""

    code = "request_failed"


class Unreachable(RequestFailed):
    """No connection, a broken connection, or a response that is not HTTP."""

    code = "unreachable"


class DeadlineExceeded(RequestFailed):
    """The deadline passed, redirects and reading of the body included."""

    code = "deadline_exceeded"


class Refused(RequestFailed):
    """The client's guard does not admit this address."""

    code = "address_refused"


class TooManyRedirects(RequestFailed):
    """More redirects than allowed."""

    code = "too_many_redirects"


class BodyTooLarge(RequestFailed):
    """The body is longer than the caller reads."""

    code = "body_too_large"


class BadEncoding(RequestFailed):
    """The body has an encoding that we do not decode, or is malformed."""

    code = "bad_encoding"

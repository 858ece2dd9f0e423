"""What may go wrong with requests to others. All of it is Upstream; the messages are for logs, and name no address."""

from homeserver.errors import Upstream


class RequestFailed(Upstream):
    """No answer that could be used; what follows are its kinds."""

    code = "request_failed"


class Unreachable(RequestFailed):
    """No connection, or it broke, or what came is not HTTP."""

    code = "unreachable"


class DeadlineExceeded(RequestFailed):
    """Not done in time, redirects and reading of the body included."""

    code = "deadline_exceeded"


class Refused(RequestFailed):
    """We will not ask this address: it is none of those that the client's guard admits."""

    code = "address_refused"


class TooManyRedirects(RequestFailed):
    """Sent on more often than is followed."""

    code = "too_many_redirects"


class BodyTooLarge(RequestFailed):
    """The body is longer than the caller reads."""

    code = "body_too_large"


class BadEncoding(RequestFailed):
    """The body is packed in a way that we do not unpack, or badly."""

    code = "bad_encoding"

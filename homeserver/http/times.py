"""Times on the wire."""

from datetime import UTC, datetime


def iso(ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC: 2024-11-04T14:30:00.123Z."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}Z"


def iso_micros(ms: int) -> str:
    """The same with the six digits that some clients read: 2024-11-04T14:30:00.123000Z."""
    return f"{iso(ms)[:-1]}000Z"

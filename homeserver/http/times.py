"""Times on the wire."""

from datetime import UTC, datetime


def iso(ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC: 2024-11-04T14:30:00.123Z."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}Z"

"""Filters as they stand in queries."""

from homeserver.errors import Invalid
from homeserver.http.body import parse_json
from homeserver.protocol.errors import BadFilter
from homeserver.protocol.filters import EventFilter, read_room_event_filter

_ALL = EventFilter()


def event_filter(text: str | None) -> EventFilter:
    """The filter of events that stands as JSON in a query; without one everything passes. Raises Invalid."""
    if not text:
        return _ALL
    try:
        return read_room_event_filter(parse_json(text))
    except BadFilter as error:
        raise Invalid(str(error), code="invalid_param") from error

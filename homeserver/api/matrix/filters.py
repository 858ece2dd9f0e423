"""Event filters in queries and bodies."""

from homeserver.errors import Invalid
from homeserver.http.body import parse_json
from homeserver.protocol.errors import BadFilter
from homeserver.protocol.filters import EventFilter, read_room_event_filter

_ALL = EventFilter()


def event_filter(text: str | None) -> EventFilter:
    """The event filter in a query's JSON; without one everything passes. Raises Invalid."""
    return event_filter_of(parse_json(text)) if text else _ALL


def event_filter_of(json: object) -> EventFilter:
    """The event filter in a JSON value. Raises Invalid."""
    try:
        return read_room_event_filter(json)
    except BadFilter as error:
        raise Invalid(str(error), code="invalid_param") from error

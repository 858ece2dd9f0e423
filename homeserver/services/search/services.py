"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.search.index import SearchIndex
from homeserver.services.search.messages import MessageSearch


@dataclass(frozen=True, slots=True)
class SearchServices:
    """Message search and its index."""

    index: SearchIndex
    messages: MessageSearch

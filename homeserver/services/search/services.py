"""The services of this package, all together: what wiring builds and an API is given."""

from dataclasses import dataclass

from homeserver.services.search.index import SearchIndex
from homeserver.services.search.messages import MessageSearch


@dataclass(frozen=True, slots=True)
class SearchServices:
    """The search of messages and its index."""

    index: SearchIndex
    messages: MessageSearch

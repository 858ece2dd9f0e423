"""All tables, on one MetaData. Each column's meaning is noted beside it.

Times end in `_ms`: milliseconds since 1970. A `position` is a log position. Ids are the text ids of Matrix; `number`
is a user's integer id.

Tables are imported from their modules; `metadata` is complete once this package is loaded.
"""

from homeserver.storage.schema import (
    delayed,
    directory,
    e2ee,
    federation,
    matrix,
    notify,
    people,
    previews,
    push,
    safety,
    search,
    timeline,
)
from homeserver.storage.schema.base import metadata

__all__ = [
    "delayed",
    "directory",
    "e2ee",
    "federation",
    "matrix",
    "metadata",
    "notify",
    "people",
    "previews",
    "push",
    "safety",
    "search",
    "timeline",
]

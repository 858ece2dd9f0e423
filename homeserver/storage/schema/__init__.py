"""Every table, on one MetaData. What a column means stands beside it; rules live elsewhere.

Times end in `_ms`. A `position` is a place in the log. Ids are the text ids of Matrix; `number` is a person's integer
id.

A table is imported from its module; `metadata` is complete once this package is loaded.
"""

from homeserver.storage.schema import (
    delayed,
    directory,
    e2ee,
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

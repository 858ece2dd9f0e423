"""Fields and bodies that are the same in several product APIs."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from homeserver.http.body import BLANK_IS_ABSENT, Body, Text
from homeserver.http.paging import PageQuery


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


TextId = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=255)]
"""An id of the host application: text, or an integer taken as text."""

OptionalTextId = Annotated[TextId | None, BLANK_IS_ABSENT]


class UserQuery(PageQuery):
    search: str = Field(default="", max_length=200)


class NewReport(Body):
    reason: Text = ""

"""Fields and bodies that are the same in several product APIs."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from homeserver.http.body import Body, Text
from homeserver.http.paging import PageQuery


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _null_is_empty(value: object) -> object:
    return {} if value is None else value


TextId = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=255)]
"""An id of the host application: text, or an integer taken as text."""

FrameData = Annotated[dict[str, object], BeforeValidator(_null_is_empty)]
"""The data of a client's frame; null is taken as none."""


class UserQuery(PageQuery):
    search: str = Field(default="", max_length=200)


class NewReport(Body):
    reason: Text = ""

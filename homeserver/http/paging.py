"""Pagination of the product APIs."""

from dataclasses import dataclass

from pydantic import Field

from homeserver.errors import Invalid
from homeserver.http.body import Query, QueryInt
from homeserver.model import Page


class LimitQuery(Query):
    limit: QueryInt | None = Field(default=None, ge=1, description="At most so many; bounded by the server.")


class PageQuery(LimitQuery):
    offset: QueryInt = Field(default=0, ge=0, le=2**31)


@dataclass(frozen=True, slots=True)
class Paging:
    """The page size limits."""

    max_page: int

    def limit(self, given: int | None, default: int | None = None) -> int:
        """The requested page size, `default` (or the maximum) if none is given. Raises Invalid if it is too large."""
        if given is None:
            return min(default or self.max_page, self.max_page)
        if given > self.max_page:
            raise Invalid(f"limit: must be at most {self.max_page}", code="invalid_param")
        return given

    def page(self, query: PageQuery) -> Page:
        """The page of a query."""
        return Page(self.limit(query.limit), query.offset)

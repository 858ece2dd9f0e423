"""Pages of lists, as all product APIs ask for them."""

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
    """How long pages may be."""

    max_page: int

    def limit(self, given: int | None, default: int | None = None) -> int:
        """The length asked for, `default` (or the longest) if none was. Raises Invalid when it is too long."""
        if given is None:
            return min(default or self.max_page, self.max_page)
        if given > self.max_page:
            raise Invalid(f"limit: must be at most {self.max_page}", code="invalid_param")
        return given

    def page(self, query: PageQuery) -> Page:
        """The page that a query asks for."""
        return Page(self.limit(query.limit), query.offset)

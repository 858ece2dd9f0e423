"""What goes over the wire of the messenger API. All ids are integers."""

from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.http.body import Body, Query, QueryInt

_PASSWORD = Field(max_length=10_000)
_EMAIL = Field(max_length=1000)


class Registration(Body):
    email: str = _EMAIL
    password: str = _PASSWORD
    display_name: str = Field(max_length=1000)
    tag: str | None = Field(default=None, max_length=100, description="Made from the e-mail if absent.")


class Login(Body):
    email: str = _EMAIL
    password: str = _PASSWORD


class Refresh(Body):
    refresh_token: str = Field(min_length=1, max_length=1000)


class ProfileChange(Body):
    """What is absent or null stays as it is; an empty `avatar_url` takes the picture away."""

    display_name: str | None = Field(default=None, max_length=1000)
    tag: str | None = Field(default=None, max_length=100)
    avatar_url: str | None = Field(default=None, max_length=2000)


class UserQuery(Query):
    search: str = Field(default="", max_length=200)
    limit: QueryInt | None = Field(default=None, ge=1, description="At most so many; bounded by the server.")
    offset: QueryInt = Field(default=0, ge=0, le=2**31)


class User(TypedDict):
    """`email` is null unless it is yours, or that of somebody you share a chat with."""

    id: int
    email: str | None
    display_name: str
    tag: str
    avatar_url: str | None
    created_at: str


class Tokens(TypedDict):
    """`expires_in`: seconds that the access token is good for."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: User

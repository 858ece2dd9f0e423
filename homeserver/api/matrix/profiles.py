"""Profiles: names and pictures of people, readable by everybody."""

from collections.abc import Sequence
from typing import Any

from homeserver.api.matrix import schemas
from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.http.body import JsonObject
from homeserver.http.routes import Call, Route
from homeserver.model import Person
from homeserver.protocol.ids import UserId
from homeserver.services.profiles import Profiles

NAME, PICTURE = "displayname", "avatar_url"


class ProfileCalls:
    """The calls under profile."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        whole = "/client/v3/profile/{user_id}"
        field = f"{whole}/{{field}}"
        return (
            Route("GET", whole, self.whole, "A person's profile", answer=schemas.Profile, public=True),
            Route("GET", field, self.field, "A field of a profile", answer=schemas.Profile, public=True),
            Route("PUT", field, self.change, "Change the own profile", body=JsonObject, answer=schemas.Empty),
            Route("DELETE", field, self.clear, "Empty a field of the own profile", answer=schemas.Empty),
        )

    async def whole(self, call: Call[None, None]) -> schemas.Profile:
        """What is there of name and picture."""
        return _shape(await self._person(call))

    async def field(self, call: Call[None, None]) -> schemas.Profile:
        """One field; NotFound where the person has none."""
        name = _known(call.text("field"))
        person = await self._person(call)
        if name == NAME and person.display_name:
            return {"displayname": person.display_name}
        if name == PICTURE and person.avatar_url:
            return {"avatar_url": person.avatar_url}
        raise NotFound("this person has none", code="field_not_found")

    async def change(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """The new value stands in the body under the field's own name."""
        name = _known(call.text("field"))
        value = call.body.root.get(name)
        if value is None and name not in call.body.root:
            raise Invalid(f"{name}: is required", code="missing_param")
        if value is not None and not isinstance(value, str):
            raise Invalid(f"{name}: must be a string", code="invalid_param")
        await self._set(call, name, value or "")
        return {}

    async def clear(self, call: Call[None, None]) -> schemas.Empty:
        """As if it had never been set."""
        await self._set(call, _known(call.text("field")), "")
        return {}

    async def _set(self, call: Call[Any, None], name: str, value: str) -> None:
        requester = call.requester
        if call.text("user_id") != requester.user_id:
            raise Forbidden("this is the profile of somebody else", code="not_yours")
        if name == PICTURE:
            await self._profiles.update(requester, avatar_url=value)
        elif value:
            await self._profiles.update(requester, display_name=value)
        else:
            await self._profiles.change(requester.user_id, {"display_name": ""})

    async def _person(self, call: Call[None, None]) -> Person:
        user_id = UserId(call.text("user_id"))
        person = (await self._profiles.people([user_id])).get(user_id)
        if person is None:
            raise NotFound("there is no such person here", code="user_not_found")
        return person


def _known(name: str) -> str:
    if name not in (NAME, PICTURE):
        raise NotFound("there is no such field", code="field_not_found")
    return name


def _shape(person: Person) -> schemas.Profile:
    answer: schemas.Profile = {}
    if person.display_name:
        answer["displayname"] = person.display_name
    if person.avatar_url:
        answer["avatar_url"] = person.avatar_url
    return answer

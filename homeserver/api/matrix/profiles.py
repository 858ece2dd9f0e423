"""Profiles: display names, avatars and custom fields; readable without a token, as far as the settings allow."""

from collections.abc import Sequence
from typing import Any

from homeserver.api.matrix import schemas
from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.http.body import JsonObject
from homeserver.http.routes import Call, Route
from homeserver.model import Person
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.profilefields import NAME, PICTURE, ProfileFields, check_field_name
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.rooms.member_events import MXC


class ProfileCalls:
    """The handlers under profile."""

    def __init__(self, profiles: Profiles, fields: ProfileFields) -> None:
        self._profiles = profiles
        self._fields = fields

    def routes(self) -> Sequence[Route]:
        """The routes."""
        whole = "/client/v3/profile/{user_id}"
        field = f"{whole}/{{field}}"
        return (
            Route(
                "GET",
                whole,
                self.profile,
                "Get a profile",
                answer=dict[str, Any],
                tokenless=True,
                guests=True,
            ),
            Route(
                "GET",
                field,
                self.field,
                "Get a profile field",
                answer=dict[str, Any],
                tokenless=True,
                guests=True,
            ),
            Route(
                "PUT",
                field,
                self.change,
                "Set a profile field",
                body=JsonObject,
                answer=schemas.Empty,
                guests=True,
            ),
            Route(
                "DELETE",
                field,
                self.clear,
                "Delete a profile field",
                answer=schemas.Empty,
                guests=True,
            ),
        )

    async def profile(self, call: Call[None, None]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/profile/{user_id}`: get a user's display name and avatar, where set, and
        all other fields.

        Spec: client-server API, "User data".
        Errors: M_NOT_FOUND (no such user, or not for the requester to look up).
        """
        person = await self._person(call)
        return {**_shape(person), **await self._fields.of(person.user_id)}

    async def field(self, call: Call[None, None]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/profile/{user_id}/{field}`: get one field of a user's profile.

        Spec: client-server API, "User data".
        Errors: M_NOT_FOUND (as for the whole profile, or the field is not set).
        """
        name = call.text("field")
        if name not in (NAME, PICTURE):
            check_field_name(name)
        person = await self._person(call)
        shown = _shape(person) if name in (NAME, PICTURE) else await self._fields.of(person.user_id)
        if name not in shown:
            raise NotFound("the profile has no such field", code="field_not_found")
        return {name: shown[name]}

    async def change(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/profile/{user_id}/{field}`: set a field of the user's own profile; the
        value stands in the body under the field's name.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's profile), M_MISSING_PARAM, M_INVALID_PARAM, M_KEY_TOO_LARGE,
          M_PROFILE_TOO_LARGE.
        """
        name, body = call.text("field"), call.body.root
        self._check_own(call)
        if name not in body:
            raise Invalid(f"{name}: is required", code="missing_param")
        if name not in (NAME, PICTURE):
            await self._fields.set(call.requester, name, body[name])
            return {}
        value = body[name]
        if value is not None and not isinstance(value, str):
            raise Invalid(f"{name}: must be a string", code="invalid_param")
        await self._set(call, name, value or "")
        return {}

    async def clear(self, call: Call[None, None]) -> schemas.Empty:
        """`DELETE /_matrix/client/v3/profile/{user_id}/{field}`: delete a field of the user's own profile.

        Spec: client-server API, "User data".
        Errors: M_FORBIDDEN (another user's profile).
        """
        name = call.text("field")
        self._check_own(call)
        if name in (NAME, PICTURE):
            await self._set(call, name, "")
        else:
            await self._fields.drop(call.requester, name)
        return {}

    async def _set(self, call: Call[Any, None], name: str, value: str) -> None:
        requester = call.requester
        self._fields.check(requester, name)
        if name == NAME:
            await self._profiles.change_name(requester, value)
        elif value and not value.startswith(MXC):
            raise Invalid("avatar_url: must be an mxc:// URI", code="bad_url")
        else:
            await self._profiles.update(requester, avatar_url=value)

    def _check_own(self, call: Call[Any, None]) -> None:
        if call.text("user_id") != call.requester.user_id:
            raise Forbidden("not your profile", code="not_yours")

    async def _person(self, call: Call[None, None]) -> Person:
        user_id = UserId(call.text("user_id"))
        person = (await self._profiles.people([user_id])).get(user_id)
        if person is None or not await self._profiles.visibility.shows_profile(call.caller, person):
            raise NotFound("no such user on this server", code="user_not_found")
        return person


def _shape(person: Person) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if person.display_name:
        answer[NAME] = person.display_name
    if person.avatar_url.startswith(MXC):
        answer[PICTURE] = person.avatar_url
    return answer

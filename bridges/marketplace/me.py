"""The caller's identity, for widgets that do not know whether there is a cookie or a token."""

from collections.abc import Sequence

from bridges.marketplace import schemas
from bridges.marketplace.auth import Callers
from bridges.marketplace.service import route
from homeserver.errors import Unauthenticated
from homeserver.http.routes import Call, Route

_NOBODY: schemas.Me = {"user_id": None, "is_registered": False, "is_staff": False}


class Me:
    """The handler of `me`."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (route("GET", "/me", self.me, "Get who you are", answer=schemas.Me),)

    async def me(self, call: Call[None, None]) -> schemas.Me:
        """`GET /api/chat/me`: the caller by their token or cookie; a guest gets their own UUID back.

        Without a credential nobody, and no error.
        """
        try:
            caller = await self._callers.of(call.request, None)
        except Unauthenticated as error:
            if error.code != "missing_token":
                raise
            return _NOBODY
        return {
            "user_id": caller.name,
            "is_registered": not caller.is_guest,
            "is_staff": caller.is_staff,
        }

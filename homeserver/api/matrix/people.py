"""Who a request speaks of: identifiers of log-ins, and the checks of the stages that ask for a password."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from homeserver.api.matrix.schemas import Identifier, PasswordStage, Who
from homeserver.errors import Forbidden, Invalid
from homeserver.http.body import check
from homeserver.model import Person
from homeserver.protocol.ids import UserId, is_user_id
from homeserver.services.accounts import Accounts
from homeserver.services.interactive import Stage


class Passwords:
    """Checks names and passwords as Matrix clients send them."""

    def __init__(
        self, accounts: Accounts, *, server_name: str, address: Callable[[web.Request], str]
    ) -> None:
        self._accounts = accounts
        self._server_name = server_name
        self._address = address

    async def check(self, who: Who, password: str, request: web.Request) -> Person:
        """The person with this name and password. Raises Unauthenticated, Invalid, RateLimited."""
        identifier = who.identifier or Identifier(
            type="m.id.thirdparty" if who.medium else "m.id.user",
            user=who.user,
            medium=who.medium,
            address=who.address,
        )
        address = self._address(request)
        if identifier.type == "m.id.user" and identifier.user:
            user_id = self._user_id(identifier.user)
            return await self._accounts.check_password_of(
                user_id, password=password, address=address, even_suspended=True
            )
        if identifier.type == "m.id.thirdparty" and identifier.medium == "email" and identifier.address:
            return await self._accounts.check_password(
                email=identifier.address, password=password, address=address, even_suspended=True
            )
        raise Invalid("say who you are by m.id.user, or m.id.thirdparty with an e-mail", code="unknown_stage")

    def stage(self, request: web.Request, user_id: UserId) -> Stage:
        """The stage m.login.password of somebody who is known already."""

        async def check_stage(auth: Mapping[str, Any]) -> None:
            shown = check(PasswordStage, auth)
            person = await self.check(shown, shown.password, request)
            if person.user_id != user_id:
                raise Forbidden("this is the password of somebody else", code="bad_credentials")

        return check_stage

    def _user_id(self, name: str) -> UserId:
        """A whole id, or the name before the colon; capitals do not count."""
        wanted = name.lower() if name.startswith("@") else f"@{name.lower()}:{self._server_name}"
        if not is_user_id(wanted) or not wanted.endswith(f":{self._server_name}"):
            raise Forbidden("there is no such person here", code="bad_credentials")
        return UserId(wanted)

"""User identifiers of logins, and user-interactive authentication (UIA) by password."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from homeserver.api.matrix.schemas import Identifier, PasswordStage, UserIdentifier
from homeserver.errors import Forbidden, Invalid
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call
from homeserver.model import Person, Requester
from homeserver.protocol.ids import UserId, is_user_id
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.auth.uia import PASSWORD, UiaOperation, UiaResult, UserInteractiveAuth


class Passwords:
    """Checks identifiers and passwords."""

    def __init__(
        self,
        accounts: Accounts,
        interactions: UserInteractiveAuth,
        *,
        server_name: str,
        address: Callable[[web.Request], str],
    ) -> None:
        self._accounts = accounts
        self._interactions = interactions
        self._server_name = server_name
        self._address = address

    async def check(
        self, who: UserIdentifier, password: str, request: web.Request, caller: Requester | None = None
    ) -> Person:
        """The user with this identifier and password. Raises Unauthenticated, Invalid, RateLimited.

        `caller`: the user whose access token came with the request.
        """
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
                user_id, password=password, address=address, even_suspended=True, caller=caller
            )
        if identifier.type == "m.id.thirdparty" and identifier.medium == "email" and identifier.address:
            return await self._accounts.check_password(
                email=identifier.address,
                password=password,
                address=address,
                even_suspended=True,
                caller=caller,
            )
        raise Invalid(
            "identifier: must be m.id.user, or m.id.thirdparty with an e-mail address", code="unknown_stage"
        )

    async def prove(self, call: Call[JsonObject, None], purpose: str) -> UiaResult:
        """Require the password of the requester or, if the request has no token, of any account.

        Raises UiaRequired until it was given. `purpose` names the call.
        """

        async def stage(auth: Mapping[str, Any]) -> UserId:
            shown = check(PasswordStage, auth)
            return (await self.check(shown, shown.password, call.request, call.caller)).user_id

        known = call.caller is not None
        wanted = UiaOperation(
            # A UIA session started without a token continues without one, and the other way round.
            purpose=purpose if known else f"{purpose} without a token",
            user_id=call.requester.user_id if known else "",
            flows=[[PASSWORD]],
            stages={PASSWORD: stage},
            address=self._address(call.request),
            limited=True,
        )
        return await self._interactions.passed(wanted, call.body.root)

    def _user_id(self, name: str) -> UserId:
        """The user ID of a full ID or a localpart, case-insensitively."""
        wanted = name.lower() if name.startswith("@") else f"@{name.lower()}:{self._server_name}"
        if not is_user_id(wanted) or not wanted.endswith(f":{self._server_name}"):
            raise Forbidden("no such user on this server", code="bad_credentials")
        return UserId(wanted)

"""Accounts: registration, whoami, password change, deactivation."""

from collections.abc import Callable, Sequence

from aiohttp import web

from homeserver.api.matrix import schemas
from homeserver.api.matrix.logins import Logins
from homeserver.api.matrix.schemas import (
    Deactivation,
    DeviceParams,
    NameQuery,
    NewPassword,
    Registration,
    RegistrationQuery,
    StageQuery,
    TokenQuery,
)
from homeserver.api.matrix.uia import Passwords
from homeserver.errors import Invalid, Unauthenticated
from homeserver.http.body import JsonObject, check
from homeserver.http.routes import Call, Route
from homeserver.model import SessionId
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.guestaccounts import no_guest
from homeserver.services.accounts.services import AccountServices
from homeserver.services.accounts.status import check_standing, is_matrix_guest
from homeserver.services.auth.services import AuthServices
from homeserver.services.auth.uia import TOKEN, UiaResult


class AccountCalls:
    """The handlers under register and account."""

    def __init__(
        self,
        accounts: AccountServices,
        auth: AuthServices,
        *,
        logins: Logins,
        passwords: Passwords,
        address: Callable[[web.Request], str],
    ) -> None:
        self._accounts = accounts.accounts
        self._guests = accounts.guest_accounts
        self._auth = auth
        self._address = address
        self._logins = logins
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        """The routes."""
        root = "/client/v3"
        return (
            Route(
                "POST",
                f"{root}/register",
                self.register,
                "Register an account",
                body=JsonObject,
                query=RegistrationQuery,
                answer=schemas.LoggedIn,
                public=True,
                errors={401: "Authentication (UIA) is required.", 403: "Registration is closed."},
            ),
            Route(
                "GET",
                f"{root}/register/available",
                self.available,
                "Check whether a user name is available",
                query=NameQuery,
                answer=schemas.Available,
                public=True,
            ),
            Route(
                "GET",
                f"/client/v1/register/{TOKEN}/validity",
                self.token_validity,
                "Check a registration token",
                query=TokenQuery,
                answer=schemas.Valid,
                public=True,
            ),
            Route(
                "POST",
                f"{root}/auth/{{auth_type}}/fallback/web",
                self.complete_stage,
                "Complete a stage of a registration",
                body=JsonObject,
                query=StageQuery,
                answer=schemas.Empty,
                public=True,
            ),
            *self._account_routes(),
        )

    def _account_routes(self) -> Sequence[Route]:
        account = "/client/v3/account"
        return (
            Route(
                "GET",
                f"{account}/whoami",
                self.whoami,
                "Get the token's user",
                answer=schemas.WhoAmI,
                guests=True,
            ),
            Route(
                "POST",
                f"{account}/password",
                self.password,
                "Change the password",
                body=JsonObject,
                answer=schemas.Empty,
                tokenless=True,
            ),
            Route(
                "POST",
                f"{account}/deactivate",
                self.deactivate,
                "Deactivate the account",
                body=JsonObject,
                answer=schemas.Unbound,
                tokenless=True,
            ),
        )

    async def register(self, call: Call[JsonObject, RegistrationQuery]) -> schemas.LoggedIn:
        """`POST /_matrix/client/v3/register`: register an account and, unless `inhibit_login`, start its
        first session.

        `kind=guest` makes a guest account; `guest_access_token` makes the guest account `username` a full one,
        with the same id and rooms.
        The caller passes the stages (UIA) that the settings ask for. A completed request that is repeated, as the
        answer was lost, gets the same answer.

        Spec: client-server API, "Account management".
        Errors: 401 with `flows` (UIA), M_FORBIDDEN (registration is closed, or the guest's
          token is another's), M_USER_IN_USE,
          M_INVALID_USERNAME, M_WEAK_PASSWORD, M_MISSING_PARAM.
        """
        if call.query.kind != "user":
            if call.query.kind == "guest":
                return await self._register_guest(call)
            raise Invalid("kind must be user or guest", code="invalid_param")
        self._accounts.check_open()
        address, first = self._address(call.request), check(Registration, call.body.root)

        async def check_name() -> None:
            if first.guest_access_token is not None:
                await self._guest(first, address)
            elif first.username is not None:
                await self._accounts.check_name(first.username)

        return await self._auth.uia.answered(
            self._auth.registration.wanted(address),
            call.body.root,
            lambda passed: self._register(call, passed, address),
            check=check_name,
        )

    async def _register(
        self, call: Call[JsonObject, RegistrationQuery], passed: UiaResult, address: str
    ) -> schemas.LoggedIn:
        """Register the account of a request that passed all stages."""
        request = check(Registration, passed.params)
        if request.password is None:
            raise Invalid("password: is required", code="missing_param")
        if request.guest_access_token is not None:
            guest = await self._guest(request, address)
            person = await self._guests.upgrade(guest, password=request.password, address=address)
        else:
            person = await self._accounts.register_named(
                localpart=request.username, password=request.password, address=address
            )
        if request.inhibit_login:
            return {"user_id": person.user_id}
        return await self._logins.open(person, request, call.request)

    async def _guest(self, request: Registration, address: str) -> UserId:
        """The guest account that `guest_access_token` proves. It must be the one that `username` names."""
        if request.username is None:
            raise Invalid("username: is required", code="missing_param")
        try:
            guest = await self._auth.sessions.access_tokens.recognise(
                request.guest_access_token or "", address
            )
        except Unauthenticated as refused:
            raise no_guest() from refused
        localpart = guest.user_id[1:].partition(":")[0]
        if not is_matrix_guest(guest.number) or request.username.lower() != localpart:
            raise no_guest()
        check_standing(suspended=guest.suspended, locked=guest.locked)
        return guest.user_id

    async def _register_guest(self, call: Call[JsonObject, RegistrationQuery]) -> schemas.LoggedIn:
        """Register a guest. Only the device's display name is taken from the body."""
        name = "initial_device_display_name"
        request = check(DeviceParams, {name: call.body.root.get(name)})
        guest = await self._guests.register(self._address(call.request))
        return await self._logins.open(guest, request, call.request)

    async def available(self, call: Call[None, NameQuery]) -> schemas.Available:
        """`GET /_matrix/client/v3/register/available`: check whether a user name can be registered.

        Spec: client-server API, "Account management".
        Errors: M_USER_IN_USE, M_INVALID_USERNAME, M_FORBIDDEN (registration is closed).
        """
        self._accounts.check_open()
        await self._accounts.check_name(call.query.username)
        return {"available": True}

    async def token_validity(self, call: Call[None, TokenQuery]) -> schemas.Valid:
        """`GET /_matrix/client/v1/register/m.login.registration_token/validity`: check whether a registration
        token is valid.

        It is not counted as a use.

        Spec: client-server API, "Account management".
        """
        return {
            "valid": await self._auth.registration_tokens.is_good(
                call.query.token, address=self._address(call.request)
            )
        }

    async def complete_stage(self, call: Call[JsonObject, StageQuery]) -> schemas.Empty:
        """`POST /_matrix/client/v3/auth/{auth_type}/fallback/web`: complete a stage, as its fallback page
        does.

        Only for registrations: a page that takes passwords for requests begun elsewhere would serve whoever
        began them.

        Spec: client-server API, "Account management" (fallback of UIA).
        Errors: M_UNRECOGNIZED (unknown stage), M_UNKNOWN (unknown or expired session).
        """
        auth = {**call.body.root, "type": call.text("auth_type")}
        wanted = self._auth.registration.wanted(self._address(call.request))
        await self._auth.uia.show(wanted, call.query.session, auth)
        return {}

    async def whoami(self, call: Call[None, None]) -> schemas.WhoAmI:
        """`GET /_matrix/client/v3/account/whoami`: the user, and the device if the session has one.

        Spec: client-server API, "Session management".
        """
        requester = call.requester
        answer: schemas.WhoAmI = {"user_id": requester.user_id, "is_guest": is_matrix_guest(requester.number)}
        if requester.device_id is not None:
            answer["device_id"] = requester.device_id
        return answer

    async def password(self, call: Call[JsonObject, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/account/password`: change the user's password. Asks for the old one (UIA).

        Other sessions of the user end unless `logout_devices` is false.

        Spec: client-server API, "Account management".
        Errors: 401 with `flows` (UIA), M_WEAK_PASSWORD, M_INVALID_PARAM (too long).
        """
        proven = await self._passwords.prove(call, "POST account/password")
        request = check(NewPassword, proven.params)
        ended: Sequence[SessionId] | None = []
        if request.logout_devices:
            ended = None if call.caller is None else await self._auth.devices.others(call.caller)
        await self._accounts.set_password(proven.user_id, request.new_password, ended=ended)
        return {}

    async def deactivate(self, call: Call[JsonObject, None]) -> schemas.Unbound:
        """`POST /_matrix/client/v3/account/deactivate`: deactivate the user's account; with `erase` also
        empty the profile.

        Asks for the password (UIA).
        The server publishes no third-party identifiers, so `id_server_unbind_result` does not depend on the
        account.

        Spec: client-server API, "Account management".
        Errors: 401 with `flows` (UIA).
        """
        proven = await self._passwords.prove(call, "POST account/deactivate")
        request = check(Deactivation, proven.params)
        await self._accounts.deactivate(proven.user_id, erase=request.erase)
        return {"id_server_unbind_result": "success"}

"""Third-party identifiers: e-mail addresses and phone numbers of accounts.

This server sends no e-mail and no SMS and trusts no identity server: nothing can be validated, and no answer here
depends on who has which address.
"""

from collections.abc import Sequence

from pydantic import Field

from homeserver.api.matrix import schemas
from homeserver.api.matrix.uia import Passwords
from homeserver.errors import Forbidden, Invalid
from homeserver.http.body import Body, JsonObject, check
from homeserver.http.routes import Call, Route
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.accounts.profiles import Profiles

_TEXT = Field(max_length=1000)


class EmailTokenRequest(Body):
    client_secret: str = _TEXT
    email: str = _TEXT
    send_attempt: int


class PhoneTokenRequest(Body):
    client_secret: str = _TEXT
    country: str = _TEXT
    phone_number: str = _TEXT
    send_attempt: int


class Proof(Body):
    client_secret: str = _TEXT
    sid: str = _TEXT


class Credentials(Proof):
    id_server: str = _TEXT
    id_access_token: str = _TEXT


class DeprecatedProof(Body):
    three_pid_creds: Credentials


class Address(Body):
    medium: str = _TEXT
    address: str = _TEXT


class ThreepidCalls:
    """The handlers under account/3pid, and of requestToken."""

    def __init__(self, *, accounts: Accounts, profiles: Profiles, passwords: Passwords) -> None:
        self._accounts = accounts
        self._profiles = profiles
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        """The routes."""
        root = "/client/v3/account/3pid"
        return (
            Route(
                "GET",
                root,
                self.listing,
                "List the account's third-party identifiers",
                answer=schemas.Threepids,
            ),
            Route(
                "POST",
                root,
                self.add_deprecated,
                "Add a third-party identifier (deprecated)",
                body=DeprecatedProof,
            ),
            Route("POST", f"{root}/add", self.add, "Add a third-party identifier", body=JsonObject),
            Route("POST", f"{root}/bind", self.bind, "Bind a third-party identifier", body=Credentials),
            Route(
                "POST",
                f"{root}/unbind",
                self.unbind,
                "Unbind a third-party identifier",
                body=Address,
                answer=schemas.Unbound,
            ),
            Route(
                "POST",
                f"{root}/delete",
                self.delete,
                "Delete a third-party identifier",
                body=Address,
                answer=schemas.Unbound,
            ),
            *self._request_token_routes(),
        )

    def _request_token_routes(self) -> Sequence[Route]:
        mail, phone = "email/requestToken", "msisdn/requestToken"
        about = "Request a validation token"
        added, closed = "/client/v3/account/3pid", ("/client/v3/register", "/client/v3/account/password")
        return (
            Route("POST", f"{added}/{mail}", self.refuse_medium, about, body=EmailTokenRequest, public=True),
            Route("POST", f"{added}/{phone}", self.refuse_medium, about, body=PhoneTokenRequest, public=True),
            *(
                Route("POST", f"{root}/{mail}", self.refuse_token, about, body=EmailTokenRequest, public=True)
                for root in closed
            ),
            *(
                Route(
                    "POST", f"{root}/{phone}", self.refuse_token, about, body=PhoneTokenRequest, public=True
                )
                for root in closed
            ),
        )

    async def listing(self, call: Call[None, None]) -> schemas.Threepids:
        """`GET /_matrix/client/v3/account/3pid`: the e-mail address that the account was registered with, if
        any.

        Spec: client-server API, "Account management".
        """
        person = await self._profiles.own(call.requester)
        if not person.email:
            return {"threepids": []}
        at = person.created_ms
        return {
            "threepids": [{"medium": "email", "address": person.email, "added_at": at, "validated_at": at}]
        }

    async def refuse_medium(self, _: Call[EmailTokenRequest, None] | Call[PhoneTokenRequest, None]) -> None:
        """`POST /_matrix/client/v3/account/3pid/email/requestToken`,
        `POST /_matrix/client/v3/account/3pid/msisdn/requestToken`: request a validation token for an address
        to add.

        This server sends no mail and no SMS.

        Spec: client-server API, "Account management".
        Errors: M_THREEPID_MEDIUM_NOT_SUPPORTED, always.
        """
        raise Invalid("this server sends no e-mail and no SMS", code="threepid_medium")

    async def refuse_token(self, _: Call[EmailTokenRequest, None] | Call[PhoneTokenRequest, None]) -> None:
        """`POST /_matrix/client/v3/register/email/requestToken`,
        `POST /_matrix/client/v3/account/password/email/requestToken`,
        `POST /_matrix/client/v3/register/msisdn/requestToken`,
        `POST /_matrix/client/v3/account/password/msisdn/requestToken`: request a validation token for a
        registration or a forgotten password.

        This server sends no mail and no SMS.

        Spec: client-server API, "Account management".
        Errors: M_THREEPID_DENIED, always, so that the answer does not tell who has which address.
        """
        raise Forbidden("this server sends no e-mail and no SMS", code="threepid_refused")

    async def add_deprecated(self, _: Call[DeprecatedProof, None]) -> None:
        """`POST /_matrix/client/v3/account/3pid`: add an address that was validated before.

        No validation can succeed here.

        Spec: client-server API, "Account management".
        Errors: M_THREEPID_AUTH_FAILED, always.
        """
        raise _unproven()

    async def add(self, call: Call[JsonObject, None]) -> None:
        """`POST /_matrix/client/v3/account/3pid/add`: add an address that was validated before.

        Asks for the password (UIA); no validation can succeed here.

        Spec: client-server API, "Account management".
        Errors: 401 with `flows` (UIA), M_THREEPID_AUTH_FAILED.
        """
        check(Proof, (await self._passwords.prove(call, "POST account/3pid/add")).params)
        raise _unproven()

    async def bind(self, _: Call[Credentials, None]) -> None:
        """`POST /_matrix/client/v3/account/3pid/bind`: publish an address on an identity server.

        This server talks to none.

        Spec: client-server API, "Account management".
        Errors: M_SERVER_NOT_TRUSTED, always.
        """
        raise Invalid("this server trusts no identity server", code="identity_server")

    async def unbind(self, _: Call[Address, None]) -> schemas.Unbound:
        """`POST /_matrix/client/v3/account/3pid/unbind`: remove an address from an identity server.

        This server published none, so there is nothing to do.

        Spec: client-server API, "Account management".
        """
        return {"id_server_unbind_result": "no-support"}

    async def delete(self, call: Call[Address, None]) -> schemas.Unbound:
        """`POST /_matrix/client/v3/account/3pid/delete`: delete an address from the account.

        Does nothing for an address that is not the account's.

        Spec: client-server API, "Account management".
        """
        if call.body.medium == "email":
            await self._accounts.drop_email(call.requester.user_id, call.body.address)
        return {"id_server_unbind_result": "no-support"}


def _unproven() -> Forbidden:
    return Forbidden("the address was not validated", code="threepid_unproven")

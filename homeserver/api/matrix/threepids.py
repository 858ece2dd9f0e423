"""E-mail addresses and phone numbers of accounts.

This server sends no mail and no SMS and trusts no identity server: nothing can be proven to it, and no answer here
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


class OldProof(Body):
    three_pid_creds: Credentials


class Address(Body):
    medium: str = _TEXT
    address: str = _TEXT


class ThreepidCalls:
    """The calls under account/3pid, and those that ask for a proof by mail or SMS."""

    def __init__(self, *, accounts: Accounts, profiles: Profiles, passwords: Passwords) -> None:
        self._accounts = accounts
        self._profiles = profiles
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        root = "/client/v3/account/3pid"
        return (
            Route("GET", root, self.listing, "E-mail of the account", answer=schemas.Threepids),
            Route("POST", root, self.add_old, "Add an address, as old clients do", body=OldProof),
            Route("POST", f"{root}/add", self.add, "Add an address", body=JsonObject),
            Route("POST", f"{root}/bind", self.bind, "Publish an address", body=Credentials),
            Route(
                "POST", f"{root}/unbind", self.unbind, "Unpublish it", body=Address, answer=schemas.Unbound
            ),
            Route("POST", f"{root}/delete", self.delete, "Drop it", body=Address, answer=schemas.Unbound),
            *self._asking(),
        )

    def _asking(self) -> Sequence[Route]:
        mail, phone = "email/requestToken", "msisdn/requestToken"
        about = "Prove an address"
        added, closed = "/client/v3/account/3pid", ("/client/v3/register", "/client/v3/account/password")
        return (
            Route("POST", f"{added}/{mail}", self.not_supported, about, body=EmailTokenRequest, public=True),
            Route("POST", f"{added}/{phone}", self.not_supported, about, body=PhoneTokenRequest, public=True),
            *(
                Route("POST", f"{root}/{mail}", self.refuse, about, body=EmailTokenRequest, public=True)
                for root in closed
            ),
            *(
                Route("POST", f"{root}/{phone}", self.refuse, about, body=PhoneTokenRequest, public=True)
                for root in closed
            ),
        )

    async def listing(self, call: Call[None, None]) -> schemas.Threepids:
        """The e-mail address that the account was made with."""
        person = await self._profiles.own(call.requester)
        if not person.email:
            return {"threepids": []}
        at = person.created_ms
        return {
            "threepids": [{"medium": "email", "address": person.email, "added_at": at, "validated_at": at}]
        }

    async def not_supported(self, _: Call[EmailTokenRequest, None] | Call[PhoneTokenRequest, None]) -> None:
        """For whatever address."""
        raise Invalid("this server sends no mail and no SMS", code="threepid_medium")

    async def refuse(self, _: Call[EmailTokenRequest, None] | Call[PhoneTokenRequest, None]) -> None:
        """For whatever address."""
        raise Forbidden("this server sends no mail and no SMS", code="threepid_refused")

    async def add_old(self, _: Call[OldProof, None]) -> None:
        """No proof is one to us."""
        raise _unproven()

    async def add(self, call: Call[JsonObject, None]) -> None:
        """Asks for the password; but no proof was ever begun here."""
        check(Proof, (await self._passwords.prove(call, "POST account/3pid/add")).params)
        raise _unproven()

    async def bind(self, _: Call[Credentials, None]) -> None:
        """There is no identity server that we talk to."""
        raise Invalid("this server talks to no identity server", code="identity_server")

    async def unbind(self, _: Call[Address, None]) -> schemas.Unbound:
        """Nothing was published by us."""
        return {"id_server_unbind_result": "no-support"}

    async def delete(self, call: Call[Address, None]) -> schemas.Unbound:
        """Nothing happens where the address is not the account's."""
        if call.body.medium == "email":
            await self._accounts.drop_email(call.requester.user_id, call.body.address)
        return {"id_server_unbind_result": "no-support"}


def _unproven() -> Forbidden:
    return Forbidden("nothing proves that this address is yours", code="threepid_unproven")

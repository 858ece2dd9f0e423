"""Server discovery: versions, well-known files, capabilities."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NotRequired

from typing_extensions import TypedDict

from homeserver.api.matrix import schemas
from homeserver.errors import NotFound
from homeserver.http.routes import Call, Route
from homeserver.settings.models import ContactSettings, ServerSettings, WellKnownSettings
from homeserver.settings.section import ROOM_VERSIONS

VERSIONS = (
    "r0.6.1",
    *(f"v1.{minor}" for minor in range(1, 20)),
)
UNSTABLE: Mapping[str, bool] = MappingProxyType(
    {
        "m.lazy_load_members": True,
        "org.matrix.e2e_cross_signing": True,
        "org.matrix.msc2285.stable": True,  # private receipts
        "org.matrix.msc3391": True,  # deletion of account data
        "org.matrix.msc3440.stable": True,  # threads
        "org.matrix.msc3874": True,  # filters by relation
        "org.matrix.msc3890": True,  # local notification settings are deleted with their device
        "org.matrix.msc4140": True,  # delayed events
        "org.matrix.msc4222": True,  # state_after in sync
        "org.matrix.simplified_msc3575": True,  # sliding sync
        "uk.half-shot.msc2666.query_mutual_rooms": True,
        "uk.half-shot.msc2666.query_mutual_rooms.stable": True,
        "uk.tcpip.msc4133.stable": True,  # profile fields
    }
)
"""The unstable features that clients look for; each is implemented."""


class Contact(TypedDict):
    matrix_id: NotRequired[str]
    email_address: NotRequired[str]
    role: str


class Support(TypedDict):
    contacts: NotRequired[list[Contact]]
    support_page: NotRequired[str]


class PolicyServer(TypedDict):
    public_keys: dict[str, str]


Delegation = TypedDict("Delegation", {"m.server": str})


class Discovery:
    """The handlers of versions, capabilities and the well-known files."""

    def __init__(self, *, server: ServerSettings, well_known: WellKnownSettings) -> None:
        self._server = server
        self._well_known = well_known

    def routes(self) -> Sequence[Route]:
        """The routes below /_matrix."""
        return (
            Route(
                "GET",
                "/client/versions",
                self.versions,
                "List the supported versions of the specification",
                answer=schemas.Versions,
                public=True,
            ),
            Route(
                "GET",
                "/client/v3/capabilities",
                self.capabilities,
                "Get the server's capabilities",
                answer=schemas.Capabilities,
            ),
        )

    def well_known(self) -> Sequence[Route]:
        """The routes below /.well-known/matrix."""
        return (
            Route(
                "GET",
                "/client",
                self.client,
                "Discover the homeserver",
                answer=schemas.WellKnown,
                public=True,
            ),
            Route(
                "GET",
                "/server",
                self.delegation,
                "Discover the server for federation",
                answer=Delegation,
                public=True,
            ),
            Route("GET", "/support", self.support, "Get the server's contacts", answer=Support, public=True),
            Route(
                "GET",
                "/policy_server",
                self.policy_server,
                "Get the policy server's public keys",
                answer=PolicyServer,
                public=True,
            ),
        )

    async def versions(self, _: Call[None, None]) -> schemas.Versions:
        """`GET /_matrix/client/versions`: list the versions of the specification and the unstable features
        that this server supports.

        Spec: client-server API, "Server administration".
        """
        return {"versions": list(VERSIONS), "unstable_features": dict(UNSTABLE)}

    async def client(self, _: Call[None, None]) -> schemas.WellKnown:
        """`GET /.well-known/matrix/client`: the base URL of the client API.

        Spec: client-server API, "Server administration".
        """
        return {"m.homeserver": {"base_url": self._server.public_url}}

    async def delegation(self, _: Call[None, None]) -> Delegation:
        """`GET /.well-known/matrix/server`: the host and port that other servers connect to.

        Spec: server-server API, "Server discovery".
        Errors: M_NOT_FOUND (no delegation is set: the server name itself is the address).
        """
        if self._well_known.server is None:
            raise _not_set()
        return {"m.server": self._well_known.server}

    async def support(self, _: Call[None, None]) -> Support:
        """`GET /.well-known/matrix/support`: the admins' contacts and the support page.

        Spec: client-server API, "Server administration".
        Errors: M_NOT_FOUND (none are set).
        """
        answer: Support = {}
        if self._well_known.contacts:
            answer["contacts"] = [_contact(one) for one in self._well_known.contacts]
        if self._well_known.support_page is not None:
            answer["support_page"] = self._well_known.support_page
        if not answer:
            raise _not_set()
        return answer

    async def policy_server(self, _: Call[None, None]) -> PolicyServer:
        """`GET /.well-known/matrix/policy_server`: the public keys of the policy server at this name.

        Spec: MSC4284.
        Errors: M_NOT_FOUND (there is none).
        """
        if self._well_known.policy_key is None:
            raise _not_set()
        return {"public_keys": {"ed25519": self._well_known.policy_key}}

    async def capabilities(self, call: Call[None, None]) -> schemas.Capabilities:
        """`GET /_matrix/client/v3/capabilities`: which of their data users may change, and which room
        versions can be made.

        m.account_moderation is shown to admins only.

        Spec: client-server API, "Capabilities".
        """
        versions = dict.fromkeys(ROOM_VERSIONS, "stable")
        answer: schemas.Capabilities = {
            "capabilities": {
                "m.change_password": {"enabled": True},
                "m.room_versions": {"default": self._server.default_room_version, "available": versions},
                "m.set_displayname": {"enabled": True},
                "m.set_avatar_url": {"enabled": True},
                "m.profile_fields": {"enabled": True},
                "m.3pid_changes": {"enabled": False},
                "m.get_login_token": {"enabled": True},
                "m.forget_forced_upon_leave": {"enabled": False},
            }
        }
        if call.requester.admin:
            answer["capabilities"]["m.account_moderation"] = {"suspend": True, "lock": True}
        return answer


def _contact(settings: ContactSettings) -> Contact:
    contact: Contact = {"role": settings.role}
    if settings.matrix_id is not None:
        contact["matrix_id"] = settings.matrix_id
    if settings.email is not None:
        contact["email_address"] = settings.email
    return contact


def _not_set() -> NotFound:
    return NotFound("not set on this server", code="not_set")

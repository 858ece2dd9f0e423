"""What a client asks before anything else: which versions, which server, which ways to log in."""

from collections.abc import Sequence

from homeserver.api.matrix import schemas
from homeserver.http.routes import Call, Route
from homeserver.settings.models import ServerSettings
from homeserver.settings.section import ROOM_VERSIONS

VERSIONS = (
    "r0.6.1",
    *(f"v1.{minor}" for minor in range(1, 16)),
)

_UNSTABLE = {
    "org.matrix.simplified_msc3575": True,  # sliding sync
    "uk.half-shot.msc2666.query_mutual_rooms": True,
}


class Discovery:
    """The public calls that say what this server is."""

    def __init__(self, *, server: ServerSettings) -> None:
        self._server = server

    def routes(self) -> Sequence[Route]:
        """The table of these calls, below /_matrix."""
        return (
            Route(
                "GET",
                "/client/versions",
                self.versions,
                "Versions of the specification",
                answer=schemas.Versions,
                public=True,
            ),
            Route(
                "GET",
                "/client/v3/capabilities",
                self.capabilities,
                "What may be done here",
                answer=schemas.Capabilities,
            ),
        )

    def well_known(self) -> Sequence[Route]:
        """The table of the calls below /.well-known/matrix."""
        return (
            Route(
                "GET", "/client", self.client, "Where clients connect", answer=schemas.WellKnown, public=True
            ),
        )

    async def versions(self, _: Call[None, None]) -> schemas.Versions:
        """Versions of the specification that are spoken here."""
        return {"versions": list(VERSIONS), "unstable_features": dict(_UNSTABLE)}

    async def client(self, _: Call[None, None]) -> schemas.WellKnown:
        """The address of the client API."""
        return {"m.homeserver": {"base_url": self._server.public_url}}

    async def capabilities(self, _: Call[None, None]) -> schemas.Capabilities:
        """What a person may change, and which room versions there are."""
        versions = dict.fromkeys(ROOM_VERSIONS, "stable")
        return {
            "capabilities": {
                "m.change_password": {"enabled": True},
                "m.room_versions": {"default": self._server.default_room_version, "available": versions},
                "m.set_displayname": {"enabled": True},
                "m.set_avatar_url": {"enabled": True},
                "m.3pid_changes": {"enabled": False},
                "m.get_login_token": {"enabled": False},
            }
        }

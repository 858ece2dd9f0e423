"""The TURN server call (client-server API, "Voice over IP")."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from homeserver.clock import Clock
from homeserver.http.routes import Call, Route
from homeserver.services.voip.turn import turn_credentials
from homeserver.settings.models import TurnSettings


class TurnServer(TypedDict, total=False):
    username: str
    password: str
    uris: list[str]
    ttl: int


class VoipCalls:
    """The handler of voip/turnServer."""

    def __init__(self, *, turn: TurnSettings, clock: Clock) -> None:
        self._turn = turn
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """The route."""
        return (
            Route(
                "GET",
                "/client/v3/voip/turnServer",
                self.turn,
                "Get TURN server credentials",
                answer=TurnServer,
            ),
        )

    async def turn(self, call: Call[None, None]) -> TurnServer:
        """`GET /_matrix/client/v3/voip/turnServer`: URIs and time-limited credentials of the TURN servers.

        Without TURN servers the answer is empty: clients in use ask at every start, and take an error for a fault.

        Spec: client-server API, "VOIP".
        """
        made = turn_credentials(self._turn, call.requester.user_id, self._clock.now_ms())
        if made is None:
            return {}
        return {
            "username": made.username,
            "password": made.password,
            "uris": list(self._turn.uris),
            "ttl": self._turn.ttl_s,
        }

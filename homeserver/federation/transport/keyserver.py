"""What this server says of keys: its own, and as a notary those of others (server-server API, "Server Keys")."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from homeserver.clock import Clock
from homeserver.federation.transport.keyanswers import own_answer
from homeserver.federation.transport.keyring import Keyring
from homeserver.protocol import canonical
from homeserver.protocol.ids import ServerName
from homeserver.protocol.signing import FormerKey, SigningKey, sign_json

_MOST_QUERIED: Final = 50  # servers of one query; more are left out


class KeyServer:
    """Answers about keys. `valid_ms`: for how long our answer about our own may be believed."""

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        *,
        server: ServerName,
        key: SigningKey,
        former: Sequence[FormerKey],
        valid_ms: int,
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._server = server
        self._key = key
        self._former = former
        self._valid_ms = valid_ms

    def own(self) -> dict[str, Any]:
        """Our keys."""
        return own_answer(self._server, self._key, self._former, self._clock.now_ms() + self._valid_ms)

    async def query(self, wanted: Mapping[ServerName, int]) -> list[dict[str, Any]]:
        """What these servers say of their keys, signed by them and by us; those that cannot be had are left out.

        `wanted`: until when each answer must be valid at least, in milliseconds since 1970.
        """
        asked = list(wanted.items())[:_MOST_QUERIED]
        found = await asyncio.gather(*(self._one(server, until_ms) for server, until_ms in asked))
        return [one for one in found if one is not None]

    async def _one(self, server: ServerName, until_ms: int) -> dict[str, Any] | None:
        if server == self._server:
            return self.own()
        held = await self._keyring.answer(server, until_ms)
        if held is None:
            return None
        said: dict[str, Any] = canonical.decode(held.answer)
        return sign_json(said, self._server, self._key)

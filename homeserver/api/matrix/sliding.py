"""The handler of sliding sync."""

from collections.abc import Sequence

from homeserver.api.matrix.slidingschemas import SlidingAnswer, SlidingBody, SlidingQuery
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId
from homeserver.services.sliding.request import SlidingRequest
from homeserver.services.sliding.service import SlidingSyncs
from homeserver.services.sliding.tokens import Pos


class SlidingCalls:
    """The handler of sliding sync."""

    def __init__(self, syncs: SlidingSyncs) -> None:
        self._syncs = syncs

    def routes(self) -> Sequence[Route]:
        """The table of this call."""
        return (
            Route(
                "POST",
                "/client/unstable/org.matrix.simplified_msc3575/sync",
                self.sync,
                "Sync the rooms in view",
                body=SlidingBody,
                query=SlidingQuery,
                answer=SlidingAnswer,
            ),
        )

    async def sync(self, call: Call[SlidingBody, SlidingQuery]) -> SlidingAnswer:
        """`POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`: simplified sliding sync:
        windows of room lists, room subscriptions and extensions.

        Each request repeats everything that it asks for.

        Spec: MSC4186.
        Errors: M_UNKNOWN_POS (start again without `pos`).
        """
        body, query, reader = call.body, call.query, call.requester.user_id
        request = SlidingRequest(
            pos=None if query.pos is None else Pos.parse(query.pos),
            conn_id=body.conn_id,
            timeout_s=query.timeout / 1000,
            presence=query.set_presence,
            lists={name: one.read(reader) for name, one in body.lists.items()},
            subscriptions={
                RoomId(room_id): one.config(reader) for room_id, one in body.room_subscriptions.items()
            },
            extensions=body.extensions.read(),
        )
        found = await self._syncs.sync(call.requester, request)
        answer: SlidingAnswer = {
            "pos": found["pos"],
            "lists": found["lists"],
            "rooms": found["rooms"],
            "extensions": found["extensions"],
        }
        if body.txn_id is not None:
            answer["txn_id"] = body.txn_id
        return answer

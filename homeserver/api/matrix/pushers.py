"""Pushers, and the list of notifications."""

from collections.abc import Sequence
from typing import Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.api.matrix import schemas
from homeserver.http.body import Body, Flag, Query, QueryInt
from homeserver.http.routes import Call, Route
from homeserver.model import Pusher
from homeserver.services.push.gateway.pushers import Pushers
from homeserver.services.push.notifications.listing import Listing


class PusherBody(Body):
    """`kind`: null deletes the pusher."""

    kind: str | None = Field(max_length=64)
    app_id: str = Field(min_length=1, max_length=255)
    pushkey: str = Field(min_length=1, max_length=1024)
    app_display_name: str | None = None
    device_display_name: str | None = None
    profile_tag: str | None = Field(default=None, max_length=255)
    lang: str | None = None
    data: dict[str, Any] | None = None
    append: Flag = False


class PusherAnswer(TypedDict):
    kind: Literal["http"]
    app_id: str
    pushkey: str
    app_display_name: str
    device_display_name: str
    profile_tag: NotRequired[str]
    lang: str
    data: dict[str, Any]


class PushersAnswer(TypedDict):
    pushers: Sequence[PusherAnswer]


class NotificationsQuery(Query):
    """`only`: `highlight` lists highlights only."""

    start: str | None = Field(default=None, max_length=100, alias="from")
    limit: QueryInt = Field(default=20, ge=1)
    only: str | None = Field(default=None, max_length=100)


class PusherCalls:
    """The handlers for pushers and notifications."""

    def __init__(self, pushers: Pushers, listing: Listing) -> None:
        self._pushers = pushers
        self._listing = listing

    def routes(self) -> Sequence[Route]:
        """The routes."""
        v3, empty = "/client/v3", schemas.Empty
        return (
            Route("GET", f"{v3}/pushers", self.all, "List the user's pushers", answer=PushersAnswer),
            Route(
                "POST", f"{v3}/pushers/set", self.set, "Set or delete a pusher", body=PusherBody, answer=empty
            ),
            Route(
                "GET",
                f"{v3}/notifications",
                self.notifications,
                "List notifications",
                query=NotificationsQuery,
                answer=dict[str, Any],
            ),
        )

    async def all(self, call: Call[None, None]) -> PushersAnswer:
        """`GET /_matrix/client/v3/pushers`: list the pushers of all of the user's devices.

        Spec: client-server API, "Push notifications".
        """
        return {"pushers": [_shown(one) for one in await self._pushers.all(call.requester)]}

    async def set(self, call: Call[PusherBody, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/pushers/set`: create or replace a pusher; with `kind: null` delete it.

        Spec: client-server API, "Push notifications".
        Errors: M_MISSING_PARAM, M_INVALID_PARAM.
        """
        body = call.body
        if body.kind is None:
            await self._pushers.drop(call.requester, body.app_id, body.pushkey)
        else:
            await self._pushers.set(call.requester, body.model_dump(), append=body.append)
        return {}

    async def notifications(self, call: Call[None, NotificationsQuery]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/notifications`: a page of the events that the user was notified of, newest
        first.

        Spec: client-server API, "Push notifications".
        Errors: M_INVALID_PARAM (not a token of this list).
        """
        query = call.query
        return await self._listing.page(
            call.requester, start=query.start, limit=query.limit, only_highlights=query.only == "highlight"
        )


def _shown(one: Pusher) -> PusherAnswer:
    shown: PusherAnswer = {
        "kind": "http",
        "app_id": one.app_id,
        "pushkey": one.pushkey,
        "app_display_name": one.app_name,
        "device_display_name": one.device_name,
        "lang": one.lang,
        "data": one.data,
    }
    if one.profile_tag:
        shown["profile_tag"] = one.profile_tag
    return shown

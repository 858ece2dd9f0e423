"""The rules by which people are told of events."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.api.matrix import schemas
from homeserver.http.body import Body, Flag, JsonObject, Query
from homeserver.http.routes import Call, Route
from homeserver.services.clientdata.push_rules import PushRules

AnyCall = Call[Any, Any]


class Place(Query):
    """Next to which other rule of one's own."""

    before: str | None = Field(default=None, max_length=255)
    after: str | None = Field(default=None, max_length=255)


class Enabled(Body):
    enabled: Flag


class ActionsBody(Body):
    actions: list[Any] = Field(max_length=100)


class EnabledAnswer(TypedDict):
    enabled: bool


class ActionsAnswer(TypedDict):
    actions: Sequence[Any]


class PushRuleCalls:
    """The calls about push rules; there is one set of them, the global one."""

    def __init__(self, rules: PushRules) -> None:
        self._rules = rules

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        rules, empty = "/client/v3/pushrules", schemas.Empty
        one = f"{rules}/global/{{kind}}/{{rule_id}}"
        enabled, actions = f"{one}/enabled", f"{one}/actions"
        anything = dict[str, Any]
        return (
            Route("GET", rules, self.everything, "Push rules", answer=anything),
            Route("GET", f"{rules}/global", self.all_global, "Global push rules", answer=anything),
            Route("GET", one, self.get, "A push rule", answer=anything),
            Route("PUT", one, self.put, "Set a push rule", body=JsonObject, query=Place, answer=empty),
            Route("DELETE", one, self.delete, "Delete a push rule", answer=empty),
            Route("GET", enabled, self.enabled, "Whether a push rule holds", answer=EnabledAnswer),
            Route("PUT", enabled, self.enable, "Switch a push rule", body=Enabled, answer=empty),
            Route("GET", actions, self.actions, "What a push rule does", answer=ActionsAnswer),
            Route("PUT", actions, self.act, "Say what a push rule does", body=ActionsBody, answer=empty),
        )

    async def everything(self, call: AnyCall) -> Mapping[str, Any]:
        """By scope and kind, the most important first."""
        return await self._rules.shown(call.requester.user_id)

    async def all_global(self, call: AnyCall) -> Mapping[str, Any]:
        """By kind."""
        shown: Mapping[str, Any] = (await self._rules.shown(call.requester.user_id))["global"]
        return shown

    async def get(self, call: AnyCall) -> Mapping[str, Any]:
        """A default one or one's own."""
        return await self._rules.rule(call.requester, *_named(call))

    async def put(self, call: Call[JsonObject, Place]) -> schemas.Empty:
        """One's own."""
        place = call.query
        await self._rules.put(
            call.requester, *_named(call), call.body.root, before=place.before, after=place.after
        )
        return {}

    async def delete(self, call: AnyCall) -> schemas.Empty:
        """One's own."""
        await self._rules.delete(call.requester, *_named(call))
        return {}

    async def enabled(self, call: AnyCall) -> EnabledAnswer:
        """Of a default one or one's own."""
        return {"enabled": (await self._rules.rule(call.requester, *_named(call)))["enabled"]}

    async def enable(self, call: Call[Enabled, None]) -> schemas.Empty:
        """A default one or one's own."""
        await self._rules.enable(call.requester, *_named(call), enabled=call.body.enabled)
        return {}

    async def actions(self, call: AnyCall) -> ActionsAnswer:
        """Of a default one or one's own."""
        return {"actions": (await self._rules.rule(call.requester, *_named(call)))["actions"]}

    async def act(self, call: Call[ActionsBody, None]) -> schemas.Empty:
        """Of a default one or one's own."""
        await self._rules.act(call.requester, *_named(call), call.body.actions)
        return {}


def _named(call: AnyCall) -> tuple[str, str]:
    return call.text("kind"), call.text("rule_id")

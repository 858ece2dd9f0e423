"""Push rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.api.matrix import schemas
from homeserver.errors import Invalid
from homeserver.http.body import Body, Flag, JsonObject, Query
from homeserver.http.routes import Call, Route
from homeserver.services.clientdata.push_rules import PushRules

AnyCall = Call[Any, Any]


_MALFORMED = (
    "/{scope}",
    "/{scope}/{kind}",
    "/{scope}/{kind}/{rule_id}",
    "/{scope}/{kind}/{rule_id}/{attribute}",
)
"""Paths of push rules that are not ours when no other route has them: another scope, no rule id, another attribute."""


class RulePosition(Query):
    """The user's own rule to insert the new one next to."""

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
    """The handlers for push rules; there is one rule set, the global one."""

    def __init__(self, rules: PushRules) -> None:
        self._rules = rules

    def routes(self) -> Sequence[Route]:
        """The routes."""
        rules, empty = "/client/v3/pushrules", schemas.Empty
        one = f"{rules}/global/{{kind}}/{{rule_id}}"
        enabled, actions = f"{one}/enabled", f"{one}/actions"
        anything = dict[str, Any]
        return (
            Route("GET", rules, self.all, "Get the push rules", answer=anything),
            Route("GET", f"{rules}/global", self.all_global, "Get the global push rules", answer=anything),
            Route(
                "GET",
                f"{rules}/global/{{kind}}",
                self.all_of_kind,
                "Get the push rules of a kind",
                answer=list[Any],
            ),
            Route("GET", one, self.get, "Get a push rule", answer=anything),
            Route("PUT", one, self.put, "Set a push rule", body=JsonObject, query=RulePosition, answer=empty),
            Route("DELETE", one, self.delete, "Delete a push rule", answer=empty),
            Route("GET", enabled, self.enabled, "Get whether a push rule is enabled", answer=EnabledAnswer),
            Route(
                "PUT", enabled, self.set_enabled, "Enable or disable a push rule", body=Enabled, answer=empty
            ),
            Route("GET", actions, self.actions, "Get a push rule's actions", answer=ActionsAnswer),
            Route(
                "PUT", actions, self.set_actions, "Set a push rule's actions", body=ActionsBody, answer=empty
            ),
            *(
                Route(method, rules + path, _refuse, "Refuse a malformed path", documented=False)
                for path in _MALFORMED
                for method in ("GET", "PUT", "DELETE")
            ),
        )

    async def all(self, call: AnyCall) -> Mapping[str, Any]:
        """`GET /_matrix/client/v3/pushrules`: get all push rules, by scope and kind, in order of priority.

        Spec: client-server API, "Push notifications".
        """
        return await self._rules.shown(call.requester.user_id)

    async def all_global(self, call: AnyCall) -> Mapping[str, Any]:
        """`GET /_matrix/client/v3/pushrules/global`: get the global push rules, by kind, in order of
        priority.

        Spec: client-server API, "Push notifications".
        """
        shown: Mapping[str, Any] = (await self._rules.shown(call.requester.user_id))["global"]
        return shown

    async def all_of_kind(self, call: AnyCall) -> Sequence[Any]:
        """`GET /_matrix/client/v3/pushrules/global/{kind}`: get the rules of one kind, in order of priority.

        NOTSPEC: as Synapse has it.
        Errors: M_INVALID_PARAM (unknown kind).
        """
        return await self._rules.of_kind(call.requester, call.text("kind"))

    async def get(self, call: AnyCall) -> Mapping[str, Any]:
        """`GET /_matrix/client/v3/pushrules/global/{kind}/{rule_id}`: get a default rule or one of the user's
        own.

        Spec: client-server API, "Push notifications".
        Errors: M_NOT_FOUND, M_INVALID_PARAM (unknown kind).
        """
        return await self._rules.rule(call.requester, *_named(call))

    async def put(self, call: Call[JsonObject, RulePosition]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/pushrules/global/{kind}/{rule_id}`: create or replace one of the user's own
        rules, if wished next to another one.

        Spec: client-server API, "Push notifications".
        Errors: M_INVALID_PARAM (malformed rule), M_NOT_FOUND.
        """
        place = call.query
        await self._rules.put(
            call.requester, *_named(call), call.body.root, before=place.before, after=place.after
        )
        return {}

    async def delete(self, call: AnyCall) -> schemas.Empty:
        """`DELETE /_matrix/client/v3/pushrules/global/{kind}/{rule_id}`: delete one of the user's own rules.

        Spec: client-server API, "Push notifications".
        Errors: M_NOT_FOUND.
        """
        await self._rules.delete(call.requester, *_named(call))
        return {}

    async def enabled(self, call: AnyCall) -> EnabledAnswer:
        """`GET /_matrix/client/v3/pushrules/global/{kind}/{rule_id}/enabled`: whether a default rule or one
        of the user's own is enabled.

        Spec: client-server API, "Push notifications".
        Errors: M_NOT_FOUND.
        """
        return {"enabled": (await self._rules.rule(call.requester, *_named(call)))["enabled"]}

    async def set_enabled(self, call: Call[Enabled, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/pushrules/global/{kind}/{rule_id}/enabled`: enable or disable a default
        rule or one of the user's own.

        Spec: client-server API, "Push notifications".
        Errors: M_NOT_FOUND.
        """
        await self._rules.enable(call.requester, *_named(call), enabled=call.body.enabled)
        return {}

    async def actions(self, call: AnyCall) -> ActionsAnswer:
        """`GET /_matrix/client/v3/pushrules/global/{kind}/{rule_id}/actions`: get the actions of a default
        rule or one of the user's own.

        Spec: client-server API, "Push notifications".
        Errors: M_NOT_FOUND.
        """
        return {"actions": (await self._rules.rule(call.requester, *_named(call)))["actions"]}

    async def set_actions(self, call: Call[ActionsBody, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/pushrules/global/{kind}/{rule_id}/actions`: set the actions of a default
        rule or one of the user's own.

        Spec: client-server API, "Push notifications".
        Errors: M_NOT_FOUND, M_INVALID_PARAM (malformed actions).
        """
        await self._rules.act(call.requester, *_named(call), call.body.actions)
        return {}


async def _refuse(_: AnyCall) -> Mapping[str, Any]:
    """`GET /_matrix/client/v3/pushrules/{scope}`,
    `PUT /_matrix/client/v3/pushrules/{scope}`,
    `DELETE /_matrix/client/v3/pushrules/{scope}`,
    `GET /_matrix/client/v3/pushrules/{scope}/{kind}`,
    `PUT /_matrix/client/v3/pushrules/{scope}/{kind}`,
    `DELETE /_matrix/client/v3/pushrules/{scope}/{kind}`,
    `GET /_matrix/client/v3/pushrules/{scope}/{kind}/{rule_id}`,
    `PUT /_matrix/client/v3/pushrules/{scope}/{kind}/{rule_id}`,
    `DELETE /_matrix/client/v3/pushrules/{scope}/{kind}/{rule_id}`,
    `GET /_matrix/client/v3/pushrules/{scope}/{kind}/{rule_id}/{attribute}`,
    `PUT /_matrix/client/v3/pushrules/{scope}/{kind}/{rule_id}/{attribute}`,
    `DELETE /_matrix/client/v3/pushrules/{scope}/{kind}/{rule_id}/{attribute}`: refuse a path that no other call has.

    NOTSPEC: as Synapse has it.
    Errors: M_UNRECOGNIZED (400: unknown scope or attribute, missing kind or rule id).
    """
    raise Invalid("no such push rules", code="unrecognized")


def _named(call: AnyCall) -> tuple[str, str]:
    return call.text("kind"), call.text("rule_id")

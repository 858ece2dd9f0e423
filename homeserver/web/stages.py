"""The pages on which people pass a stage that their Matrix client does not know (client-server API, "Fallback").

Only stages of a registration have one. None takes a password: whoever begins a call could send the link to it to
somebody else, whose password would then allow that call.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aiohttp import web

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.services.auth.uia import UiaOperation, UserInteractiveAuth
from homeserver.settings.models import PolicySettings
from homeserver.web.texts import FALLBACK

_TEMPLATE: Final = "matrix-stage.html"
_PATHS: Final = tuple(f"/_matrix/client/{version}/auth/{{kind}}/fallback/web" for version in ("v3", "r0"))


class Show(Protocol):
    """Makes a page of a template and what it needs."""

    def __call__(
        self, request: web.Request, template: str, status: int = 200, **more: object
    ) -> web.Response: ...


class StagePages:
    """Serves them. `limit` raises for an address that asks too often."""

    def __init__(
        self,
        interactions: UserInteractiveAuth,
        wanted: UiaOperation,
        *,
        show: Show,
        limit: Callable[[web.Request], None],
        policies: Sequence[PolicySettings],
    ) -> None:
        self._interactions = interactions
        self._wanted = wanted
        self._show = show
        self._limit = limit
        self._policies = policies

    def routes(self) -> list[web.RouteDef]:
        """One page, by its name and the older one."""
        return [web.get(path, self._page) for path in _PATHS]

    async def _page(self, request: web.Request) -> web.Response:
        self._limit(request)
        kind, session = request.match_info["kind"], request.query.get("session", "").replace("\0", "")
        try:
            await self._interactions.check_stage(self._wanted, session, kind)
        except (NotFound, Invalid, Forbidden):  # all the same to the reader
            return self._show(request, _TEMPLATE, status=404, stage="")
        page = self._show(
            request, _TEMPLATE, stage=kind, policies=self._policies, policy_address=_policy_address
        )
        # The client is a page of another site that opened this one, and waits for its word.
        page.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        return page


def _policy_address(policy: PolicySettings, language: str) -> str:
    """Where a document stands, in the reader's language if it is there."""
    found = {one.language: one.url for one in policy.addresses}
    return found.get(language) or found.get(FALLBACK) or policy.addresses[0].url

"""Fallback pages for UIA stages that a Matrix client does not know (client-server API, "Fallback").

Only stages of registration have one. None asks for a password: whoever begins a request could send the link to another
user, whose password would then authorise that request.
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
    """Renders a page from a template and its variables."""

    def __call__(
        self, request: web.Request, template: str, status: int = 200, **more: object
    ) -> web.Response: ...


class StagePages:
    """Serves the pages. `limit` raises for an address that sends too many requests."""

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
        """The route of each page, by its current and its older name."""
        return [web.get(path, self._page) for path in _PATHS]

    async def _page(self, request: web.Request) -> web.Response:
        self._limit(request)
        kind, session = request.match_info["kind"], request.query.get("session", "").replace("\0", "")
        try:
            await self._interactions.check_stage(self._wanted, session, kind)
        except (NotFound, Invalid, Forbidden):  # the reader gets one page for all of them
            return self._show(request, _TEMPLATE, status=404, stage="")
        page = self._show(
            request, _TEMPLATE, stage=kind, policies=self._policies, policy_address=_policy_address
        )
        # The client is a page of another origin that opened this one, and waits for its message.
        page.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        return page


def _policy_address(policy: PolicySettings, language: str) -> str:
    """The URL of a policy, in the reader's language if there is one."""
    found = {one.language: one.url for one in policy.addresses}
    return found.get(language) or found.get(FALLBACK) or policy.addresses[0].url

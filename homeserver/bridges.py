"""Bridges: plugins that the server does not know of in its own code.

A bridge is found by its name among the entry points of the group "homeserver.bridges", and enabled by a section of the
settings: `bridges: {name: {...}}`, which its own model checks. It gets a `Context` and returns `Parts`. It uses
the services as any API does; nothing in this package imports a bridge. See docs/bridges.md.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ValidationError

from homeserver.app import Homeserver
from homeserver.errors import Invalid
from homeserver.http.address import ClientAddress
from homeserver.http.credentials import Authenticator
from homeserver.http.routes import Admit, Dispatcher, Face
from homeserver.http.service_key import ServiceKeyAuth
from homeserver.http.sockets import Hub
from homeserver.services.push.web.texts import PushFace
from homeserver.settings.models import (
    CorsSettings,
    GuestSettings,
    ListenSettings,
    MediaSettings,
    MessengerSettings,
    RoomSettings,
    ServerSettings,
    WebSettings,
)
from homeserver.storage.log import Entry

__all__ = ["Bridge", "BridgeSettings", "Context", "Entry", "Parts", "check_prefixes", "find", "set_up"]
GROUP = "homeserver.bridges"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """The settings that bridges can read. `issuers`: the namespace of each host application, by its name."""

    server: ServerSettings
    listen: ListenSettings
    cors: CorsSettings
    rooms: RoomSettings
    media: MediaSettings
    guests: GuestSettings
    web: WebSettings
    messenger: MessengerSettings
    issuers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Context:
    """What a bridge builds on: the server's services and its HTTP front end. `name`: of the bridge."""

    name: str
    hs: Homeserver
    around: BridgeSettings
    hub: Hub
    authenticator: Authenticator
    address: ClientAddress

    def dispatcher(self, admit: Admit) -> Dispatcher:
        """A dispatcher with the address limit of all APIs and the bridge's own authentication `admit`."""

        def limit(request: web.Request) -> None:
            self.hs.core.limits.check_address("address", self.address(request))

        return Dispatcher(
            admit=admit,
            limit=limit,
            max_body_bytes=self.around.listen.max_body_bytes,
            places=self.hs.core.places,
        )

    def service_door(self, issuer: str | None) -> ServiceKeyAuth:
        """Admission by service keys with the bridge's name as their scope, for users of one of the issuers."""
        return ServiceKeyAuth(
            check=self.hs.auth.service_keys.check,
            vouch=self.hs.auth.jwt_login.vouched,
            address=self.address,
            scope=self.name,
            issuer=issuer,
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bridge adds. `startup` is awaited before the first request; `listeners` are called with every new log
    entry, in order and at once; `tasks`, by name, run until the server stops; `warnings` are logged at start; `push`
    renders the pushes of the bridge's users."""

    faces: Sequence[Face] = ()
    pages: Sequence[web.RouteDef] = ()
    startup: Sequence[Callable[[web.Application], Awaitable[None]]] = ()
    tasks: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    listeners: Sequence[Callable[[Entry], None]] = ()
    warnings: Sequence[str] = ()
    push: PushFace | None = None


class Bridge(Protocol):
    """A bridge, as its entry point provides it. `settings` is the model of its section of the settings."""

    @property
    def settings(self) -> type[BaseModel]: ...

    def setup(self, context: Context, settings: Any) -> Parts:
        """Build the bridge without starting anything. Raises Invalid for inconsistent settings."""
        ...


def find(name: str) -> Bridge:
    """The installed bridge of this name. Raises Invalid("no_bridge")."""
    installed = entry_points(group=GROUP)
    for entry in installed:
        if entry.name == name:
            bridge: Bridge = entry.load()
            return bridge
    known = ", ".join(sorted({entry.name for entry in installed})) or "none"
    raise Invalid(f"bridges.{name}: there is no such bridge; installed: {known}", code="no_bridge")


def set_up(
    wanted: Mapping[str, Mapping[str, Any]],
    context_of: Callable[[str], Context],
    find_bridge: Callable[[str], Bridge] = find,
) -> dict[str, Parts]:
    """Build all bridges that the settings enable, each with the context of its name.

    Raises Invalid("bad_settings", "no_bridge") naming the key at fault.
    """
    made: dict[str, Parts] = {}
    for name, section in wanted.items():
        bridge = find_bridge(name)
        made[name] = bridge.setup(context_of(name), _checked(name, bridge.settings, section))
    return made


def check_prefixes(faces: Sequence[Face]) -> None:
    """Raise Invalid if two APIs have the same path prefix."""
    taken: dict[str, str] = {}
    for face in faces:
        if face.prefix in taken:
            raise Invalid(
                f"{face.prefix} is the prefix of {taken[face.prefix]} and of {face.name}", code="bad_settings"
            )
        taken[face.prefix] = face.name


def _checked(name: str, model: type[BaseModel], section: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(section)
    except ValidationError as error:
        reasons = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(['bridges', name, *map(str, reason['loc'])])}: {reason['msg'].removeprefix('Value error, ')}"
        for reason in reasons
    ]
    raise Invalid("\n".join(lines), code="bad_settings")

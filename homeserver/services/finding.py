"""By what rooms are found, grouped and replaced, for the API that offers it."""

from typing import NamedTuple

from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.directory import Directory
from homeserver.services.rooms.spaces import Spaces
from homeserver.services.rooms.upgrades import Upgrades


class Finding(NamedTuple):
    """`server_name`: the one server that knows the rooms."""

    aliases: Aliases
    directory: Directory
    spaces: Spaces
    upgrades: Upgrades
    server_name: str

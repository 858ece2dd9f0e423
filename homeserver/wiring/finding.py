"""By what rooms are found, grouped and replaced."""

from collections.abc import Sequence

from homeserver.services.finding import Finding
from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.directory import Directory
from homeserver.services.rooms.spaces import SpaceLimits, Spaces
from homeserver.services.rooms.upgrade_account_data import AccountDataCarryOver
from homeserver.services.rooms.upgrades import UpgradeCarryOver, Upgrades
from homeserver.settings.models import Settings
from homeserver.wiring.core import Core
from homeserver.wiring.people import People


def build_finding(
    settings: Settings, core: Core, people: People, carry_overs: Sequence[UpgradeCarryOver]
) -> Finding:
    """Build it. `carry_overs`: who else carries something over when a room is replaced."""
    server, matrix = settings.server.name, settings.matrix
    aliases = Aliases(
        db=core.db,
        timeline=core.timeline,
        limits=people.limits,
        clock=core.clock,
        server_name=server,
        max_of_room=matrix.max_room_aliases,
    )
    directory = Directory(
        db=core.db,
        timeline=core.timeline,
        limits=people.limits,
        server_name=server,
        max_page=matrix.max_public_rooms,
    )
    spaces = Spaces(
        db=core.db,
        limits=people.limits,
        space_limits=SpaceLimits(matrix.max_space_page, matrix.max_space_depth, matrix.max_space_rooms),
    )
    upgrades = Upgrades(
        timeline=core.timeline,
        profiles=people.profiles,
        limits=people.limits,
        carry_overs=[AccountDataCarryOver(core.db, core.timeline), *carry_overs],
        max_events=matrix.max_upgrade_events,
    )
    return Finding(aliases, directory, spaces, upgrades, server)

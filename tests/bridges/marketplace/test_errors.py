"""The bridge's table of errors, and what pyproject.toml says of the bridge."""

import tomllib
from importlib import import_module
from pathlib import Path

from bridges.marketplace.errors import ERRORS
from homeserver import errors
from tests.test_house import kinds

ROOT = Path(__file__).parents[3]


def test_every_error_has_a_status() -> None:
    assert [kind.__name__ for kind in kinds(errors.HomeserverError) if kind not in ERRORS.statuses] == []


def test_the_entry_points_lead_to_bridges() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["project"]["entry-points"]["homeserver.bridges"]
    assert "marketplace" in named
    for path in named.values():
        module, _, name = path.partition(":")
        bridge = getattr(import_module(module), name)
        assert bridge.settings().model_dump(), "every key has a default"

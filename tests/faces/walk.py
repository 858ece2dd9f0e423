"""A walk over the routes of every API: what there is, and what a call of it must be given."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from bridges.marketplace import BRIDGE
from homeserver.app import build
from homeserver.faces import make_bridges, make_faces
from homeserver.http.body import Body
from homeserver.http.routes import Face, Route
from homeserver.http.sockets import Hub
from homeserver.settings.models import Settings
from tests.test_house import quiet_settings

_OLDER = re.compile(r"/client/(r0|unstable)/")
_NAME = re.compile(r"[a-z_]+")


@asynccontextmanager
async def every_face(folder: Path) -> AsyncIterator[list[Face]]:
    """All faces that a server can have, those of bridges included; nothing of it runs."""
    quiet = quiet_settings(folder, "one").model_dump()
    more = {"bridges": {"marketplace": {}}, "matrix": {"shared_secret": "sixteen characters and more"}}
    hs = build(Settings.model_validate({**quiet, **more}))
    hub = Hub(hs.settings.sockets, hs.core.clock, hs.core.metrics)
    bridges = make_bridges(hs, hub, {"marketplace": BRIDGE}.__getitem__)
    try:
        yield [*make_faces(hs, hub), *(face for parts in bridges.values() for face in parts.faces)]
    finally:
        await hs.core.db.close()
        hs.accounts.passwords.close()
        hs.media.store.close()
        hs.media.disk.close()


def calls(faces: list[Face]) -> dict[str, Route]:
    """The routes by method and path; without the older names of calls below v3."""
    routes = {
        f"{route.method} {face.prefix}{route.plain_path}": route for face in faces for route in face.routes
    }
    older = {name for name in routes if _OLDER.search(name) and _OLDER.sub("/client/v3/", name) in routes}
    return {name: route for name, route in routes.items() if name not in older}


class Variant(NamedTuple):
    """The same body twice: once without a field, once with null in its place."""

    what: str
    without: dict[str, Any]
    with_null: dict[str, Any]


SAMPLES: Mapping[str, Any] = {
    "type": "m.room.topic",
    "content": {"topic": "sample"},
    "room_events": {"search_term": "sample"},
    "search_term": "sample",
    "key": "sender",
}
"""What stands in the fields that must be there within others that need not, by their names."""


def variants(model: type[Body], body: Mapping[str, Any]) -> Iterator[Variant]:
    """The body with each optional field null, also within its objects, and with all of them null at once."""
    optional = optional_of(model)
    for name in optional:
        without = {key: value for key, value in body.items() if key != name}
        yield Variant(name, without, {**without, name: None})
    if optional:
        bare = {key: value for key, value in body.items() if key not in optional}
        yield Variant("all", bare, {**bare, **dict.fromkeys(optional)})
        absent = {key: None for key in optional if key not in body}
        yield Variant("all others", dict(body), {**body, **absent})
    for name, field in model.model_fields.items():
        key, within = field.alias or name, _model_in(field.annotation)
        if within is not None and has_optional(within):
            wrap, given = _wrapping(field.annotation, body.get(key))
            sample = _required(within) if given is None else given
            for one in variants(within, sample):
                yield Variant(
                    f"{key}.{one.what}",
                    {**body, key: wrap(one.without)},
                    {**body, key: wrap(one.with_null)},
                )


def optional_of(model: type[BaseModel]) -> list[str]:
    """The names of a record's optional fields, as clients write them."""
    return [field.alias or name for name, field in model.model_fields.items() if not field.is_required()]


def has_optional(model: type[Body]) -> bool:
    """Whether a body has an optional field, or an object within it has one."""
    within = (_model_in(field.annotation) for field in model.model_fields.values())
    return bool(optional_of(model)) or any(has_optional(one) for one in within if one is not None)


def _required(model: type[Body]) -> dict[str, Any]:
    return {
        field.alias or name: SAMPLES[field.alias or name]
        for name, field in model.model_fields.items()
        if field.is_required()
    }


def _model_in(annotation: Any) -> type[Body] | None:
    """The record in a type, however it is wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, Body):
        return annotation
    found = (_model_in(one) for one in get_args(annotation))
    return next((one for one in found if one is not None), None)


def _wrapping(annotation: Any, given: Any) -> tuple[Any, Any]:
    """How a record is put into a field of this type, and the record that the given value has there."""
    text = str(annotation)
    if "list[" in text:
        return lambda one: [one], given[0] if given else None
    if "dict[" in text:
        return lambda one: {"!x:test.example": one}, next(iter(given.values())) if given else None
    return lambda one: one, given


def form_of(value: Any) -> Any:
    """The form of an answer: its names and the types behind them; ids that are names do not count."""
    if isinstance(value, dict):
        return {key if _NAME.fullmatch(key) else "*": form_of(one) for key, one in value.items()}
    return type(value).__name__

"""The structure of the settings, by inspection of the models: the keys, and the type of each value."""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from homeserver.settings.section import Section

Annotation = Any  # a type annotation of a model: int, Path | None, tuple[IssuerSettings, ...]
KeyPath = tuple[str | int, ...]


def bare(annotation: Annotation) -> Annotation:
    """The type without `Annotated` and without `| None`."""
    origin: object = get_origin(annotation)
    if origin is Annotated:
        return bare(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        others = [one for one in get_args(annotation) if one is not types.NoneType]
        if len(others) == 1:
            return bare(others[0])
    return annotation


def section_of(annotation: Annotation) -> type[Section] | None:
    """The model, if the value is a section."""
    kind = bare(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def fields_of(annotation: Annotation) -> Mapping[str, FieldInfo]:
    """The keys of a section; empty for any other value."""
    section = section_of(annotation)
    return section.model_fields if section else {}


def item_of(annotation: Annotation) -> Annotation | None:
    """The type of the items, if the value is a list."""
    kind = bare(annotation)
    origin: object = get_origin(kind)
    return get_args(kind)[0] if origin is tuple else None


def child_of(annotation: Annotation, key: str | int) -> Annotation | None:
    """The type of the value at `key`, None if there can be none."""
    if isinstance(key, int):
        return item_of(annotation)
    field = fields_of(annotation).get(key)
    return field.annotation if field else None


def is_text(annotation: Annotation) -> bool:
    """True if the value is text, so that 11 and yes need no quotes in YAML."""
    kind = bare(annotation)
    origin: object = get_origin(kind)
    if origin is Literal:
        return all(isinstance(choice, str) for choice in get_args(kind))
    return kind in {str, SecretStr, Path}


def is_path(annotation: Annotation) -> bool:
    """True if the value is the path of a file or folder."""
    return bare(annotation) is Path


def written(path: KeyPath) -> str:
    """A path of keys in written form: issuers[1].name"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")

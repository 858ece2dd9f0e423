"""The reference of all settings, made from the models: config/reference.yaml and config/schema.json.

The YAML has every key with its description, bounds and default, and loads as it stands. Both are data for people and
editors; a test fails when they are not what this module makes.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from homeserver.settings.models import Settings
from homeserver.settings.section import Section, is_advanced
from homeserver.settings.shape import bare, item_of, section_of

HEADER = """\
# Every setting with its default, made by `homeserver generate-config --all`. Copy what you change to homeserver.yaml.
# Any key can also be set from outside, e.g. HOMESERVER__LISTEN__PORT=9000. Relative paths are meant from the folder of
# the settings file. Durations end in _s (seconds) or _ms (milliseconds), sizes in _bytes. A key marked "advanced" is a
# bound or a pace whose default fits nearly every server: leave it alone unless the log or the metrics ask for more.
"""
SMALLEST = """\
# The settings of this server. Everything else has a default: see config/reference.yaml.
server:
  name: {name}  # the right half of all ids; it can never be changed later
  public_url: {public_url}
  data_dir: data
"""
_FORM = "of the form"
_UNITS_BYTES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))
_UNITS_S = ((86_400, "days"), (3600, "hours"), (60, "minutes"))


def smallest_yaml(name: str, public_url: str) -> str:
    """A settings file that is enough to start."""
    return SMALLEST.format(name=_scalar(name), public_url=_scalar(public_url))


def schema_json() -> str:
    """JSON Schema of the settings file, for editors."""
    schema = Settings.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "homeserver.yaml"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def reference_yaml() -> str:
    """All sections with all their keys."""
    parts = [HEADER]
    defaults = Settings()
    for name, field in Settings.model_fields.items():
        item = section_of(item_of(field.annotation))
        if item is not None:
            parts.append(_list_section(name, field, item))
            continue
        section = getattr(defaults, name)
        if not isinstance(section, BaseModel):  # sections of others, each with keys of its own
            parts.append(f"# {field.description}\n{name}: {{}}\n")
            continue
        lines = "\n".join(_keys(type(section), section, "  "))
        parts.append(f"# {type(section).__doc__}\n{name}:\n{lines}\n")
    return "\n".join(parts)


def _list_section(name: str, field: FieldInfo, item: type[Section]) -> str:
    """An empty list, and what an item would look like behind `#`."""
    lines = list(_keys(item, None, "  "))
    first = next(at for at, line in enumerate(lines) if not line.lstrip().startswith("#"))
    lines[first] = f"- {lines[first].removeprefix('  ')}"
    commented = "\n".join(f"# {line}".rstrip() for line in lines)
    return f"# {field.description}\n{name}: []\n# {name}:\n{commented}\n"


def _keys(model: type[BaseModel], values: BaseModel | None, indent: str) -> Iterator[str]:
    """The lines of a section. Without `values` it is an item that must be filled in: required keys stand empty."""
    said = ""
    for name, field in model.model_fields.items():
        value = getattr(values, name) if values is not None else field.default
        bounds = _bounds(name, field)
        is_said = bounds == said and _FORM in bounds  # a row of keys with one form: once is enough
        yield f"{indent}# {_about(field, '' if is_said else bounds)}"
        said = bounds
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _keys(type(value), value, indent + "  ")
        elif value is None:
            yield f"{indent}# {name}:"
        elif value is PydanticUndefined:
            yield f"{indent}{name}:"
        else:
            words = _in_words(name, value)
            yield f"{indent}{name}: {_flow(value)}{f'  # {words}' if words else ''}"


def _about(field: FieldInfo, bounds: str) -> str:
    facts = ["required"] if field.is_required() else []
    if is_advanced(field):
        facts.append("advanced")
    if bounds:
        facts.append(bounds)
    return f"{field.description} [{'; '.join(facts)}]" if facts else str(field.description)


def _bounds(name: str, field: FieldInfo) -> str:
    """What the value must be, in a few words: 0 to 65535, text | json."""
    kind = bare(field.annotation)
    origin: object = get_origin(kind)
    if origin is Literal:
        return " | ".join(str(choice) for choice in get_args(kind))
    least, most, form, things = "", "", "", ""
    for rule in field.metadata:
        match rule:
            case annotated_types.Ge(ge=bound):
                least = _number(name, bound)
            case annotated_types.Gt(gt=bound):
                least = f"more than {_number(name, bound)}"
            case annotated_types.Le(le=bound):
                most = _number(name, bound)
            case annotated_types.MinLen(min_length=bound):
                least, things = str(bound), _things(kind)
            case annotated_types.MaxLen(max_length=bound):
                most, things = str(bound), _things(kind)
            case _:
                form = getattr(rule, "pattern", None) or form
    return ", ".join(part for part in (_range(least, most) + things, form and f"{_FORM} {form}") if part)


def _range(least: str, most: str) -> str:
    if least and most:
        return f"{least} to {most}"
    if least:
        return f"at least {least}"
    return f"at most {most}" if most else ""


def _things(kind: object) -> str:
    return " characters" if kind is str else " items"


def _number(name: str, number: object) -> str:
    if name.endswith("_ms"):
        return f"{number} ms"
    return _in_words(name, number) or (
        f"{number} s" if name.endswith("_s") and "_per_" not in name else str(number)
    )


def _in_words(name: str, value: object) -> str:
    """1048576 bytes as 1 MiB, 86400 seconds as 1 day; empty where it would say nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    units = _UNITS_BYTES if name.endswith("_bytes") else _UNITS_S if name.endswith("_s") else ()
    for size, unit in units:
        if value >= size and value % size == 0:
            count = int(value // size)
            return f"{count} {unit.removesuffix('s') if count == 1 else unit}"
    return ""


def _flow(value: object) -> str:
    """A value on one line of YAML."""
    if isinstance(value, BaseModel):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in _items(value).items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return _scalar(str(value) if isinstance(value, Path) else value)


def _items(value: BaseModel) -> Mapping[str, Any]:
    return {name: getattr(value, name) for name in type(value).model_fields}


def _scalar(value: object) -> str:
    """Text as YAML: bare where that is safe, else in double quotes (JSON's are YAML's too)."""
    text = str(value)
    is_bare = (
        text.replace("_", "").replace("/", "").replace(".", "").replace("-", "").isalnum()
        and not text[0].isdigit()
    )
    return (
        text if is_bare or text.startswith(("http://", "https://")) else json.dumps(text, ensure_ascii=False)
    )

"""YAML parsed to plain values with their locations, so that every error can name a line.

Plain scalars are read as in YAML 1.2: only `true` and `false` are booleans, `0123` and `1:30` are no numbers. Where
the settings expect text, an unquoted number or word is text as written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

from homeserver.errors import Invalid
from homeserver.settings.shape import Annotation, KeyPath, child_of, is_text, item_of, section_of, written

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]

MAX_NODES = 20_000
MAX_DEPTH = 20

_NULL, _BOOL, _INT, _FLOAT, _STR = (
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")
)


class Problem(NamedTuple):
    """One error: `where` is path:line:column or the name of a variable, `key` like listen.port."""

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in self if part)


class SettingsError(Invalid):
    """The settings are invalid. `problems` has all errors; the message has a line for each."""

    code = "bad_settings"

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class Tree:
    """Values and their locations: `origins` of each value, `key_origins` of each key."""

    values: dict[str, Value] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    key_origins: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath, *, of_key: bool = False) -> str:
        """The location of the value, or of the nearest enclosing value that has one."""
        if of_key and path in self.key_origins:
            return self.key_origins[path]
        for end in range(len(path), -1, -1):
            if (place := self.origins.get(path[:end])) is not None:
                return place
        return ""

    def forget(self, path: KeyPath) -> None:
        """Drop the locations of a value that is being replaced, and of everything in it."""
        for places in (self.origins, self.key_origins):
            for known in [known for known in places if known[: len(path)] == path]:
                del places[known]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way; filled below and not changed after


for _tag, _pattern, _first in (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    (_FLOAT, r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def parse(text: str, root: Annotation, name: str, *, with_lines: bool = True) -> tuple[Value, Tree]:
    """Parse YAML. `name`: prefix of the locations; `root`: the type, which says which values are text.

    Returns the value and a tree with the locations (its `values` are the value, if that is a mapping).
    Raises SettingsError.
    """
    builder = _Builder(name, with_lines=with_lines)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise SettingsError(Problem(builder.place(mark), "", f"not YAML: {message}")) from None
    except yaml.YAMLError as error:
        raise SettingsError(Problem(name, "", f"not YAML: {error}")) from None
    if node is None:
        return None, builder.tree
    value = builder.value(node, root, ())
    if builder.problems:
        raise SettingsError(*builder.problems)
    if isinstance(value, dict):
        builder.tree.values = value
    return value, builder.tree


def _empty(annotation: Annotation) -> Value:
    """The value of a key whose keys or items are all commented out."""
    if section_of(annotation):
        return {}
    return None if item_of(annotation) is None else []


class _Builder:
    """Makes values from nodes and records their locations."""

    def __init__(self, name: str, *, with_lines: bool) -> None:
        self.tree = Tree()
        self.problems: list[Problem] = []
        self._name = name
        self._with_lines = with_lines
        self._nodes = 0

    def place(self, mark: yaml.Mark | None) -> str:
        if mark is None or not self._with_lines:
            return self._name
        return f"{self._name}:{mark.line + 1}:{mark.column + 1}"

    def value(self, node: yaml.Node, annotation: Annotation, path: KeyPath) -> Value:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise SettingsError(
                Problem(self.place(node.start_mark), written(path), "too much nested or repeated")
            )
        self.tree.origins[path] = self.place(node.start_mark)
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return dict(self._pairs(node, annotation, path))
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            item = child_of(annotation, 0)
            return [self.value(one, item, (*path, at)) for at, one in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, annotation, path)
        self._complain(node, path, f"the tag {node.tag} has no meaning here")
        return None

    def _pairs(
        self, node: yaml.MappingNode, annotation: Annotation, path: KeyPath
    ) -> Iterator[tuple[str, Value]]:
        seen: dict[str, str] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(key_node, path, "a key must be a word")
                continue
            key, place = str(key_node.value), self.place(key_node.start_mark)
            if key in seen:
                self._complain(key_node, (*path, key), f"stands here a second time (first at {seen[key]})")
                continue
            seen[key] = place
            self.tree.key_origins[(*path, key)] = place
            yield key, self.value(value_node, child_of(annotation, key), (*path, key))

    def _scalar(self, node: yaml.ScalarNode, annotation: Annotation, path: KeyPath) -> Value:
        text = str(node.value)
        if node.tag == _NULL:
            return _empty(annotation)
        if node.tag == _STR or is_text(annotation):
            return text
        if node.tag == _BOOL:
            return text.lower() == "true"
        if node.tag == _INT:
            return int(text.replace("_", ""), 0)
        if node.tag == _FLOAT:
            return float(text)
        self._complain(node, path, f"the tag {node.tag} has no meaning here")
        return None

    def _complain(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self.place(node.start_mark), written(path), message))

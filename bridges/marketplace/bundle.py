"""Bundles a module with all its imports, without comments and indentation, so that a page of another site loads a
widget with a few requests instead of fifty.

This is not a compiler. It relies on the style of our own modules: each import is one line at the top, each
export precedes a declaration at the beginning of a line, no text goes over several lines, no two modules import
each other. Anything else is refused.
"""

import posixpath
import re
import string
from collections.abc import Mapping, Sequence

_IMPORT = re.compile(r'^import (\{[^}\n]*\}|\w+) from "([^"\n]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (default|(?:const|class|async function|function) (?=(\w+)))", re.MULTILINE)
_LATER = re.compile(r'\bimport\("(\.[^"\n]+)"\)')
_LEFT = re.compile(r"^(?:import|export)\b(?!\().*", re.MULTILINE)
_COMMENT_LINE = re.compile(r"^\s*//[^\n]*\n", re.MULTILINE)
_COMMENT_END = re.compile(r"(?<=[;{,]) // [^\n]*$", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"/\*\*?\s.*?\*/ ?", re.DOTALL)
_PRIVATE = re.compile(r"(?:(?<=[.\s(])|^)#([A-Za-z]\w*)", re.MULTILINE)
_LOOSE = re.compile(r"\s*([{};,])\s*")  # around these
_INDENT = re.compile(r"^\s+", re.MULTILINE)


def bundles(entry: str, sources: Mapping[str, str]) -> dict[str, str]:
    """The module `entry` with all that it imports, and a file for each module that is imported later, by `import()`.

    `sources`: the text of each module by its path. A later file is given the modules of `entry`, and lies beside it
    under a name of both. Raises ValueError for syntax that it does not know.
    """
    plain = {name: stripped(text) for name, text in sources.items()}
    order = _with_imports(entry, plain, ())
    head = "".join(_module(name, plain[name], order, entry) for name in order)
    files: dict[str, str] = {}
    shared: set[str] = set()
    waiting = _later(order, plain)
    while waiting:
        name = waiting.pop()
        if _beside(entry, name) not in files:
            own = _with_imports(name, plain, order)
            files[_beside(entry, name)] = _later_file(own, plain, order, entry)
            shared |= _needs(own, plain) & set(order)
            waiting += _later(own, plain)
    lent = ",".join(f"{name!r}:{_variable(name, order)}" for name in sorted(shared))
    exported = ",".join(_exports(plain[entry]))
    tail = f"const shared={{{lent}}};\nexport const {{{exported}}}={_variable(entry, order)};\n"
    return _with_short_names({entry: head + tail, **files})


def style(text: str) -> str:
    """A style sheet without comments and insignificant whitespace."""
    return _LOOSE.sub(r"\1", stripped(text))


def stripped(text: str) -> str:
    """A script or style sheet without comments, indentation and empty lines."""
    return _INDENT.sub("", _COMMENT_END.sub("", _COMMENT_LINE.sub("", _BLOCK_COMMENT.sub("", text))))


def _later_file(own: Sequence[str], sources: Mapping[str, str], there: Sequence[str], entry: str) -> str:
    """A function that defines the modules `own`, given those already loaded, and returns the last."""
    order = [*there, *own]
    needed = {_resolve(name, path) for name in own for _, path in _IMPORT.findall(sources[name])}
    known = "".join(f"const {_variable(name, order)}=shared[{name!r}];\n" for name in there if name in needed)
    body = "".join(_module(name, sources[name], order, entry) for name in own)
    return f"export const load=(shared)=>{{\n{known}{body}return {_variable(own[-1], order)}}};\n"


def _with_imports(name: str, sources: Mapping[str, str], there: Sequence[str]) -> list[str]:
    """A module preceded by its imports that are not loaded yet."""
    order: list[str] = []

    def visit(one: str, above: tuple[str, ...]) -> None:
        if one in order or one in there:
            return
        if one in above or one not in sources:
            raise ValueError(f"{one}: imported by {above[-1] if above else 'nobody'}, and cannot be")
        for _, path in _IMPORT.findall(sources[one]):
            visit(_resolve(one, path), (*above, one))
        order.append(one)

    visit(name, ())
    return order


def _needs(names: Sequence[str], sources: Mapping[str, str]) -> set[str]:
    """The modules imported by these."""
    return {_resolve(name, path) for name in names for _, path in _IMPORT.findall(sources[name])}


def _with_short_names(files: Mapping[str, str]) -> dict[str, str]:
    """The source with short names for private class fields, which are invisible outside of their class."""
    names = sorted({name for text in files.values() for name in _PRIVATE.findall(text)})
    short = {name: f"#{string.ascii_letters[at % 52]}{at // 52 or ''}" for at, name in enumerate(names)}
    return {file: _PRIVATE.sub(lambda match: short[match[1]], text) for file, text in files.items()}


def _later(names: Sequence[str], sources: Mapping[str, str]) -> list[str]:
    """The modules that these import by `import()`."""
    return [_resolve(name, path) for name in names for path in _LATER.findall(sources[name])]


def _resolve(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _variable(name: str, order: Sequence[str]) -> str:
    return f"m{order.index(name)}"


def _beside(entry: str, name: str) -> str:
    return f"{entry.removesuffix('.js')}-{posixpath.basename(name)}"


def _exports(text: str) -> list[str]:
    return [found[1] or "default" for found in _EXPORT.findall(text)]


def _module(name: str, text: str, order: Sequence[str], entry: str) -> str:
    """An immediately called function: its imports are constants, its exports are its return value."""
    variable = _variable(name, order)

    def imported(match: re.Match[str]) -> str:
        wanted, path = match.groups()
        names = wanted if wanted.startswith("{") else f"{{default:{wanted}}}"
        names = names.replace(" as ", ":").replace(" ", "")
        return f"const{names}={_variable(_resolve(name, path), order)};\n"

    def imported_later(match: re.Match[str]) -> str:
        file = posixpath.basename(_beside(entry, _resolve(name, match[1])))
        return f'import("./{file}").then((later) => later.load(shared))'

    exports = [f"default: {variable}" if one == "default" else one for one in _exports(text)]
    body = _LATER.sub(imported_later, _IMPORT.sub(imported, text))
    body = _EXPORT.sub(lambda match: f"const {variable} =" if match[1] == "default" else match[1], body)
    if left := _LEFT.search(body):
        raise ValueError(f"{name}: {left[0]} cannot be read")
    return f"const {variable}=(()=>{{\n{body}return{{{','.join(exports)}}}}})();\n"

"""The OpenAPI 3.1 document of all faces, made from their route tables.

Each face has its own schemas (two faces may both know a `Message`), so their names carry the face's name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from homeserver.http.routes import Face, Route

Json = dict[str, Any]

_KINDS: Mapping[str, Json] = {
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1, "format": "int64"},
    "text": {"type": "string", "minLength": 1},
}
_ERROR = "Error"
_ERROR_SCHEMA: Json = {
    "type": "object",
    "description": "Why a request was refused. `code` is stable and for machines, `detail` for people.",
    "properties": {
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "retry_ms": {"type": "integer", "description": "With 429: when to retry, in milliseconds."},
    },
    "required": ["detail", "code"],
}
_USUAL_ERRORS: Mapping[int, str] = {
    429: "Too many requests; `Retry-After` says when to retry.",
    503: "The server is starting or stopping, or its database is not available.",
}


@dataclass(frozen=True, slots=True)
class About:
    """The head of the document."""

    title: str
    version: str
    text: str
    server_url: str


def document(about: About, faces: Iterable[Face]) -> bytes:
    """The whole document as JSON."""
    paths: dict[str, Json] = {}
    schemas: Json = {_ERROR: _ERROR_SCHEMA}
    tags: list[Json] = []
    texts = [about.text]
    for face in faces:
        names = _Names(face)
        schemas.update(names.schemas)
        if face.errors is not None:
            schemas[face.name + _ERROR] = face.errors.schema
        for route in face.routes:
            if route.documented:
                path = paths.setdefault(face.prefix + route.plain_path, {})
                path[route.method.lower()] = _operation(face, route, names)
        tags.extend({"name": tag} for tag in _tags(face))
        if face.about:
            texts.append(face.about)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": about.title, "version": about.version, "description": "\n\n".join(texts)},
            # Without host: the page calls the server it came from, under whatever name.
            "servers": [{"url": urlsplit(about.server_url).path or "/"}],
            "tags": tags,
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }
    )


class _Names:
    """The schemas of one face, and the reference of each type of its table."""

    def __init__(self, face: Face) -> None:
        template = f"#/components/schemas/{face.name}{{model}}"
        routes = [route for route in face.routes if route.documented]
        inputs = {kind for route in routes for kind in (route.body, route.form) if kind is not None}
        wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(kind, "validation") for kind in inputs]
        wanted.sort(key=lambda pair: pair[0].__name__)
        places, defs = models_json_schema(wanted, ref_template=template)
        self._inputs = {kind: schema for (kind, _), schema in places.items()}
        self._answers: dict[Any, Json] = {}
        found: Json = dict(defs.get("$defs", {}))
        for answer in dict.fromkeys(route.answer for route in routes if route.answer is not None):
            schema = TypeAdapter(answer).json_schema(ref_template=template, mode="serialization")
            found.update(schema.pop("$defs", {}))
            if schema.get("type") == "object" and "title" in schema:  # a record, not a list of records
                found[schema["title"]] = schema
                schema = {"$ref": template.format(model=schema["title"])}
            self._answers[answer] = schema
        self.schemas: Json = {f"{face.name}{name}": schema for name, schema in found.items()}

    def of_input(self, kind: type[BaseModel]) -> Json:
        """The schema of a body."""
        return self._inputs[kind]

    def of_answer(self, kind: Any) -> Json:
        """The schema of an answer."""
        return self._answers[kind]


def _tags(face: Face) -> Sequence[str]:
    return list(dict.fromkeys(tag for route in face.routes if route.documented for tag in route.tags))


def _operation(face: Face, route: Route, names: _Names) -> Json:
    name = route.plain_path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
    operation: Json = {
        "operationId": f"{face.name.lower()}_{route.method.lower()}_{name}".replace("-", "_"),
        "summary": route.summary,
        "tags": list(route.tags),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(route.status): _answer(route, names), **_errors(face, route)},
    }
    content = _content(route, names)
    if content:
        required = route.body is None or any(
            field.is_required() for field in route.body.model_fields.values()
        )
        operation["requestBody"] = {"required": required, "content": content}
    if not route.public:
        operation["security"] = [{"bearer": []}, *([{}] if route.tokenless else [])]
    return operation


def _path_parameters(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _KINDS[kind]}
        for name, kind in route.parameters.items()
    ]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in given.items() if key not in {"title", "description"}},
            **({"description": given["description"]} if "description" in given else {}),
        }
        for name, given in schema.get("properties", {}).items()
    ]


def _content(route: Route, names: _Names) -> Json:
    content: Json = {}
    if route.body is not None:
        content["application/json"] = {"schema": names.of_input(route.body)}
    if route.form is not None:
        content["multipart/form-data"] = {"schema": names.of_input(route.form)}
    return content


def _answer(route: Route, names: _Names) -> Json:
    answer: Json = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": names.of_answer(route.answer)}}
    return answer


def _errors(face: Face, route: Route) -> Json:
    """The documented errors: those of the route, and those of every route with its error form."""
    texts = _usual_errors(route) if face.errors is None else dict(face.errors.texts)
    texts.update(route.errors or {})
    name = _ERROR if face.errors is None else face.name + _ERROR
    reference = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {
        str(status): {"description": text, "content": reference} for status, text in sorted(texts.items())
    }


def _usual_errors(route: Route) -> dict[int, str]:
    texts = dict(_USUAL_ERRORS)
    if not route.public:
        texts[401] = "The token is missing, unknown or expired."
    if route.parameters or route.body is not None:
        texts[404] = "Not found, or not visible to the user."
    if route.body is not None or route.form is not None:
        texts[400] = "The body is not JSON, or the request breaks a rule."
        texts[413] = "The body is too large."
    if route.body is not None or route.query is not None:
        texts[422] = "A field is missing or has a wrong value."
    return texts

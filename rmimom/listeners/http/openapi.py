"""The description of the interface (OpenAPI 3.1), made of the tables that its routes are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

import rmimom
from rmimom.listeners.http.operation import PREFIX, Binary, Operation, Stream
from rmimom.listeners.http.problems import MEDIA_TYPE, Problem

_ERRORS: Final = {
    "400": "The request cannot be understood.",
    "401": "A login is needed, or the one given is wrong.",
    "403": "The role of the caller does not allow it.",
    "404": "What the request names is not there (any more).",
    "409": "Not possible as things are.",
    "429": "Too many attempts; Retry-After says when to come again.",
    "503": "This server is not the active one, or cannot go on; the detail names the active one.",
    "default": "Another problem.",
}
_TEMPLATE: Final = "#/components/schemas/{name}"


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """The description as plain data."""
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _describe(operation, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rmimom administration",
            "version": rmimom.__version__,
            "description": "Facts and orders for operators; every error is a problem document (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "session": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"basic": []}, {"session": []}],
    }


def _types(operations: Iterable[Operation]) -> list[Any]:
    types: list[Any] = [Problem]
    for operation in operations:
        for one in (operation.body, operation.answer):
            if one not in {None, Binary, Stream} and one not in types:
                types.append(one)
    return types


def _describe(operation: Operation, by_type: dict[Any, Any]) -> dict[str, Any]:
    summary, _, rest = _text(operation.handler.__doc__).partition("\n\n")
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary.rstrip("."),
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {
            str(operation.success.value): _success(operation, by_type),
            **{
                status: {"description": text, "content": {MEDIA_TYPE: {"schema": by_type[Problem]}}}
                for status, text in _ERRORS.items()
            },
        },
    }
    if rest:
        described["description"] = rest
    if operation.role is None:
        described["security"] = []
    else:
        described["x-role"] = operation.role
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": by_type[operation.body]}},
        }
    return described


def _success(operation: Operation, by_type: dict[Any, Any]) -> dict[str, Any]:
    answer = operation.answer
    if answer is None:
        return {"description": "Done."}
    if answer is Binary:
        schema: Any = {"type": "string", "format": "binary"}
        return {"description": "The bytes.", "content": {"application/octet-stream": {"schema": schema}}}
    if answer is Stream:
        events = {"text/event-stream": {"schema": {"type": "string"}}}
        return {"description": "Server-sent events, until one of the two goes away.", "content": events}
    return {"description": "Done.", "content": {"application/json": {"schema": by_type[answer]}}}


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "percent-encoded, slashes too" if name == "name" else "as the lists say",
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field in msgspec.structs.fields(operation.query):
        [schema], _ = msgspec.json.schema_components([field.type], ref_template=_TEMPLATE)
        if field.default is not msgspec.NODEFAULT:
            schema = {**schema, "default": field.default}
        found.append({"name": field.name, "in": "query", "required": field.required, "schema": schema})
    return found


def _text(doc: str | None) -> str:
    lines = [line.strip() for line in (doc or "").strip().splitlines()]
    return "\n".join(lines)

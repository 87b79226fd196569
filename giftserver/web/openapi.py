"""The OpenAPI 3.1 document, made from the endpoints' declarations and types."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from giftserver import __version__
from giftserver.errors import INTERNAL, TOO_LARGE, UNSUPPORTED_TYPE
from giftserver.settings import Settings
from giftserver.web.endpoint import Endpoint
from giftserver.web.responses import ErrorAnswer
from rooms.codes import BAD_REQUEST, FORBIDDEN, UNAUTHORIZED, UNAVAILABLE, ErrorCode

REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


def document(endpoints: Sequence[Endpoint[Any, Any]], settings: Settings) -> dict[str, Any]:
    """The document for these endpoints."""
    types = [kind for endpoint in endpoints for kind in (endpoint.response, endpoint.body, endpoint.query) if kind]
    schemas, components = msgspec.json.schema_components([ErrorAnswer, *types], ref_template=REF)
    by_type = dict(zip([ErrorAnswer, *types], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, by_type, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "giftserver",
            "version": __version__,
            "description": "Amounts are whole coins or diamonds, times are ms since 1970. Sockets: /asyncapi.json.",
        },
        "servers": [{"url": settings.base_url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(
    endpoint: Endpoint[Any, Any], schemas: dict[Any, dict[str, Any]], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": (endpoint.handler.__doc__ or "").strip(),
        "security": [{"bearer": []}] if endpoint.roles is not None else [],
        "responses": {"200": _content("The answer", schemas[endpoint.response], endpoint.media_type)},
    }
    if endpoint.roles is not None:
        operation["x-roles"] = list(endpoint.roles)
    parameters = [*_in_path(endpoint.path), *_in_query(endpoint, schemas, components)]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        needed = bool(_resolved(schemas[endpoint.body], components).get("required"))
        operation["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": schemas[endpoint.body]}},
        }
    for status, codes in sorted(_by_status(refusals_of(endpoint)).items()):
        words = "; ".join(f"`{code.name}`: {code.meaning}" for code in codes)
        operation["responses"][str(status)] = _content(words, schemas[ErrorAnswer])
    return operation


def refusals_of(endpoint: Endpoint[Any, Any]) -> list[ErrorCode]:
    """Every code the endpoint may answer: its own and those that come with its kind."""
    codes = [*endpoint.refusals, FORBIDDEN, UNAVAILABLE, INTERNAL]
    if endpoint.roles is not None:
        codes.append(UNAUTHORIZED)
    if endpoint.body is not None or endpoint.query is not None:
        codes.append(BAD_REQUEST)
    if endpoint.body is not None:
        codes += [TOO_LARGE, UNSUPPORTED_TYPE]
    return list(dict.fromkeys(codes))


def _by_status(codes: list[ErrorCode]) -> dict[int, list[ErrorCode]]:
    found: dict[int, list[ErrorCode]] = {}
    for code in codes:
        found.setdefault(code.status, []).append(code)
    return found


def _in_path(path: str) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}}


def _in_query(
    endpoint: Endpoint[Any, Any], schemas: dict[Any, dict[str, Any]], components: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if endpoint.query is None:
        return
    shape = _resolved(schemas[endpoint.query], components)
    for name, schema in shape["properties"].items():
        yield {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": schema}


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = components[schema["$ref"].rpartition("/")[2]]
    return resolved


def _content(description: str, schema: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}

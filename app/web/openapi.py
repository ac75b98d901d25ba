"""The OpenAPI document, made from the endpoints themselves."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.kit.endpoint import Endpoint

_REF = "#/components/schemas/{model}"


class ErrorDetail(BaseModel):
    code: str
    message: str
    retry_after_ms: int | None = None
    details: Any = None


class ErrorView(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


def document(endpoints: Iterable[Endpoint], *, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of ``endpoints``."""
    endpoints = list(endpoints)
    bodies = [one.body for one in endpoints if one.body is not None]
    answers = [one.answer for one in endpoints if one.answer is not None]
    answers.append(ErrorView)
    models: list[tuple[type[BaseModel], Any]] = []
    models += [(model, "validation") for model in dict.fromkeys(bodies)]
    models += [(model, "serialization") for model in dict.fromkeys(answers)]
    refs, schemas = models_json_schema(models, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        for path in (endpoint.path, *endpoint.aliases):
            operation = _operation(endpoint, path, refs)
            paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Colloquy",
            "version": version,
            "description": "The HTTP side of Colloquy. The conversation itself goes over the"
            " WebSocket at /ws/{session_id}, described in docs/protocol.md.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "visitor": {"type": "apiKey", "in": "cookie", "name": "colloquy_visitor"},
            },
        },
        "security": [{}, {"token": []}, {"visitor": []}],
    }


def _operation(endpoint: Endpoint, path: str, refs: Any) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema} for name, schema in endpoint.query.items()
    ]
    parameters += [
        {"name": name, "in": "header", "schema": {"type": "string"}, "description": what}
        for name, what in endpoint.headers.items()
    ]
    responses: dict[str, Any] = {}
    if endpoint.answer is not None:
        answer = _content(endpoint.summary, refs[endpoint.answer, "serialization"])
        responses = {str(status): answer for status in (endpoint.status, *endpoint.also)}
    else:
        responses[str(endpoint.status)] = {"description": endpoint.summary}
    # Any request may meet a bug, any unsafe one may be another site's.
    anywhere = {500} if endpoint.method == "GET" else {403, 500}
    for status in sorted({*endpoint.errors} | anywhere):
        responses[str(status)] = _content("An error.", refs[ErrorView, "serialization"])
    operation: dict[str, Any] = {"summary": endpoint.summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        kind = "application/x-www-form-urlencoded" if endpoint.is_form else "application/json"
        operation["requestBody"] = {
            "required": endpoint.body_required,
            "content": {kind: {"schema": refs[endpoint.body, "validation"]}},
        }
    return operation


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}

"""The contract as an OpenAPI document, and as a page to read it on."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import biencoder
from biencoder.serve.auth import OPEN_PATHS
from biencoder.serve.errors import STATUS
from biencoder.serve.openapi_schemas import Schema, ref, schemas
from biencoder.serve.operations import JSON, Operation, operations
from biencoder.serve.service import Service

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font: 600 1rem ui-monospace, monospace; margin: 2.5rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { border-top: 1px solid #8884; padding: .35rem .75rem .35rem 0; vertical-align: top; }
td:first-child, code { font-family: ui-monospace, monospace; white-space: nowrap; }
p { margin: .25rem 0; } .quiet { opacity: .7; font-size: .9rem; }
:root { color-scheme: light dark; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def routes(service: Service) -> list[Route]:
    """/openapi.json and /docs; both are written once."""
    found = document(service)
    as_json, as_page = orjson.dumps(found), page(found).encode()

    async def openapi(request: Request) -> Response:
        return Response(as_json, media_type=JSON)

    async def docs(request: Request) -> Response:
        return Response(as_page, media_type="text/html", headers=_HEADERS)

    return [Route("/openapi.json", openapi), Route("/docs", docs)]


def document(service: Service) -> dict[str, Any]:
    """OpenAPI 3.1 of the routes that this service offers."""
    keyed = bool(service.settings.api_keys)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations(service):
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, keyed)
    components: dict[str, Any] = {"schemas": schemas(service)}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "biencoder",
            "version": biencoder.__version__,
            "description": "Embeddings and search, with the contracts of NIM and OpenAI clients.",
        },
        "paths": paths,
        "components": components,
    }
    if keyed:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
    return found


def _operation(operation: Operation, keyed: bool) -> dict[str, Any]:
    open_ = operation.path in OPEN_PATHS
    refused = {*operation.refuses, *((401,) if keyed and not open_ else ()), 403}
    answers = {"200": _answer(operation)}
    answers |= {str(status): _refusal(status) for status in sorted(refused)}
    found: dict[str, Any] = {
        "summary": operation.about,
        "operationId": _id(operation),
        "responses": answers,
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema} for name, schema in operation.asks.items()
    ]
    if parameters:
        found["parameters"] = parameters
    if operation.takes is not None:
        content = {JSON: {"schema": ref(operation.takes)}}
        found["requestBody"] = {"required": True, "content": content}
    if keyed and open_:
        found["security"] = []
    return found


def _answer(operation: Operation) -> dict[str, Any]:
    described = {"description": operation.about}
    if operation.gives is not None:
        return described | {"content": {JSON: {"schema": ref(operation.gives)}}}
    schema: Schema = {"type": "object"} if operation.media == JSON else {"type": "string"}
    # What the page loads is of several types.
    media = "*/*" if operation.path == "/web/{file}" else operation.media
    return described | {"content": {media: {"schema": schema}}}


def _refusal(status: int) -> dict[str, Any]:
    codes = ", ".join(code for code, own in STATUS.items() if own == status)
    return {"description": codes, "content": {JSON: {"schema": ref("Error")}}}


def _id(operation: Operation) -> str:
    words = re.findall(r"\w+", operation.path) or ["page"]
    return "_".join([operation.method, *words])


def page(found: dict[str, Any]) -> str:
    """The document as HTML, without a script."""
    named = found["components"]["schemas"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(found['info']['title'])} API</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(found['info']['title'])} {escape(found['info']['version'])}</h1>",
        f"<p>{escape(found['info']['description'])}</p>",
    ]
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            parts += _section(f"{method.upper()} {path}", operation, named)
    return "".join([*parts, "</body></html>"])


def _section(title: str, operation: dict[str, Any], named: dict[str, Schema]) -> list[str]:
    parts = [f"<h2>{escape(title)}</h2><p>{escape(operation['summary'])}</p>"]
    rows = [(one["name"], one["schema"]) for one in operation.get("parameters", ())]
    body = operation.get("requestBody")
    if body is not None:
        name = body["content"][JSON]["schema"]["$ref"].rsplit("/", 1)[-1]
        rows += named[name]["properties"].items()
    if rows:
        cells = (f"<tr><td>{escape(n)}</td><td>{escape(_said(s))}</td></tr>" for n, s in rows)
        parts += ["<table>", *cells, "</table>"]
    answers = operation["responses"].items()
    said = "; ".join(f"{status} {one['description']}" for status, one in answers if status != "200")
    return [*parts, f"<p class='quiet'>{escape(said)}</p>"]


def _said(schema: Schema) -> str:
    """A schema in words: its choices or type, then what it is for."""
    if "$ref" in schema:
        kind = schema["$ref"].rsplit("/", 1)[-1]
    elif "enum" in schema:
        kind = " | ".join(str(choice) for choice in schema["enum"] if choice is not None)
    elif "anyOf" in schema:
        kind = " or ".join(_said(one) for one in schema["anyOf"])
    elif schema.get("type") == "array":
        kind = f"array of {_said(schema['items'])}"
    else:
        kinds = schema.get("type", "anything")
        kind = kinds if isinstance(kinds, str) else " | ".join(k for k in kinds if k != "null")
    return f"{kind}. {schema['description']}" if "description" in schema else kind

"""What do the pages say of themselves to machines? The declared answers of each route, and `/openapi.json`.

Promise: what is declared is what is answered; a test asks each route in many ways and compares.
"""

import warnings
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from newsletter.comparisons.record import Comparison
from newsletter.language import available
from newsletter.web.form import MULTIPART, URLENCODED
from newsletter.web.shapes import Trouble

_HTML: Final = {"text/html": {"schema": {"type": "string"}}}
_WAIT: Final = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_SAID: Final[dict[int, dict[str, Any]]] = {
    304: {"description": "It is as it was when you had it last."},
    404: {"description": "There is nothing here, or the link is not one of ours.", "content": _HTML},
    410: {
        "description": "The link was one of ours, and its time is over. The page says so, and offers what there is.",
        "content": _HTML,
    },
    413: {"description": "The form is too long.", "content": _HTML},
    422: {"description": "Something is wrong with the form; the page says what.", "content": _HTML},
    429: {"description": "Too often in an hour.", "content": _HTML, "headers": _WAIT},
    503: {"description": "The database cannot be reached. Nothing has changed.", "content": _HTML, "headers": _WAIT},
}

_REFUSED: Final[dict[int, dict[str, Any]]] = {
    401: {
        "description": "There is no key with it, or none of ours.",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    },
    404: {"description": "Readers have no such issue."},
    409: {"description": "It cannot be told which of several comparisons is meant. Nothing has changed."},
    413: {"description": "It is too long, and was not read."},
    415: {"description": "It does not say that it is JSON."},
    422: {"description": "It is no JSON, or no comparison; the details say what is wrong where. Nothing has changed."},
    429: {"description": "Too many wrong keys of one network within an hour.", "headers": _WAIT},
    503: {"description": "The database cannot be reached. Nothing has changed.", "headers": _WAIT},
}
_SCHEMAS: Final = "#/components/schemas/"

_LANGUAGE: Final[dict[str, Any]] = {
    "name": "lang",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "enum": list(available())},
    "description": "The page’s language, whatever `Accept-Language` prefers. One that there is not is passed over.",
}

HANDED_OVER: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Comparison"}}}}
}
"""The body of a comparison that is handed over, for the parameter `openapi_extra` of its route."""


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a page, for the parameter `responses` of its route. 200 goes without saying."""
    return {status: _SAID[status] for status in statuses}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers in JSON where it does not do what a program asked, for its parameter `responses`."""
    return {status: {"model": Trouble, **_REFUSED[status]} for status in statuses}


def fields(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    """The form of a page, for the parameter `openapi_extra` of its route."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"requestBody": {"content": {kind: {"schema": schema} for kind in (URLENCODED, MULTIPART)}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of all routes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate Operation ID")  # GET and HEAD are one function; see below
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for operations in document["paths"].values():
        for method, operation in operations.items():
            operation["operationId"] = f"{operation['operationId'].rpartition('_')[0]}_{method}"
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]  # FastAPI's own, for parameters that could be wrong: we have none
            if method in ("get", "head") and "text/html" in operation["responses"]["200"].get("content", {}):
                operation.setdefault("parameters", []).append(_LANGUAGE)
            if method == "head":
                for answer in operation["responses"].values():
                    answer.pop("content", None)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(_comparison())
    return document


def _comparison() -> dict[str, Any]:
    """The published schema of a comparison and of its parts, but that a slug is required."""
    whole = Comparison.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    whole["properties"]["slug"] = whole["properties"]["slug"]["anyOf"][0] | {"description": "by it it is known"}
    return {**whole.pop("$defs"), "Comparison": whole | {"required": ["slug", *whole["required"]]}}

"""What do the pages say of themselves to machines? The declared answers of each route, and `/openapi.json`.

Promise: what is declared is what is answered; a test asks each route in many ways and compares.
"""

import warnings
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from newsletter.web.form import MULTIPART, URLENCODED

_HTML: Final = {"text/html": {"schema": {"type": "string"}}}
_WAIT: Final = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_SAID: Final[dict[int, dict[str, Any]]] = {
    304: {"description": "It is as it was when you had it last."},
    404: {"description": "There is nothing here, or the link is not one of ours.", "content": _HTML},
    410: {
        "description": "The link was one of ours, and its time is over. The page offers a new one.",
        "content": _HTML,
    },
    413: {"description": "The form is too long.", "content": _HTML},
    422: {"description": "Something is wrong with the form; the page says what.", "content": _HTML},
    429: {"description": "Too often in an hour.", "content": _HTML, "headers": _WAIT},
    503: {"description": "The database cannot be reached. Nothing has changed.", "content": _HTML, "headers": _WAIT},
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a page, for the parameter `responses` of its route. 200 goes without saying."""
    return {status: _SAID[status] for status in statuses}


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
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]  # FastAPI's own, for parameters that could be wrong: we have none
            if method == "head":
                for answer in operation["responses"].values():
                    answer.pop("content", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(unused, None)
    return document

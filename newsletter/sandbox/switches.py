"""How are faults set while the sandbox runs, and what is held let go, over HTTP?

`GET`, `PUT` and `DELETE /faults`, `POST /release`; without a token, as everything that is for people and tests.
"""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.sandbox import sending
from newsletter.sandbox.checks import Json
from newsletter.sandbox.sending import Office


def routes(office: Office) -> list[Route]:
    """The routes of the faults."""

    def state() -> Response:
        sending.release_due(office)
        return _json({**office.faults.as_json(), "held": office.mailbox.held})

    async def show(_: Request) -> Response:
        return state()

    async def replace(request: Request) -> Response:
        try:
            wanted = orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            return _json({"error": f"this is no JSON: {error}"}, 422)
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            line = 'faults are a JSON list of texts, such as ["429:times=2", "search-lag:seconds=5"]'
            return _json({"error": line}, 422)
        try:
            office.faults.set(*wanted)
        except ValueError as error:
            return _json({"error": str(error)}, 422)
        return state()

    async def clear(_: Request) -> Response:
        office.faults.clear()
        return state()

    async def release(_: Request) -> Response:
        return _json({"released": sending.release(office)})

    return [
        Route("/faults", show),
        Route("/faults", replace, methods=["PUT"]),
        Route("/faults", clear, methods=["DELETE"]),
        Route("/release", release, methods=["POST"]),
    ]


def _json(content: Json, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(orjson.dumps(content), status, headers, "application/json; charset=utf-8")

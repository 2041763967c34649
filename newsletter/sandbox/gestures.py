"""How is a message opened, followed, returned or called spam by hand? `POST /inbox/{id}/…`, without a token.

A form's fields; a browser is led back to the message, any other client is told what came of it.
"""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from newsletter.sandbox import acting
from newsletter.sandbox.acting import READER, SCANNER
from newsletter.sandbox.checks import Json
from newsletter.sandbox.mailbox import Message
from newsletter.sandbox.sending import Office

MOST: Final = 20_000  # bytes of a form

Gesture = Callable[[Office, Message, Mapping[str, str]], object]


def _bounce(office: Office, message: Message, said: Mapping[str, str]) -> None:
    acting.bounce(office, message, said.get("type", "HardBounce"), inactive=_truth(said.get("inactive")))


def _truth(text: str | None) -> bool | None:
    if text not in (None, "", "true", "false"):
        raise ValueError(f"inactive is true or false, not {text}")
    return text == "true" if text else None


GESTURES: Final[Mapping[str, Gesture]] = {
    "open": lambda office, message, said: acting.open_letter(office, message, said.get("agent", READER)),
    "click": lambda office, message, said: acting.click(
        office, message, said.get("link", ""), said.get("agent", READER)
    ),
    "scan": lambda office, message, said: acting.scan(office, message, said.get("agent", SCANNER)),
    "bounce": _bounce,
    "complain": lambda office, message, _: acting.complain(office, message),
    "leave": lambda office, message, _: acting.leave(office, message),
    "return": lambda office, message, _: acting.come_back(office, message),
}
"""What may be done with a message, and what is done then; the answer's `noted` says what came of it, if anything."""


def routes(office: Office) -> list[Route]:
    """A route for all of them."""

    async def act(request: Request) -> Response:
        gesture = GESTURES.get(request.path_params["gesture"])
        if gesture is None:
            return _json({"error": f"choose from {', '.join(GESTURES)}"}, 404)
        body = await request.body()
        try:
            message = acting.find(office, request.path_params["message_id"])
        except ValueError as error:
            return _json({"error": str(error)}, 404)
        try:
            noted = gesture(office, message, dict(parse_qsl(body[:MOST].decode())))
        except ValueError as error:
            return _json({"error": str(error)}, 422)
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/inbox/{message.id}?view=facts", 303)
        return _json({"noted": noted})

    return [Route("/inbox/{message_id}/{gesture}", act, methods=["POST"])]


def _json(content: Json, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(orjson.dumps(content), status, headers, "application/json; charset=utf-8")

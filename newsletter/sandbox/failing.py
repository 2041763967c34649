"""What does a call get that a fault has struck?

Either an answer `instead` of being carried out, or what becomes of its answer `after` that.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from newsletter.sandbox.checks import Json, refusal
from newsletter.sandbox.line import HalfAnswer, LateAnswer, NoAnswer
from newsletter.sandbox.striking import Strike

_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>%b</title></head>\n"
    b"<body><h1>%b</h1><p>The request was stopped on its way.</p><hr><em>proxy</em></body></html>\n"
)
_DELAYED = "Message accepted, but delivery may be delayed."


def instead(strike: Strike, url: str, body: bytes) -> Response:
    """The answer to a call that is not carried out. `url`: where it went."""
    fault = strike.fault
    if fault.name == "drop":
        return NoAnswer()
    if fault.name == "stall":
        return LateAnswer(NoAnswer(), fault.seconds)
    if fault.name == "redirect":
        return Response(b"", 307, {"Location": url})
    if fault.name == "refused":
        said = refusal(fault.code, _first_message(body))
        return _json(said.as_json(), said.status, {"X-PM-ApiErrorCode": str(said.code)})
    if fault.name == "429":
        return _json({"Message": "Too many requests; slow down."}, 429, _retry_after(strike))
    if fault.name == "503":
        words = "The API is down for maintenance."
        return _json({"ErrorCode": 100, "Message": words}, 503, _retry_after(strike) | {"X-PM-ApiErrorCode": "100"})
    if fault.name == "html-403":
        return _page(403, b"403 Forbidden")
    return _broken(strike)


def after(strike: Strike, answer: Response) -> Response:
    """What is sent in the place of the answer to a call that was carried out, refused or not."""
    name = strike.fault.name
    if name == "accept-then-drop":
        return NoAnswer()
    if name == "accept-then-stall":
        return LateAnswer(answer, strike.fault.seconds)
    if name == "accept-then-truncate":
        return HalfAnswer(answer)
    if name in ("delayed", "mixed", "short-answer", "long-answer"):
        return answer if answer.status_code != 200 else _json(_spoiled(strike, orjson.loads(answer.body)))
    return _broken(strike)


def _broken(strike: Strike) -> Response:
    """What looks the same on the wire, whether anything was taken or not."""
    name = strike.fault.name.removeprefix("accept-then-")
    if name == "500":
        words = "An unexpected error has occurred. Error ID 00000000-0000-0000-0000-000000000000."
        return _json({"ErrorCode": 101, "Message": words}, 500, {"X-PM-ApiErrorCode": "101"})
    if name == "no-code":
        return _json({"message": "Endpoint request timed out"}, strike.fault.status)
    return _page(200, b"One moment, please")


def _spoiled(strike: Strike, content: Any) -> Any:
    name = strike.fault.name
    if name == "short-answer":
        return content[:-1]
    if name == "long-answer":
        return [*content, *content[-1:]]
    if isinstance(content, list):
        return [_perhaps_delayed(strike, item) for item in content]
    return _perhaps_delayed(strike, content)


def _perhaps_delayed(strike: Strike, item: Json) -> Json:
    if "MessageID" not in item or not strike.is_delayed():
        return item
    return {name: value for name, value in item.items() if name != "ErrorCode"} | {"Message": _DELAYED}


def _first_message(body: bytes) -> Json:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    messages = parsed.get("Messages", parsed) if isinstance(parsed, dict) else parsed
    first = messages[0] if isinstance(messages, list) and messages else messages
    return first if isinstance(first, dict) else {}


def _retry_after(strike: Strike) -> dict[str, str]:
    seconds = strike.fault.retry_after
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json; charset=utf-8")


def _page(status: int, title: bytes) -> Response:
    return Response(_PAGE % (title, title), status, media_type="text/html; charset=utf-8")

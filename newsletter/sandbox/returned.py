"""What does Postmark say of the messages that came back, and of those that were called spam?

`GET /bounces`, newest first, and `GET /bounces/{id}`. Unlike what is posted, they bear no record type and no metadata.
"""

from collections.abc import Mapping
from typing import Final

from newsletter.sandbox import clock, events
from newsletter.sandbox.aftermath import Bounced, at_once
from newsletter.sandbox.checks import Json, RefusalError
from newsletter.sandbox.sending import Office

MAX_COUNT: Final = 500  # bounces an answer
MAX_WINDOW: Final = 10_000  # the newest bounces of a search that can be reached at all


def search(office: Office, query: Mapping[str, str]) -> Json:
    """Answer `GET /bounces`; the query's names are in lower case. All streams, unless `messagestream` says which.

    Raises RefusalError: 1000.
    """
    count, offset = _number(query, "count", 1), _number(query, "offset", 0)
    if count > MAX_COUNT or count + offset > MAX_WINDOW:
        raise _refusal(f"'count' may be {MAX_COUNT}, and together with 'offset' {MAX_WINDOW} at most.")
    found = [bounce for bounce in _all(office) if _passes(bounce, query)]
    found.sort(key=lambda bounce: bounce.at, reverse=True)
    page = found[offset : offset + count]
    return {"TotalCount": len(found), "Bounces": [events.bounce(each, each.message.fields()) for each in page]}


def one(office: Office, number: str) -> Json:
    """Answer `GET /bounces/{id}`. Raises RefusalError: 1001."""
    for bounce in _all(office):
        if str(bounce.number) == number:
            return {**events.bounce(bounce, bounce.message.fields()), "Content": ""}
    raise RefusalError(1001, "The bounce was not found.")


def _all(office: Office) -> list[Bounced]:
    first = (happening for message in office.mailbox.bouncing() for happening in at_once(message))
    return [*(each for each in first if isinstance(each, Bounced)), *office.aftermath.bounces()]


def _passes(bounce: Bounced, query: Mapping[str, str]) -> bool:
    message = bounce.message
    try:
        since = clock.read(query["fromdate"]) if query.get("fromdate") else None
        until = clock.read(query["todate"], end_of_day=True) if query.get("todate") else None
    except ValueError:
        raise _refusal("'fromdate' and 'todate' should be dates or moments.") from None
    return (
        (not query.get("type") or bounce.way.type.lower() == query["type"].lower())
        and (not query.get("inactive") or str(bounce.inactive).lower() == query["inactive"].lower())
        and query.get("emailfilter", "").lower() in bounce.email
        and (not query.get("tag") or message.tag == query["tag"])
        and (not query.get("messageid") or message.id == query["messageid"].lower())
        and (not query.get("messagestream") or message.stream == query["messagestream"])
        and (since is None or bounce.at >= since)
        and (until is None or bounce.at <= until)
    )


def _number(query: Mapping[str, str], name: str, lowest: int) -> int:
    text = query.get(name, "")
    if not text.isdecimal() or int(text) < lowest:
        raise _refusal(f"'{name}' should be a whole number from {lowest}.")
    return int(text)


def _refusal(why: str) -> RefusalError:
    return RefusalError(1000, f"The search for bounces is not valid: {why}")

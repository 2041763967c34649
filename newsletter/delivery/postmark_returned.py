"""What does Postmark show of what came back, when it is asked?

Promises: nothing that it counts is passed over in silence; where it would show no more of a list (it shows the newest
10,000), the list is asked for in shorter spans.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from newsletter.delivery.postmark_suppressions import EASTERN
from newsletter.delivery.provider import CannotAsk, Shown

PAGE: Final = 500  # bounces, the most that one call answers
WINDOW: Final = 10_000  # bounces of one search; beyond it the answer is an error, or the same page for ever
NO_SUCH_MESSAGE: Final = 701
SHORTEST: Final = timedelta(seconds=2)

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Ask = Callable[..., Any]
"""(method, endpoint, **query) -> the answer's JSON. Raises CannotAsk."""


def between(ask: Ask, stream: str, since: datetime, until: datetime) -> Iterator[Shown]:
    """A stream's bounces, the oldest spans first. Raises CannotAsk, also in the midst of them."""
    spans = [(since, until)]
    while spans:
        begin, end = spans.pop()
        total, shown = _page(ask, stream, begin, end, 0)
        if total > WINDOW:
            if end - begin < SHORTEST:
                raise CannotAsk(
                    f"Postmark has {total} bounces of one moment ({begin:%Y-%m-%d %H:%M:%S}) and shows less"
                )
            middle = begin + (end - begin) / 2
            spans += [(middle, end), (begin, middle)]
            continue
        offset = 0
        while True:
            yield from shown
            offset += len(shown)
            if offset >= min(total, WINDOW):
                break
            if not shown:
                raise CannotAsk(f"Postmark counts {total} bounces and shows {offset}")
            total, shown = _page(ask, stream, begin, end, offset)


def suppressed(ask: Ask, stream: str, since: datetime) -> Iterator[Shown]:
    """A stream's suppressions since the day of a moment, in one answer, each with its stream. Raises CannotAsk."""
    asked = f"the suppressions of the stream {stream}"
    # The day alone: of this list it is not written that it takes a time of day.
    day = f"{since.astimezone(EASTERN):%Y-%m-%d}"
    answer = ask("GET", f"/message-streams/{quote(stream, safe='')}/suppressions/dump", fromdate=day)
    entries = _objects(answer, "Suppressions", asked)
    return iter([{**entry, "MessageStream": stream} for entry in entries])


def details(ask: Ask, message_id: str) -> Shown | None:
    """One message and its MessageEvents; None where Postmark shows no such message. Raises CannotAsk."""
    if not _ID.fullmatch(message_id):
        return None  # another provider's, of a time before
    answer = ask("GET", f"/messages/outbound/{quote(message_id, safe='')}/details", missing=NO_SUCH_MESSAGE)
    if answer is None:
        return None
    _objects(answer, "MessageEvents", "the details of a message")
    whole: Shown = answer
    return whole


def _page(ask: Ask, stream: str, begin: datetime, end: datetime, offset: int) -> tuple[int, list[Shown]]:
    asked = f"the bounces of the stream {stream}"
    # Whole seconds, outwards: what is shown twice is known by its number.
    until = _eastern(end + timedelta(seconds=1))
    span = {"fromdate": _eastern(begin), "todate": until, "messagestream": stream}
    count = min(PAGE, WINDOW - offset)
    answer = ask("GET", "/bounces", count=count, offset=offset, **span)
    shown = _objects(answer, "Bounces", asked)
    total = answer.get("TotalCount")
    if type(total) is not int:
        raise CannotAsk(f"{asked} cannot be read: there is no count of them")
    return total, shown


def _objects(answer: object, name: str, asked: str) -> list[Shown]:
    """A list of objects in an answer. Raises CannotAsk, naming nobody, where there is none."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CannotAsk(f"{asked} cannot be read: there is no list of {name} in the answer")
    return found


def _eastern(moment: datetime) -> str:
    """A moment as Postmark reads it in a query: in its own time, to the second.

    In the night in which an hour comes twice two moments are written alike; spans that touch are so still.
    """
    return f"{moment.astimezone(EASTERN):%Y-%m-%dT%H:%M:%S}"

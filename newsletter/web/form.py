"""What did a form send, and from where? Small forms only, read whole; anything else is an empty form.

Promise: no body longer than `MOST` is kept in memory, and none that is torn or of another kind is an error of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Final

from fastapi import Depends, Request
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from newsletter.language import ENGLISH, Speech
from subscribers.consent import Whence

MOST: Final = 64 * 1024  # bytes
MOST_FIELDS: Final = 500
LONGEST_AGENT: Final = 300  # characters of a user agent that are kept

LONGEST_SHOWN: Final = 320  # characters of what was typed that are shown again

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


@dataclass(frozen=True)
class Sent:
    """The fields of a form, each with all its values."""

    fields: Mapping[str, list[str]] = field(default_factory=dict, repr=False)

    def one(self, name: str) -> str:
        """A field's first value without blanks around it; an empty text where there is none."""
        return next(iter(self.fields.get(name, [])), "").strip()

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return self.fields.get(name, [])


async def read(request: Request) -> Sent:
    """Read a form, urlencoded or multipart; files in it are passed over. Raises HTTPException 413."""
    if int(request.headers.get("content-length", "0")) > MOST:  # servers let only numbers through
        raise HTTPException(413)
    if not _is_utf8(request):
        return Sent()
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > MOST:
            raise HTTPException(413)
        return message

    fields: dict[str, list[str]] = {}
    try:
        async with Request(request.scope, receive).form(max_fields=MOST_FIELDS) as sent:
            for name, value in sent.multi_items():
                if isinstance(value, str):
                    fields.setdefault(name, []).append(value)
    except HTTPException as error:
        if error.status_code == 413:
            raise
        return Sent()  # torn, or with too many fields
    except ClientDisconnect:
        return Sent()
    return Sent(fields)


Form = Annotated[Sent, Depends(read)]
"""What a form has sent, as a parameter of an endpoint."""


def _is_utf8(request: Request) -> bool:
    """Whether a form is in UTF-8, as those of browsers are.

    Other encodings are not read: who sends a form could choose any of Python's, and some of them take a second for one,
    or make characters of it that no page can show.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    return options.get(b"charset", b"utf-8").lower() in (b"utf-8", b"utf8")


def whence(request: Request) -> Whence:
    """From where a request came, as far as that is known. Behind a proxy the web server has to be told so."""
    agent = "".join(filter(str.isprintable, request.headers.get("user-agent", "")))[:LONGEST_AGENT]
    return Whence(network=_network(request), user_agent=agent or None)


def what_is_wrong(say: Speech, error: ValueError) -> str:
    """What `parse_address` says of an address, in a reader's language. In English word for word what it says itself."""
    if say.code == ENGLISH:
        return str(error)
    told = {
        "An email address must have an @-sign.": say("An email address must have an @-sign."),
        "There must be something before the @-sign.": say("There must be something before the @-sign."),
        "There must be something after the @-sign.": say("There must be something after the @-sign."),
        "An email address cannot have a period immediately before the @-sign.": say(
            "An email address cannot have a period immediately before the @-sign."
        ),
        "The part after the @-sign is not valid. It should have a period.": say(
            "The part after the @-sign is not valid. It should have a period."
        ),
    }
    # The library knows some thirty more, which hardly anybody meets.
    return told.get(str(error)) or say("We cannot write to this address. Is it spelled as it should be?")


def _network(request: Request) -> str | None:
    try:
        return str(ip_address(request.client.host)) if request.client else None
    except ValueError:  # a socket of this machine
        return None

"""Which language does a request want, and how does one stay in it, or come to another?

There is no cookie: what was asked for stands in the address (`?lang=de`), and goes along from page to page. Promise:
whatever is asked for, the answer is a language that there is.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import pass_context
from jinja2.runtime import Context

from newsletter.language import available, own_name

LONGEST_HEADER: Final = 500  # characters of an Accept-Language that are looked at
LONGEST_QUERY: Final = 500  # characters of a query that the links to other languages keep


@dataclass(frozen=True)
class Tongue:
    """The page that shows, in one of its languages."""

    code: str
    name: str
    """As the language calls itself."""
    query: str
    """`?lang=de`: a link that keeps to the same address, whatever that is, and so names it to nobody."""


def asked_for(request: Request) -> str | None:
    """The code of the language that an address asks for; None where it asks for none, or for one that there is not."""
    asked = request.query_params.get("lang")
    return asked if asked in available() else None


def preferred(request: Request) -> str | None:
    """The code of the language that a browser likes best of those that there are; None where it likes none."""
    liked = _preferred(request.headers.get("accept-language", "")[:LONGEST_HEADER])
    return next((code for code in liked if code in available()), None)


def tongues(request: Request) -> tuple[Tongue, ...]:
    """All languages, as links from a page. None from what a form was answered with: that cannot be had by a link."""
    if request.method not in ("GET", "HEAD"):
        return ()
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    kept = others if len(urlencode(others)) <= LONGEST_QUERY else []
    return tuple(Tongue(code, own_name(code), "?" + urlencode([*kept, ("lang", code)])) for code in available())


@pass_context
def in_language(context: Context, address: str) -> str:
    """The address of another page of ours: in the language that this one was asked for in, where it was asked for."""
    asked = context.get("asked")
    page, mark, part = address.partition("#")
    return f"{page}{'&' if '?' in page else '?'}lang={asked}{mark}{part}" if asked else address


def _preferred(header: str) -> list[str]:
    """The languages of an `Accept-Language`, without their regions, the most wanted first."""
    weighed = []
    for each in header.split(","):
        tag, _, weight = each.replace(" ", "").lower().partition(";q=")
        try:
            wanted = float(weight or 1)
        except ValueError:
            wanted = 0.0
        if 0 < wanted <= 1:
            weighed.append((wanted, tag.partition("-")[0]))
    return [code for _, code in sorted(weighed, key=lambda pair: -pair[0])]

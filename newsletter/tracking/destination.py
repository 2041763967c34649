"""Where did a click lead? A path of ours without keys, or a whole address of somebody else's.

Pure. Keys in links are readers' own: what is kept of a path of ours is what stands in the lists below, and of whatever
is not in them, its first word.
"""

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.tracking.reading import words

LENGTH: Final = 1000  # characters of an address

HOME: Final = "/"

OPEN: Final = frozenset({"comparisons", "issues"})
"""First words of paths in which there is no key."""

VOTE: Final = "vote"
VOTES: Final = "votes"


def destination(link: object, base_url: str) -> str | None:
    """Where a link leads, in one line; `base_url` is the public address of our pages. None for what is no link."""
    link = words(link, LENGTH)
    if link is None:
        return None
    try:
        here, there = urlsplit(base_url), urlsplit(link)
        ours = there.scheme in ("http", "https") and (here.hostname, here.port) == (there.hostname, there.port)
    except ValueError:  # no address that anybody could have followed; it is kept as it came
        return link
    below = here.path.rstrip("/") + "/"
    if not ours or not base_url or not f"{there.path}/".startswith(below):
        return link
    return _without_keys([unquote(part) for part in there.path[len(below) :].split("/") if part], there.query)


def _without_keys(parts: list[str], query: str) -> str:
    """A path of ours, of which the words are given."""
    if not parts:
        return HOME
    first, *others = parts
    if first in OPEN:
        kept = [first, *others[:1]]
    elif first == VOTE and len(others) > 1:  # the key, and what is voted on
        kept = [VOTES, others[1], *parse_qs(query).get("choice", [])[:1]]
    else:
        kept = [first]
    return words("/".join(kept), LENGTH) or HOME

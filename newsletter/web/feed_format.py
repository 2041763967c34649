"""What does a feed look like? The same issues as Atom (RFC 4287) and as JSON Feed 1.1.

Pure. Promises: Atom is well-formed whatever the texts hold, since characters that XML 1.0 forbids are replaced; and the
same feed gives the same bytes.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

ATOM: Final = "application/atom+xml; charset=utf-8"
JSON: Final = "application/feed+json"

XML_BEGINS: Final = '<?xml version="1.0" encoding="utf-8"?>\n'

NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""When a feed last changed in which nothing has ever stood: Atom wants a moment, and no clock may make news of it."""

_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One issue. Texts are plain but for `html`; addresses are absolute; times are aware."""

    address: str
    """Of its page: its identity, for ever."""
    title: str
    summary: str
    html: str
    """All of it, links absolute."""
    published: datetime
    updated: datetime
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Feed:
    """The newest issues."""

    name: str
    """The newsletter's: of the feed, and of its author."""
    subtitle: str
    language: str
    """ISO 639."""
    home: str
    atom_address: str
    json_address: str
    entries: tuple[Entry, ...]
    """The newest first."""

    @property
    def updated(self) -> datetime:
        """When something in it last changed."""
        return max((entry.updated for entry in self.entries), default=NEVER)


def atom(feed: Feed) -> str:
    """The feed as an Atom document."""
    root = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": feed.language})
    _add(root, "id", feed.atom_address)
    _add(root, "title", feed.name)
    _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", moment(feed.updated))
    _add(_add(root, "author"), "name", feed.name)
    _add(root, "link", rel="self", type="application/atom+xml", href=feed.atom_address)
    _add(root, "link", rel="alternate", type="text/html", href=feed.home)
    _add(root, "link", rel="alternate", type=JSON, href=feed.json_address)
    for entry in feed.entries:
        node = _add(root, "entry")
        _add(node, "id", entry.address)
        _add(node, "title", entry.title)
        _add(node, "link", rel="alternate", type="text/html", href=entry.address)
        _add(_add(node, "author"), "name", feed.name)  # the feed's would do; not every program looks there
        _add(node, "published", moment(entry.published))
        _add(node, "updated", moment(entry.updated))
        for category in entry.categories:
            _add(node, "category", term=category)
        _add(node, "summary", entry.summary)
        _add(node, "content", entry.html, type="html")
    return XML_BEGINS + tostring(root, encoding="unicode") + "\n"


def json_feed(feed: Feed) -> str:
    """The feed as a JSON Feed."""
    made = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.name,
        "description": feed.subtitle,
        "home_page_url": feed.home,
        "feed_url": feed.json_address,
        "language": feed.language,
        "authors": [{"name": feed.name, "url": feed.home}],
        "items": [
            {
                "id": entry.address,
                "url": entry.address,
                "title": entry.title,
                "summary": entry.summary,
                "content_html": entry.html,
                "date_published": moment(entry.published),
                "date_modified": moment(entry.updated),
                "tags": list(entry.categories),
            }
            for entry in feed.entries
        ],
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def moment(at: datetime) -> str:
    """A time as feeds write it (RFC 3339), to the second: "2026-11-24T08:00:00Z"."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def fit_for_xml(text: str) -> str:
    """A text without characters that XML 1.0 forbids even escaped: each becomes a replacement character."""
    return _NOT_IN_XML.sub("\ufffd", text)


def categories(names: Iterable[str]) -> tuple[str, ...]:
    """Each category once, in the order in which they come."""
    return tuple(dict.fromkeys(names))


def _add(parent: Element, tag: str, text: str | None = None, /, **attributes: str) -> Element:
    node = SubElement(parent, tag, {name: fit_for_xml(value) for name, value in attributes.items()})
    node.text = None if text is None else fit_for_xml(text)
    return node

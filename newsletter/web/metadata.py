"""What does a page say of itself to machines? Its place on the site, and the panel's verdicts, as schema.org has them.

Asks nobody. Promises: a data block cannot end its element, whatever the texts in it hold; and it claims no more than
the page shows: no price is guessed from "$12/mo", no rating made of a verdict that is not known.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from newsletter.comparisons.record import Comparison, Review
from newsletter.issues.history import Verdict
from newsletter.links import Links
from newsletter.web.feed_format import moment
from newsletter.web.listed import Listed

VERDICTS: Final = {"ship": 1, "skip": 0}
"""What a verdict is worth as a rating."""

_SCALE: Final = {"bestRating": 1, "worstRating": 0}
# As JSON has them; in an element of HTML `<` could end it, or begin a comment that hides its end.
_ESCAPED: Final = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})

_NOTHING: Final = Markup()

Trail = Sequence[tuple[str, str]]
"""(name, address) of each page on the way from the front page to this one, which is the last."""


@dataclass(frozen=True)
class About:
    """What the head of a public page is filled with, but for its description: that is words, and a template's."""

    title: str
    """Of this page alone, without the newsletter's name."""
    address: str
    """Absolute, without a language."""
    data: Markup = _NOTHING
    """A data block (JSON-LD)."""
    published: str | None = None
    """Of an issue, RFC 3339."""
    changed: str | None = None


def of_site(name: str, links: Links) -> About:
    """Of the front page."""
    site = {"@type": "WebSite", "name": name, "url": links.home(), "publisher": _publisher(name, links)}
    return About(name, links.home(), _block([site]))


def of_issue(found: Listed, language: str, trail: Trail, links: Links) -> About:
    """Of an issue, the last page of the trail. The trail's first name is the newsletter's."""
    _, address = trail[-1]
    headline, published, changed = found.issue.subject_line, moment(found.began), moment(found.changed)
    article = {
        "@type": "Article",
        "headline": headline,
        "description": found.issue.preheader_line,
        "url": address,
        "mainEntityOfPage": address,
        "datePublished": published,
        "dateModified": changed,
        "inLanguage": language,
        "author": _publisher(trail[0][0], links),
        "publisher": _publisher(trail[0][0], links),
    }
    return About(headline, address, _block([article, _breadcrumbs(trail)]), published, changed)


def of_comparison(
    record: Comparison, language: str, trail: Trail, links: Links, reviewer: Callable[[str], str]
) -> About:
    """Of a comparison, the last page of the trail: both tools, and what each reviewer says of them.

    The trail's first name is the newsletter's; `reviewer` says how a seat is called.
    """
    _, address = trail[-1]
    names = {tool.name: f"{address}#{side}" for tool, side in zip(record.tools, ("left", "right"), strict=True)}
    publisher = _publisher(trail[0][0], links)
    dated = {} if record.published_at is None else {"datePublished": moment(record.published_at)}
    tools = [
        _tool(tool.name, tool.category, tool.description, tool.entry_price)
        | {
            "@id": names[tool.name],
            "aggregateRating": {
                "@type": "AggregateRating",
                "ratingValue": record.panel_ship(side) / 100,
                **_SCALE,
                "reviewCount": len(record.seats()),
            },
        }
        for side, tool in enumerate(record.tools)
    ]
    reviews = [
        {
            "@type": "Review",
            "itemReviewed": {"@type": "SoftwareApplication", "@id": names[review.tool], "name": review.tool},
            "author": {"@type": "Person", "name": reviewer(review.seat)},
            "publisher": {"@id": publisher["@id"]},
            "reviewBody": review.quote,
            "inLanguage": language,
            **dated,
            **_rating(review),
        }
        for review in record.reviews
    ]
    return About(record.title, address, _block([publisher, *tools, *reviews, _breadcrumbs(trail)]))


def of_tool(newest: Verdict, trail: Trail) -> About:
    """Of a tool, the last page of the trail, as the newest issue printed it."""
    title, address = trail[-1]
    tool = _tool(newest.name, newest.category, newest.tagline, newest.entry_price)
    return About(title, address, _block([tool | {"url": address}, _breadcrumbs(trail)]))


def of_trail(trail: Trail) -> About:
    """Of another page, the last one of the trail: it says where it is."""
    title, address = trail[-1]
    return About(title, address, _block([_breadcrumbs(trail)]))


def _tool(name: str, category: str, description: str, price: str) -> dict[str, Any]:
    return {
        "@type": "SoftwareApplication",
        "name": name,
        "applicationCategory": category,
        "description": description,
        # As printed: an amount and its currency would be a guess.
        "offers": {"@type": "Offer", "description": price},
    }


def _rating(review: Review) -> dict[str, Any]:
    if review.verdict is None:
        return {}
    return {"reviewRating": {"@type": "Rating", "ratingValue": VERDICTS[review.verdict], **_SCALE}}


def _publisher(name: str, links: Links) -> dict[str, str]:
    return {"@type": "Organization", "@id": f"{links.home()}#publisher", "name": name, "url": links.home()}


def _breadcrumbs(trail: Trail) -> dict[str, Any]:
    steps = [
        {"@type": "ListItem", "position": place, "name": name, "item": address}
        for place, (name, address) in enumerate(trail, start=1)
    ]
    return {"@type": "BreadcrumbList", "itemListElement": steps}


def _block(graph: Iterable[Mapping[str, Any]]) -> Markup:
    document = {"@context": "https://schema.org", "@graph": list(graph)}
    made = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Markup(made.translate(_ESCAPED))  # noqa: S704 - no character that HTML knows is left in it

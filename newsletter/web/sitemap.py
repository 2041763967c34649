"""What do search engines find? All pages that anyone may read, and where they had better not look.

Promise: no address in it is a key, or of anything that readers do not have.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from sqlmodel import Session

from newsletter.db import reading
from newsletter.language import available
from newsletter.links import Links
from newsletter.web import listed
from newsletter.web.answers import answers
from newsletter.web.feed_format import XML_BEGINS, moment
from newsletter.web.feeds import unnegotiated
from newsletter.web.site import Here

MOST: Final = 50_000  # pages: search engines read no more of one sitemap

KEPT_OUT: Final = ("confirm", "preferences", "address", "unsubscribe", "vote", "canary", "api", "webhooks")
"""First parts of paths behind which there are keys, or nothing to read."""

router = APIRouter()


class Sitemap(Response):
    """A sitemap."""

    media_type = "application/xml"


@router.api_route("/sitemap.xml", methods=["GET", "HEAD"], response_class=Sitemap, responses=answers(304, 503))
def sitemap(request: Request, site: Here) -> Response:
    """All pages that anyone may read, each in all its languages."""
    links = site.assembly.links
    with reading(site.engine) as session:
        pages = list(islice(_pages(session, links), MOST))
    root = Element(
        "urlset",
        {"xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9", "xmlns:xhtml": "http://www.w3.org/1999/xhtml"},
    )
    for address, changed in pages:
        node = SubElement(root, "url")
        SubElement(node, "loc").text = address
        if changed:
            SubElement(node, "lastmod").text = moment(changed)
        for code, other in in_all_languages(address):
            SubElement(node, "xhtml:link", {"rel": "alternate", "hreflang": code, "href": other})
    return unnegotiated(request, Sitemap(XML_BEGINS + tostring(root, encoding="unicode") + "\n"))


@router.api_route("/robots.txt", methods=["GET", "HEAD"], response_class=PlainTextResponse, responses=answers(304))
def robots(request: Request, site: Here) -> Response:
    """Where programs are welcome. Only at the root of a host do they look for it."""
    links = site.assembly.links
    path = urlsplit(links.base_url).path
    lines = ["User-agent: *", *(f"Disallow: {path}/{each}/" for each in KEPT_OUT), "", f"Sitemap: {links.sitemap()}"]
    return unnegotiated(request, PlainTextResponse("\n".join(lines) + "\n"))


def in_all_languages(address: str) -> list[tuple[str, str]]:
    """(code, address) of one page in each language, and without a language as whoever comes prefers it."""
    return [("x-default", address), *((code, f"{address}?lang={code}") for code in available())]


def _pages(session: Session, links: Links) -> Iterator[tuple[str, datetime | None]]:
    found = listed.issues(session)
    newest = max((each.changed for each in found), default=None)
    yield links.home(), newest
    yield links.issues(), newest
    yield links.subscribe(), None
    for each in found:
        yield links.issue(each.issue.week), each.changed
    for slug, changed in listed.comparisons(session, MOST):
        yield links.comparison(slug), changed
    for slug, changed in listed.tools(session, MOST):
        yield links.tool(slug), changed

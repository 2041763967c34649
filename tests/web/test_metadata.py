"""What public pages tell machines of themselves, and search engines of all pages."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.robotparser import RobotFileParser

import pytest
from fastapi.testclient import TestClient
from lxml import etree

from newsletter.links import Links
from newsletter.web import metadata
from tests.web.conftest import browser
from tests.web.world import W46, MakeAssembly, Parsed, a_comparison, draft, keep, send

BASE = "https://example.com/letters"
PAGES = ("/", "/issues", "/issues/2026-W47", "/comparisons/inkwell-vs-gantry", "/tools/inkwell", "/subscribe")
EVIL = "</script><script>alert(1)</script><!-- ]]> & \u2028 \"'"
GRAMMAR = etree.RelaxNG(etree.parse(Path(__file__).parent / "formats" / "sitemap.rng"))


@pytest.fixture
def client(make_assembly: MakeAssembly, new_database: Callable[[str], str]) -> TestClient:
    """Two issues that readers have, and one that they have not, at an address with a path."""
    assembly = make_assembly(database_url=new_database("sqlite"), base_url=BASE)
    send(assembly, a_comparison("Older", "Gantry", published_at="2026-11-10T12:00:00Z"), week=W46)
    keep(assembly, a_comparison("Later", "Soon", published_at="2026-11-24T00:00:00Z"))
    said = [each.model_dump() | {"quote": f"{EVIL} {each.quote}"} for each in a_comparison().reviews]
    said[0]["verdict"] = None
    tools = [
        tool.model_dump() | {"panel_ship": share} for tool, share in zip(a_comparison().tools, (75, 50), strict=True)
    ]
    send(assembly, a_comparison(reviews=said, tools=tools))
    draft(assembly, W46.after().after())
    return browser(assembly)


def graph(page: str) -> list[dict[str, Any]]:
    """What a page's one data block says."""
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert not re.search("[<>&]", block)
    found: list[dict[str, Any]] = json.loads(block)["@graph"]
    return found


def of_kind(page: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in graph(page) if each["@type"] == kind]


def test_every_public_page_names_its_address_its_languages_and_the_feeds(client: TestClient) -> None:
    for path in PAGES:
        for query in ("", "?lang=de"):
            page = Parsed(client.get(path + query).text)
            links = page.named("link")
            canonical = [link["href"] for link in links if link["rel"] == "canonical"]
            assert canonical == [BASE + path + query]
            assert {link["hreflang"]: link["href"] for link in links if "hreflang" in link} == {
                "x-default": BASE + path,
                "en": f"{BASE}{path}?lang=en",
                "de": f"{BASE}{path}?lang=de",
            }
            feeds = [link for link in links if "feed" in (link["href"] or "")]
            assert [link["href"] for link in feeds] == ["/letters/feed.xml", "/letters/feed.json"]
            for link in feeds:
                answer = client.get((link["href"] or "").removeprefix("/letters"))
                assert answer.headers["content-type"].startswith(link["type"] or "?")
            told = {
                each.get("property") or each.get("name"): each["content"]
                for each in page.named("meta")
                if "content" in each
            }
            assert told["og:url"] == canonical[0]
            assert told["og:description"] == told["description"]
            assert told["og:title"]
            assert told["og:type"] == ("article" if path == "/issues/2026-W47" else "website")
            assert not [name for name in told if name and "image" in name]
    listing = Parsed(client.get("/issues?before=2026-W47").text)
    assert f"{BASE}/issues?before=2026-W47&lang=de" in [link["href"] for link in listing.named("link")]
    (article,) = of_kind(client.get("/issues/2026-W47").text, "Article")
    assert article["datePublished"] == article["dateModified"] == "2026-11-24T08:00:00Z"
    assert [site["url"] for site in of_kind(client.get("/").text, "WebSite")] == [f"{BASE}/"]


def test_a_comparison_says_what_each_reviewer_said_and_no_more_than_is_known(client: TestClient) -> None:
    page = client.get("/comparisons/inkwell-vs-gantry").text
    tools = {tool["@id"]: tool for tool in of_kind(page, "SoftwareApplication")}
    assert [tool["name"] for tool in tools.values()] == ["Inkwell", "Gantry"]
    assert [tool["aggregateRating"]["ratingValue"] for tool in tools.values()] == [0.75, 0.5]
    assert tools.popitem()[1]["offers"] == {"@type": "Offer", "description": "Free"}
    reviews = of_kind(page, "Review")
    assert len(reviews) == 8
    assert reviews[0]["reviewBody"] == f"{EVIL} The builder speaks of Inkwell."
    assert (reviews[0]["author"]["name"], reviews[0]["itemReviewed"]["name"]) == ("The Builder", "Inkwell")
    assert "reviewRating" not in reviews[0]  # its verdict is not known
    scale = {"@type": "Rating", "bestRating": 1, "worstRating": 0}
    assert [review.get("reviewRating") for review in reviews[1:4]] == [
        scale | {"ratingValue": value} for value in (0, 1, 1)
    ]
    steps = of_kind(page, "BreadcrumbList")[0]["itemListElement"]
    assert [step["item"].removeprefix(BASE) for step in steps] == ["/", *PAGES[1:4]]
    assert [step["position"] for step in steps] == [1, 2, 3, 4]


def test_a_data_block_cannot_end_before_its_time() -> None:
    made = metadata.of_comparison(a_comparison(), "en", [(EVIL, f"{BASE}/")], Links(BASE), str.upper)
    assert not re.search("[<>&\u2028]", made.data)
    assert json.loads(made.data)["@graph"][0]["name"] == EVIL


def test_the_sitemap_has_every_page_that_anyone_may_read_and_no_other(client: TestClient) -> None:
    answer = client.get("/sitemap.xml")
    root = etree.fromstring(answer.content)
    GRAMMAR.assertValid(root)
    found = [node.text.removeprefix(BASE) for node in root.iter("{*}loc")]
    assert len(found) == len(set(found))
    older = {"/issues/2026-W46", "/comparisons/older-vs-gantry"}
    assert {*found} == {*PAGES, *older, "/tools/gantry", "/tools/older"}
    for path in found:
        page = Parsed(client.get(path).text)
        assert [link["href"] for link in page.named("link") if link["rel"] == "canonical"] == [BASE + path]
    assert client.get("/sitemap.xml", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_programs_are_kept_from_keys_and_from_nothing_else(
    make_assembly: MakeAssembly, new_database: Callable[[str], str]
) -> None:
    client = browser(make_assembly(database_url=new_database("sqlite"), base_url=BASE))
    GRAMMAR.assertValid(etree.fromstring(client.get("/sitemap.xml").content))  # also before the first issue
    robots = RobotFileParser()
    robots.parse(client.get("/robots.txt").text.splitlines())
    assert robots.site_maps() == [f"{BASE}/sitemap.xml"]
    keys = [path for path in client.get("/openapi.json").json()["paths"] if "{token}" in path]
    assert len(keys) > 5
    shut = [*keys, "/api/comparisons", "/webhooks/postmark"]
    assert not any(robots.can_fetch("AnyBot", BASE + path) for path in shut)
    assert all(
        robots.can_fetch("AnyBot", BASE + path) for path in (*PAGES, "/feed.xml", "/subscribe/box", "/style.css")
    )

"""The feeds as strict programs read them, and as forgiving ones do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import feedparser
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from lxml import etree
from sqlmodel import select

from newsletter.assembly import Assembly
from newsletter.comparisons import comparison, votes
from newsletter.db import writing
from newsletter.issues.issue import Issue
from newsletter.web.feed_format import ATOM, JSON, NEVER, Entry, Feed, atom, json_feed
from tests.web.conftest import browser
from tests.web.world import NOW, W46, MakeAssembly, Parsed, a_comparison, draft, keep, send

FORMATS = Path(__file__).parent / "formats"
GRAMMAR = etree.RelaxNG(etree.parse(FORMATS / "atom.rng"))
SCHEMA = Draft202012Validator(json.loads((FORMATS / "json-feed.json").read_text(encoding="utf-8")))
NAMES = {"a": "http://www.w3.org/2005/Atom"}
STRANGE = "a]]>b </script><!-- &amp; <b>bold</b>\ufffe \U0001f986 أداة"
HOME = "https://example.com/letters/"


def entries_of(client: TestClient) -> list[dict[str, Any]]:
    """What both feeds say alike of each issue, after all that can be held against a feed has been."""
    answers = [client.get("/feed.xml"), client.get("/feed.json")]
    assert [answer.headers["content-type"] for answer in answers] == [ATOM, JSON]
    root = etree.fromstring(answers[0].content)
    GRAMMAR.assertValid(root)
    SCHEMA.validate(feed := answers[1].json())
    held: list[dict[str, Any]] = feed["items"]
    written = [
        {
            "id": node.findtext("a:id", namespaces=NAMES),
            "url": node.find("a:link", NAMES).get("href"),
            "title": node.findtext("a:title", namespaces=NAMES),
            "summary": node.findtext("a:summary", namespaces=NAMES),
            "content_html": node.findtext("a:content", namespaces=NAMES),
            "date_published": node.findtext("a:published", namespaces=NAMES),
            "date_modified": node.findtext("a:updated", namespaces=NAMES),
            "tags": [each.get("term") for each in node.findall("a:category", NAMES)],
        }
        for node in root.findall("a:entry", NAMES)
    ]
    assert written == json.loads(json.dumps(held).replace("\\ufffe", "\\ufffd"))  # XML has no such character
    own = [root.findtext("a:id", namespaces=NAMES)]
    assert own == [link.get("href") for link in root.findall("a:link[@rel='self']", NAMES)]
    kinds = [link.get("type") for link in root.findall("a:link[@rel='alternate']", NAMES)]
    assert kinds == ["text/html", JSON]
    ids = [each["id"] for each in held]
    assert len({*ids, *own}) == len(ids) + 1
    assert all(newer["date_published"] >= older["date_published"] for newer, older in pairwise(held))
    assert all(each["date_modified"] >= each["date_published"] for each in held)
    changed = max((each["date_modified"] for each in held), default=f"{NEVER:%Y-%m-%dT%H:%M:%SZ}")
    assert root.findtext("a:updated", namespaces=NAMES) == changed
    assert answers[0].headers["last-modified"] == answers[1].headers["last-modified"]
    assert f"{parsedate_to_datetime(answers[0].headers['last-modified']):%Y-%m-%dT%H:%M:%SZ}" == changed
    for each in held:
        page = Parsed(each["content_html"])
        assert all((link["href"] or "").startswith(HOME) for link in page.named("a"))
        assert not page.named("script", "style", "img", "iframe", "b")
    forgiving = feedparser.parse(answers[0].content)
    assert not forgiving.bozo, forgiving.bozo_exception
    assert [(e.id, e.link, e.title) for e in forgiving.entries] == [(e["id"], e["url"], e["title"]) for e in written]
    for entry, each in zip(forgiving.entries, written, strict=True):
        assert Parsed(entry.content[0].value).text == Parsed(each["content_html"]).text
        assert (entry.author, entry.content[0].type) == (forgiving.feed.author, "text/html")
    return held


def test_both_feeds_hold_all_that_readers_were_sent_and_are_sound_whatever_it_says(
    make_assembly: MakeAssembly, new_database: Callable[[str], str]
) -> None:
    assembly = make_assembly(database_url=new_database("sqlite"), base_url=HOME, name=STRANGE.replace("\ufffe", ""))
    client = browser(assembly)
    assert entries_of(client) == []
    said = [
        each.model_copy(update={"quote": f"{STRANGE}\n\n{each.quote}\nsecond line"}) for each in a_comparison().reviews
    ]
    strange = a_comparison(title=STRANGE, slug="strange").model_copy(update={"reviews": tuple(said)})
    send(assembly, a_comparison("Older", "Old", published_at="2026-11-10T12:00:00Z"), week=W46)
    keep(assembly, a_comparison("Later", "Soon", published_at="2026-11-24T00:00:00Z"))
    send(assembly, strange, a_comparison("Alpha", "Beta"))
    draft(assembly, W46.after().after())
    with writing(assembly.engine) as session:
        sent = session.exec(select(Issue).where(Issue.week == "2026-W47")).one()
        sent.note = f"{STRANGE} **boldly** [elsewhere]({HOME})"
        session.add(sent)
        session.commit()

    newest, oldest = entries_of(client)
    assert [newest["id"], oldest["id"]] == [f"{HOME}issues/2026-W47", f"{HOME}issues/2026-W46"]
    assert newest["tags"] == ["Agents"]
    text = Parsed(newest["content_html"]).text
    assert f'<strong>boldly</strong> <a href="{HOME}">elsewhere</a>' in newest["content_html"]
    assert text.count("speaks of") == 2 * 8
    assert all(line in text for review in said for line in review.quote.split("\n"))
    assert "Later" not in str(entries_of(client))


def test_an_issue_counts_as_changed_when_it_was_corrected_and_not_when_somebody_votes(
    client: TestClient, assembly: Assembly
) -> None:
    send(assembly, a_comparison())
    before, first = client.get("/feed.json").json()["items"], client.get("/feed.xml")
    with writing(assembly.engine) as session:
        votes.cast(session, 1, 1, "left", NOW)
        session.commit()
    modified = {"If-Modified-Since": first.headers["last-modified"]}
    tagged = {"If-None-Match": first.headers["etag"]}
    for known in (modified, tagged, modified | tagged):
        again = client.get("/feed.xml", headers=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])

    later = NOW + timedelta(hours=1)
    with writing(assembly.engine) as session:
        reviews = [each.model_dump() | {"quote": "On second thoughts."} for each in a_comparison().reviews]
        comparison.save(session, a_comparison(reviews=reviews), later)
        session.commit()
    for known in (modified, tagged):
        assert client.get("/feed.xml", headers=known).status_code == 200
    (was,), (is_now,) = before, client.get("/feed.json").json()["items"]
    assert (is_now["id"], is_now["date_published"]) == (was["id"], was["date_published"])
    assert datetime.fromisoformat(is_now["date_modified"]) == later
    assert "On second thoughts." in is_now["content_html"]


def test_a_feed_speaks_the_newsletters_language_whoever_asks(
    make_assembly: MakeAssembly, new_database: Callable[[str], str]
) -> None:
    assembly = make_assembly(database_url=new_database("sqlite"), language="de")
    send(assembly, a_comparison())
    client = browser(assembly)
    answers = [client.get(f"/feed.xml{query}", headers={"Accept-Language": "en"}) for query in ("", "?lang=en")]
    assert answers[0].content == answers[1].content
    assert "vary" not in answers[0].headers
    assert feedparser.parse(answers[0].content).feed.language == "de"
    assert "würde" in answers[0].text
    assert client.get("/feed.json").json()["language"] == "de"


def test_a_correction_shows_that_was_begun_before_another_one_and_kept_after_it(
    client: TestClient, assembly: Assembly
) -> None:
    send(assembly, a_comparison(), a_comparison("Alpha", "Beta"))
    for quote, hours, tools in (("The second.", 2, ()), ("The first.", 1, ("Alpha", "Beta"))):
        reviews = [each.model_dump() | {"quote": quote} for each in a_comparison(*tools).reviews]
        with writing(assembly.engine) as session:
            comparison.save(session, a_comparison(*tools, reviews=reviews), NOW + timedelta(hours=hours))
            session.commit()
        assert quote in client.get("/feed.xml").text
        assert quote in client.get("/feed.json").text


@pytest.mark.parametrize("mark", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_what_xml_forbids_never_gets_into_atom(mark: str) -> None:
    text, at = f"a{mark}b", datetime(2026, 11, 24, tzinfo=UTC)
    entry = Entry(f"{HOME}issues/2026-W47", text, text, text, at, at, (text,))
    feed = Feed(text, text, "en", HOME, f"{HOME}feed.xml", f"{HOME}feed.json", (entry,))
    GRAMMAR.assertValid(etree.fromstring(atom(feed).encode()))
    if mark != "\ud800":
        SCHEMA.validate(json.loads(json_feed(feed)))

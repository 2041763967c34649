from collections.abc import Callable
from itertools import pairwise

import pytest
from fastapi.testclient import TestClient

from newsletter import steering, weekly
from newsletter.assembly import Assembly
from newsletter.comparisons import comparison, votes
from newsletter.db import writing
from newsletter.delivery import ledger
from newsletter.issues import issue as issues
from subscribers import subscriber
from subscribers.address import parse_address
from tests.web.conftest import browser
from tests.web.world import (
    NOW,
    W46,
    W47,
    MakeAssembly,
    Parsed,
    a_comparison,
    a_reader,
    approve,
    draft,
    everything,
    keep,
    send,
    way_out,
)

ARCHIVE = ("/", "/issues", "/issues/2026-W47", "/comparisons/inkwell-vs-gantry")
ATTACK = "</title></textarea>\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


def test_before_the_first_issue_the_front_page_says_so(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "Nothing has gone out yet" in answer.text
    assert "None yet" in client.get("/issues").text


def test_what_no_issue_has_sent_is_not_there(client: TestClient, assembly: Assembly) -> None:
    def hidden() -> bool:
        pages = [client.get(path) for path in ARCHIVE]
        return [page.status_code for page in pages] == [200, 200, 404, 404] and not any(
            "Gantry" in page.text for page in pages
        )

    keep(assembly, a_comparison())
    assert hidden()
    draft(assembly)
    assert hidden()
    approve(assembly)
    assert hidden()


def begin(assembly: Assembly, state: str) -> None:
    """Bring an approved issue to a state in the midst of its going out."""
    with writing(assembly.engine) as session:
        issue = weekly.require(session, W47)
        stored = ledger.store(session, weekly.compose(session, assembly.rules, issue), issue.week, NOW)
        issue.letter_id, issue.state = stored.id, state
        session.commit()


@pytest.mark.parametrize("state", [issues.SENDING, issues.PAUSED, issues.HELD])
def test_an_issue_shows_from_the_moment_it_is_going_out(client: TestClient, assembly: Assembly, state: str) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    begin(assembly, state)
    assert [client.get(path).status_code for path in ARCHIVE] == [200] * 4
    assert "going out now" in client.get("/issues").text


def test_what_was_called_off_in_its_midst_is_in_no_list_but_there_for_those_who_have_it(
    client: TestClient, assembly: Assembly
) -> None:
    send(assembly, a_comparison("Earlier", "Sooner", published_at="2026-11-10T12:00:00Z"), week=W46)
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    begin(assembly, issues.CANCELLED)
    assert [client.get(path).status_code for path in ARCHIVE] == [200] * 4
    assert "Gantry" in client.get("/issues/2026-W47").text
    assert 'href="/issues/2026-W46"' in client.get("/issues/2026-W47").text
    for listing in ("/", "/issues", "/issues/2026-W46"):
        assert "2026-W47" not in client.get(listing).text


def test_what_was_called_off_before_it_began_is_not_there(client: TestClient, assembly: Assembly) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    with writing(assembly.engine) as session:
        steering.cancel(session, W47)
        session.commit()
    assert [client.get(path).status_code for path in ARCHIVE] == [200, 200, 404, 404]


def test_a_comparison_of_the_next_draft_stays_hidden_beside_a_sent_issue(
    client: TestClient, assembly: Assembly
) -> None:
    send(assembly, a_comparison())
    keep(assembly, a_comparison("Later", "Soon", published_at="2026-11-24T00:00:00Z"))
    draft(assembly, W47.after())
    assert client.get("/comparisons/later-vs-soon").status_code == 404
    assert client.get("/issues/2026-W48").status_code == 404
    assert not any("Later" in client.get(path).text for path in ARCHIVE)


def test_an_issue_shows_its_lead_whole_and_the_quotes_of_its_letter_uncut_and_in_order(
    client: TestClient, assembly: Assembly
) -> None:
    calm = a_comparison("Alpha", "Beta", published_at="2026-11-16T00:00:00Z")
    calm = calm.model_copy(
        update={"reviews": tuple(each.model_copy(update={"verdict": "ship"}) for each in calm.reviews)}
    )
    send(assembly, calm, a_comparison())
    for path in ("/", "/issues/2026-W47", "/issues/2026-w47"):
        page = client.get(path).text
        assert page.index("Inkwell vs Gantry") < page.index("Alpha vs Beta")  # the panel's quarrel leads
        assert all(review.quote in page for review in a_comparison().reviews)
        assert [review.quote in page for review in calm.reviews] == [True] * 2 + [False] * 6  # as the letter quotes it
        assert "3 more reviewers" in page
        for record in (calm, a_comparison()):
            assert all(tool.entry_price in page and tool.tagline in page for tool in record.tools)
        assert "2 of 4 would ship" in page
        assert "no votes yet" in page
        assert 'href="/comparisons/alpha-vs-beta"' in page
        own = "" if path == "/" else "issues/2026-W47"
        assert f'<link rel="canonical" href="http://127.0.0.1:8000/{own}">' in page


def test_an_issue_says_what_its_letter_said_in_the_language_of_the_page(client: TestClient, assembly: Assembly) -> None:
    send(assembly, a_comparison("Other", "Gantry", published_at="2026-11-10T12:00:00Z"), week=W46)
    cast(assembly, "other-vs-gantry", "left", "left")
    keep(assembly, a_comparison("Gantry", "Inkwell"))
    draft(assembly)
    with writing(assembly.engine) as session:
        weekly.write_note(session, assembly.rules, W47, "**Hello**, <b>you</b>. [Look](https://example.com/x)")
        session.commit()
    send(assembly)
    english, german = (Parsed(client.get("/issues/2026-W47", params={"lang": code}).text) for code in ("en", "de"))
    cast(assembly, "other-vs-gantry", "right", first=2)  # too late for that letter
    for page, words in (
        (english, ("From the editor", "Last week’s vote", "What changed", "50% → 100% since week 46", "of 2 votes")),
        (german, ("Aus der Redaktion", "Gantry schlägt Inkwell", "50\u00a0% → 100\u00a0%", "über Gantry")),
    ):
        assert all(text in page.text for text in words)
        assert "<b>you</b>" in page.text
        assert any(link.get("href") == "https://example.com/x" for link in page.named("a"))
    assert all(quote == {"class": "text", "dir": "auto", "lang": "en"} for quote in german.named("blockquote"))
    assert all("lang" not in quote for quote in english.named("blockquote"))
    assert "of 2 votes" in client.get("/issues/2026-W47").text


def test_issues_are_listed_newest_first_and_name_their_neighbours(client: TestClient, assembly: Assembly) -> None:
    send(assembly, a_comparison("Older", "Old", published_at="2026-11-10T00:00:00Z"), week=W46)
    send(assembly, a_comparison())
    listed = client.get("/issues").text
    assert listed.index("/issues/2026-W47") < listed.index("/issues/2026-W46")
    assert "16–22 November 2026" in listed
    assert 'rel="prev" href="/issues/2026-W46"' in client.get("/issues/2026-W47").text
    assert 'href="/issues/2026-W47"' in client.get("/issues/2026-W46").text
    assert "Inkwell" in client.get("/").text
    assert "/issues/2026-W46" in client.get("/").text


def test_a_comparison_shows_its_whole_panel(client: TestClient, assembly: Assembly) -> None:
    record = a_comparison(url="https://verdicts.example/compare/1")
    tools = (record.tools[0].model_copy(update={"community_ship": 64}), record.tools[1])
    reviews = (record.reviews[0].model_copy(update={"verdict": None}), *record.reviews[1:])
    tools = (tools[0].model_copy(update={"panel_ship": 75}), tools[1])
    send(assembly, record.model_copy(update={"tools": tools, "reviews": reviews}))
    answer = client.get("/comparisons/inkwell-vs-gantry")
    page = Parsed(answer.text)
    assert all(review.quote in page.text for review in record.reviews)
    assert all(tool.description in page.text for tool in record.tools)
    for text in ("75%", "50%", "64% would ship", "Gantry: —", "not known", "17 November 2026", "Week 47"):
        assert text in page.text
    assert {"rel": "noopener nofollow", "href": "https://verdicts.example/compare/1"} in page.named("a")
    assert any(link.get("href") == "/issues/2026-W47" for link in page.named("a"))


def test_without_an_address_of_its_own_or_votes_a_comparison_says_no_more(
    client: TestClient, assembly: Assembly
) -> None:
    send(assembly, a_comparison())
    page = client.get("/comparisons/inkwell-vs-gantry").text
    assert "The original at" not in page
    assert '— <span class="muted">No votes yet.</span>' in page


def cast(assembly: Assembly, slug: str, *choices: str, first: int = 0) -> None:
    with writing(assembly.engine) as session:
        stored = comparison.by_slug(session, slug)
        assert stored is not None
        for number, choice in enumerate(choices, first):
            reader = subscriber.add(session, parse_address(f"{slug}-{number}@example.com"), subscriber.ACTIVE, NOW)
            session.flush()
            votes.cast(session, stored.id, reader.id or 0, choice, NOW)
        session.commit()


def test_our_own_readers_votes_show_in_place_of_published_shares_beside_the_panel(
    client: TestClient, assembly: Assembly
) -> None:
    tools = [tool.model_dump() | {"community_ship": 9} for tool in a_comparison().tools]
    send(assembly, a_comparison(tools=tools))
    before = {path: client.get(path) for path in ARCHIVE}
    assert all("9%" in before[path].text for path in ("/", *ARCHIVE[2:]))
    cast(assembly, "inkwell-vs-gantry", "left", "left", "both", "right", "neither", "left", "left", "both")
    shown = Parsed(client.get(ARCHIVE[3]).text).text
    for line in (
        "Inkwell: 75% would ship The panel: 100%",
        "Gantry: 38% would ship The panel: 50%",
        "8 votes of our readers",
        "Inkwell alone 4 50%",
        "Gantry alone 1 13%",
        "Both 2 25%",
        "Neither 1 13%",
    ):
        assert line in " ".join(shown.split())
    for path in ("/", "/issues/2026-W47"):
        assert "Readers: Inkwell 75%, Gantry 38% of 8 votes" in " ".join(Parsed(client.get(path).text).text.split())
    for path in ("/", *ARCHIVE[2:]):
        stale = client.get(path, headers={"If-None-Match": before[path].headers["etag"]})
        assert stale.status_code == 200


def test_a_verdict_that_changed_is_told_on_the_older_page_and_on_the_newer_one(
    client: TestClient, assembly: Assembly
) -> None:
    send(assembly, a_comparison("Other", "Gantry", published_at="2026-11-10T12:00:00Z"), week=W46)
    older, newer = "/comparisons/other-vs-gantry", "/comparisons/gantry-vs-inkwell"
    assert "Since then" not in client.get(older).text
    keep(assembly, a_comparison("Gantry", "Inkwell"))
    draft(assembly)
    assert "Since then" not in client.get(older).text  # nobody has been told yet
    send(assembly)
    for path in (older, "/issues/2026-W46"):
        page = Parsed(client.get(path).text)
        assert "Since then: 100% in week 47." in " ".join(page.text.split())
        assert any(link.get("href") == "/issues/2026-W47" for link in page.named("a"))
    for path in (newer, "/issues/2026-W47", "/"):
        assert "Was 50% in week 46." in " ".join(Parsed(client.get(path).text).text.split())


def test_a_panel_of_other_seats_keeps_its_names(client: TestClient, assembly: Assembly) -> None:
    record = a_comparison()
    reviews = [
        {"seat": f"Reviewer {number}", "tool": name, "verdict": verdict, "quote": "So."}
        for number, verdict in ((5, "ship"), (6, "skip"), (7, "ship"))
        for name in ("Inkwell", "Gantry")
    ]
    send(assembly, a_comparison(reviews=reviews, tools=[tool.model_dump() for tool in record.tools]))
    page = client.get("/comparisons/inkwell-vs-gantry").text
    assert "Reviewer 5" in page
    assert "67%" in page
    assert "2 of 3 would ship" in page


def test_days_are_those_of_the_newsletters_own_zone(
    make_assembly: MakeAssembly, new_database: Callable[[str], str]
) -> None:
    assembly = make_assembly(database_url=new_database("sqlite"), timezone="Pacific/Auckland")
    send(assembly, a_comparison(published_at="2026-11-17T20:00:00Z"))
    assert "18 November 2026" in browser(assembly).get("/comparisons/inkwell-vs-gantry").text


def test_links_keep_a_path_that_the_public_address_has(
    make_assembly: MakeAssembly, new_database: Callable[[str], str]
) -> None:
    assembly = make_assembly(database_url=new_database("sqlite"), base_url="https://example.com/letters")
    send(assembly, a_comparison())
    hrefs = [link["href"] or "" for link in Parsed(browser(assembly).get("/").text).named("a")]
    assert "/letters/comparisons/inkwell-vs-gantry" in hrefs
    assert all(href.startswith(("/letters/", "#", "?lang=")) for href in hrefs)


@pytest.mark.parametrize(
    "path",
    [
        "/issues/2026-W54",
        "/issues/2026-W00",
        "/issues/0000-W01",
        "/issues/2026-47",
        "/issues/latest",
        "/issues/2026-W47%00",
        "/issues/%F0%9F%A6%86",
        "/issues/" + "9" * 5000,
        "/comparisons/none-such",
        "/comparisons/a%00b",
        "/comparisons/%27%20OR%201=1",
        "/comparisons/..%2f..%2fetc",
        "/comparisons/" + "a" * 5000,
    ],
)
def test_addresses_of_nothing_are_404(client: TestClient, assembly: Assembly, path: str) -> None:
    send(assembly, a_comparison())
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_looking_changes_nothing(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    send(assembly, a_comparison())
    before = everything(assembly)
    for path in (*ARCHIVE, way_out(assembly, reader), "/healthz", "/readyz", "/style.css", "/nothing"):
        got, head = client.get(path), client.head(path)
        assert got.status_code == head.status_code
        assert "set-cookie" not in got.headers
    assert everything(assembly) == before


def test_an_unchanged_page_is_not_sent_again(client: TestClient, assembly: Assembly) -> None:
    send(assembly, a_comparison())
    for path in ARCHIVE:
        first = client.get(path)
        assert first.headers["cache-control"] == "public, max-age=300"
        for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
            again = client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_no_text_of_a_comparison_becomes_markup(
    make_assembly: MakeAssembly, new_database: Callable[[str], str]
) -> None:
    assembly = make_assembly(database_url=new_database("sqlite"), name=ATTACK[:80], postal_address=ATTACK)
    tools = [
        {"name": f"{n} {ATTACK}", "tagline": ATTACK, "category": ATTACK, "entry_price": ATTACK, "description": ATTACK}
        for n in (1, 2)
    ]
    reviews = [
        {"seat": f"{ATTACK} {seat}", "tool": tool["name"], "verdict": "ship", "quote": ATTACK}
        for seat in (1, 2)
        for tool in tools
    ]
    url = "https://verdicts.example/?q=\"'><script>alert(1)</script>"
    send(assembly, a_comparison(title=ATTACK, slug="inkwell-vs-gantry", url=url, tools=tools, reviews=reviews))
    client = browser(assembly)
    for path in (*ARCHIVE, way_out(assembly, a_reader(assembly)), "/unsubscribe/x"):
        page = Parsed(client.get(path).text)
        assert not page.named("img", "iframe", "textarea")
        assert all(script == {"type": "application/ld+json"} for script in page.named("script"))
        assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    shown = Parsed(client.get(ARCHIVE[3]).text).text
    assert shown.count(ATTACK) >= 2 + 4 * 2 + 4


def test_pages_are_sound(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    bare = [client.get("/").text]
    send(assembly, a_comparison("أداة", "Gantry", slug="inkwell-vs-gantry"))
    for html in bare + [client.get(path).text for path in (*ARCHIVE, way_out(assembly, reader), "/nothing")]:
        page = Parsed(html)
        tags = [tag for tag, _ in page.tags]
        levels = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3", "h4")]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert page.named("html") == [{"lang": "en", "dir": "ltr"}]
        assert [attributes.get("id") for attributes in page.named("main")] == ["content"]
        assert any(link.get("href") == "#content" for link in page.named("a"))
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert not page.named("style", "img", "iframe")
        assert all(script == {"type": "application/ld+json"} for script in page.named("script"))  # data, no program
        assert not any("style" in attributes for _, attributes in page.tags)
        loaded = [link["href"] or "" for link in page.named("link") if link["rel"] not in ("canonical", "alternate")]
        assert all(href.startswith(("/style.css?v=", "data:image/svg+xml,")) for href in loaded)

"""The vote, as a browser, a scanner and somebody with bad intentions meet it."""

import re
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from newsletter import farewell, voting
from newsletter.assembly import Assembly
from newsletter.comparisons.votes import Vote
from newsletter.db import reading, writing
from newsletter.delivery.ledger import BY_READER, TOTALS, UNTRACKED, StoredLetter
from newsletter.issues.week import Week
from newsletter.tracking.event import CLICKED, DOOR
from newsletter.tracking.store import StoredEvent
from newsletter.web import door
from newsletter.web.app import create_app
from subscribers.subscriber import SUPPRESSED, Subscriber
from subscribers.tokens import CONFIRM, PREFERENCES, UNSUBSCRIBE, VOTE, Tokens
from tests.web.world import NOW, Parsed, a_comparison, a_reader, everything, keep, send

SLUG = "inkwell-vs-gantry"
PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}


@pytest.fixture
def ada(assembly: Assembly) -> int:
    """A reader who has been sent a comparison of two tools."""
    reader = a_reader(assembly)
    send(assembly, a_comparison())
    return reader


def ballot(assembly: Assembly, reader: int, slug: str = SLUG, purpose: str = VOTE) -> str:
    return f"/vote/{assembly.tokens.make(purpose, reader)}/{slug}"


def votes(assembly: Assembly) -> list[tuple[int | None, str]]:
    with reading(assembly.engine) as session:
        return [(each.subscriber_id, each.choice) for each in session.exec(select(Vote))]


def count_clicks(assembly: Assembly, how: str) -> int:
    """Let the clicks of the letter be counted; its id."""
    with writing(assembly.engine) as session:
        letter = session.exec(select(StoredLetter).where(StoredLetter.tag == "2026-W47")).one()
        letter.clicks = how
        session.add(letter)
        session.commit()
        assert letter.id is not None
        return letter.id


def without_foot(answer: Any) -> str:
    """A page as far as its foot, which leads to the same page in other languages from what one can look at alone."""
    return str(answer.text).partition("<footer")[0]


def chosen(page: str) -> list[str | None]:
    """The choices of a ballot that are set."""
    return [each["value"] for each in Parsed(page).named("input") if each.get("type") == "radio" and "checked" in each]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("?choice=left", ["left"]), ("?choice=neither", ["neither"]), ("", []), ("?choice=%00LEFT", []), ("?choice=", [])],
)
def test_looking_shows_the_choice_of_the_link_and_one_button_and_changes_nothing(
    client: TestClient, assembly: Assembly, ada: int, query: str, expected: list[str]
) -> None:
    before = everything(assembly)
    answer = client.get(ballot(assembly, ada) + query)
    assert answer.status_code == client.head(ballot(assembly, ada) + query).status_code == 200
    assert answer.headers.items() >= PRIVATE.items()
    page = Parsed(answer.text)
    assert [each["value"] for each in page.named("input")] == ["left", "right", "both", "neither"]
    assert chosen(answer.text) == expected
    assert len(page.named("button")) == 1
    assert page.named("script") == []
    assert "What Inkwell promises" in page.text
    assert "%" not in page.text  # no verdict, neither the panel's nor the readers'
    assert everything(assembly) == before


def test_one_press_of_the_button_counts_and_shows_what_was_said_and_how_it_stands(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    answer = client.post(ballot(assembly, ada) + "?choice=left", data={"choice": "right"})
    assert answer.status_code == 200
    assert answer.headers.items() >= PRIVATE.items()
    assert "set-cookie" not in answer.headers
    text = re.sub(r"\s+", " ", Parsed(answer.text).text)
    assert "You said: Gantry. You can change it until the next issue goes out." in text
    assert "Inkwell 0% of readers would ship 100% of the panel would ship" in text
    assert "Gantry 100% of readers would ship 50% of the panel would ship" in text
    assert "1 vote so far: 0 for Inkwell, 1 for Gantry, 0 for both, 0 for neither." in text
    assert f'href="/comparisons/{SLUG}"' in answer.text
    assert votes(assembly) == [(ada, "right")]


def test_a_vote_can_be_changed_and_the_page_knows_what_was_said(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    client.post(ballot(assembly, ada), data={"choice": "left"})
    again = client.get(ballot(assembly, ada))
    assert "So far you have said" in again.text
    assert "Another choice counts when you press the button" in again.text
    assert chosen(again.text) == ["left"]
    assert chosen(client.get(ballot(assembly, ada) + "?choice=both").text) == ["both"]
    client.post(ballot(assembly, ada), data={"choice": "both"})
    assert votes(assembly) == [(ada, "both")]


def test_the_same_vote_posted_again_is_answered_alike_and_is_one_vote(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    first, second = (client.post(ballot(assembly, ada), data={"choice": "left"}) for _ in range(2))
    assert first.text == second.text
    assert votes(assembly) == [(ada, "left")]


def test_no_token_but_the_readers_own_for_votes_opens_anything(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    tokens = assembly.tokens
    own = tokens.make(VOTE, ada)
    bad = [
        tokens.make(UNSUBSCRIBE, ada),
        tokens.make_passing(PREFERENCES, ada, NOW),
        tokens.make_passing(CONFIRM, ada, NOW),
        Tokens(["another key"]).make(VOTE, ada),
        own[:-1],
        own[::-1],
        tokens.make(VOTE, ada + 1).partition(".")[0] + "." + own.partition(".")[2],
        "x",
        "%00",
    ]
    for token in bad:
        for answer in (
            client.get(f"/vote/{token}/{SLUG}"),
            client.post(f"/vote/{token}/{SLUG}", data={"choice": "left"}),
            client.get(f"/canary/{token}"),
        ):
            assert answer.status_code == 404
            assert "This link is incomplete" in answer.text
    for other in ("unsubscribe", "preferences", "confirm"):
        assert client.get(f"/{other}/{own}").status_code == 404
    assert votes(assembly) == []


def test_of_what_was_not_sent_nothing_can_be_learned(client: TestClient, assembly: Assembly, ada: int) -> None:
    keep(assembly, a_comparison("Quill", "Crane"))
    later = a_reader(assembly, email="later@example.com")
    paths = [
        ballot(assembly, ada, "no-such"),
        ballot(assembly, ada, "quill-vs-crane"),  # not sent yet
        ballot(assembly, later),  # sent, but not to them
        ballot(assembly, ada, "%00"),
    ]
    answers = [each for path in paths for each in (client.get(path), client.post(path, data={"choice": "left"}))]
    assert {each.status_code for each in answers} == {404}
    assert len({without_foot(each) for each in answers}) == 1
    assert votes(assembly) == []


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        ({"data": {"choice": "winner"}}, 422),
        ({"data": {"choice": "LEFT"}}, 422),
        ({"data": {}}, 422),
        ({"content": b"\xff{", "headers": {"Content-Type": "application/json"}}, 422),
        (
            {"content": b"choice=" + b"x" * 70_000, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            413,
        ),
    ],
)
def test_a_form_without_a_choice_changes_nothing_and_says_so(
    client: TestClient, assembly: Assembly, ada: int, request_of: dict[str, Any], status: int
) -> None:
    client.post(ballot(assembly, ada), data={"choice": "left"})
    answer = client.post(ballot(assembly, ada) + "?choice=right", **request_of)
    assert answer.status_code == status
    assert "Nothing has changed" in answer.text
    assert answer.headers.items() >= PRIVATE.items()
    assert votes(assembly) == [(ada, "left")]
    if status == 422:
        assert chosen(answer.text) == ["left"]


def test_who_is_forgotten_suppressed_or_was_never_there_gets_the_same_page(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    gone = a_reader(assembly, email="gone@example.com")
    shut = a_reader(assembly, SUPPRESSED, "shut@example.com")
    with writing(assembly.engine) as session:
        farewell.forget(session, session.get_one(Subscriber, gone), NOW)
        session.commit()
    answers = [
        each
        for reader in (gone, shut, 12345, 0)
        for each in (
            client.get(ballot(assembly, reader)),
            client.post(ballot(assembly, reader), data={"choice": "left"}),
            client.post(ballot(assembly, reader), data={"choice": "winner"}),
        )
    ]
    assert {each.status_code for each in answers} == {200}
    assert len({without_foot(each) for each in answers}) == 1
    assert votes(assembly) == []


def test_no_page_says_who_has_voted(client: TestClient, assembly: Assembly) -> None:
    readers = [a_reader(assembly, email=f"{name}@example.com") for name in ("ana", "bo")]
    send(assembly, a_comparison())
    ana, bo = (ballot(assembly, reader) for reader in readers)
    before = client.get(bo)
    client.post(ana, data={"choice": "left"})
    # What others have said shows only to who has voted, and only as numbers.
    assert client.get(bo).text == before.text
    voted = client.post(bo, data={"choice": "right"})
    assert "2 votes so far: 1 for" in re.sub(r"\s*<[^>]*>\s*", " ", voted.text)
    for page in (before, voted):
        assert "example.com" not in page.text.replace("/style.css", "")
        assert assembly.tokens.make(VOTE, readers[0]) not in page.text


def test_a_vote_that_is_over_shows_how_it_ended_and_takes_no_more(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    client.post(ballot(assembly, ada), data={"choice": "left"})
    send(assembly, a_comparison("Quill", "Crane", published_at="2026-11-23T01:00:00Z"), week=Week(2026, 48))
    shown = client.get(ballot(assembly, ada) + "?choice=right")
    assert shown.status_code == 200
    text = re.sub(r"\s+", " ", Parsed(shown.text).text)
    assert "This vote is over" in text
    assert "You said: Inkwell." in text
    assert "Inkwell 100% of readers would ship" in text
    assert Parsed(shown.text).named("form") == []
    for form in ({"choice": "right"}, {"choice": "winner"}):
        late = client.post(ballot(assembly, ada), data=form)
        assert (late.status_code, without_foot(late)) == (410, without_foot(shown))
    assert votes(assembly) == [(ada, "left")]


def test_a_vote_that_is_over_and_in_which_nobody_voted_is_not_waited_for(
    client: TestClient, assembly: Assembly, ada: int
) -> None:
    send(assembly, a_comparison("Quill", "Crane", published_at="2026-11-23T01:00:00Z"), week=Week(2026, 48))
    page = client.get(ballot(assembly, ada)).text
    assert page.count("nobody voted") == 2
    assert "no votes yet" not in page


def test_too_many_votes_within_an_hour_are_told_when_to_come_again(
    client: TestClient, assembly: Assembly, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voting, "MOST_CHANGES", 2)
    answers = [client.post(ballot(assembly, ada), data={"choice": choice}) for choice in ("left", "right", "both")]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "3600"
    assert "Nothing has changed" in answers[2].text
    assert votes(assembly) == [(ada, "right")]


@pytest.mark.parametrize("clicks", [UNTRACKED, TOTALS, BY_READER])
def test_looking_is_noted_as_an_event_only_where_clicks_are_counted(assembly: Assembly, ada: int, clicks: str) -> None:
    letter = count_clicks(assembly, clicks)
    app = create_app(assembly, clock=lambda: NOW)
    client = TestClient(app, headers={"User-Agent": "Scanner/1"})
    path = ballot(assembly, ada)
    client.head(f"{path}?choice=left")
    for _ in range(3):  # over and over is once
        client.get(f"{path}?choice=right")
    client.get(f"{path}?choice=%3Cscript%3E")
    client.post(f"{path}?choice=both", data={"choice": "both"})  # a vote is no click
    client.get(ballot(assembly, ada, "no-such"))
    assert client.get(f"/canary/{path.split('/')[2]}").status_code == 200
    app.state.site.intake.stop()

    with reading(assembly.engine) as session:
        events = session.exec(select(StoredEvent)).all()
        found = {(each.link, each.detail, each.letter_id, each.subscriber_id, each.agent) for each in events}
    whose = (letter, ada, "Scanner/1") if clicks == BY_READER else (letter, None, None)
    expected = {
        (f"votes/{SLUG}/left", "HEAD", *whose),
        (f"votes/{SLUG}/right", "GET", *whose),
        (f"votes/{SLUG}", "GET", *whose),
        ("canary", "GET", *whose),
    }
    assert found == (set() if clicks == UNTRACKED else expected)
    assert {(each.kind, each.source) for each in events} <= {(CLICKED, DOOR)}
    assert votes(assembly) == [(ada, "both")]


@pytest.mark.parametrize("clicks", [TOTALS, BY_READER])
def test_who_opens_links_without_end_is_noted_so_often_a_day_and_takes_nothing_from_others(
    assembly: Assembly, clicks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MOST", 5)
    ada, bo = (a_reader(assembly, email=f"{name}@example.com") for name in ("ada", "bo"))
    send(assembly, a_comparison())
    count_clicks(assembly, clicks)
    seconds = count()
    app = create_app(assembly, clock=lambda: NOW + timedelta(seconds=next(seconds)))
    client = TestClient(app)
    for choice in ("left", "right", "both", "neither", "x"):
        for method in ("GET", "HEAD"):
            assert client.request(method, f"{ballot(assembly, ada)}?choice={choice}").status_code == 200
            assert client.request(method, f"/canary/{assembly.tokens.make(VOTE, ada)}").status_code == 200
    client.get(ballot(assembly, bo))
    app.state.site.intake.stop()
    with reading(assembly.engine) as session:
        assert len(session.exec(select(StoredEvent)).all()) == 5 + 1


def test_of_who_was_forgotten_nothing_is_noted_any_more(assembly: Assembly, ada: int) -> None:
    count_clicks(assembly, BY_READER)
    with writing(assembly.engine) as session:
        farewell.forget(session, session.get_one(Subscriber, ada), NOW)
        session.commit()
    before = everything(assembly)
    app = create_app(assembly, clock=lambda: NOW)
    client = TestClient(app)
    for path in (ballot(assembly, ada), f"/canary/{assembly.tokens.make(VOTE, ada)}"):
        assert client.get(path).status_code == 200
    app.state.site.intake.stop()
    assert everything(assembly) == before


@pytest.mark.parametrize(("method", "after"), [("GET", "/"), ("GET", "/x"), ("POST", "."), ("PUT", "")])
def test_a_link_that_was_altered_on_its_way_is_told_to_nobody_either(
    client: TestClient, assembly: Assembly, ada: int, method: str, after: str
) -> None:
    answer = client.request(method, ballot(assembly, ada) + after)
    assert answer.status_code in (404, 405)
    assert answer.headers.items() >= PRIVATE.items()

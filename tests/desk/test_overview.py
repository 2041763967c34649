"""What is to be done now, in each state that the week's issue may be in."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from newsletter import health, steering, weekly
from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.delivery.ledger import Delivery
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.versions import Version
from tests.desk.world import At, an_editor
from tests.web.world import NOW, W46, W47, a_comparison, a_reader, approve, draft, keep, send

EARLIER = NOW - timedelta(hours=3)
HOUR = timedelta(hours=1)


def cards(shown: str) -> list[str]:
    """What the cards of the first page say, tags and line ends aside."""
    found = re.findall(r'<section class="card todo.*?</section>', shown, re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", " ", card).split()) for card in found]


def links(shown: str) -> set[str]:
    return set(re.findall(r'href="(/desk[^"?]*)"', shown))


def put(assembly: Assembly, **values: object) -> None:
    """Change the row of the issue of week 47."""
    with writing(assembly.engine) as session:
        session.connection().execute(update(Issue).where(col(Issue.week) == str(W47)).values(**values))
        session.commit()


@pytest.fixture
def drafted(assembly: Assembly) -> Assembly:
    """The issue of W47 is drafted, and it goes out an hour from now."""
    send(assembly, a_comparison("Old", "Thing", published_at="2026-11-10T12:00:00Z"), week=W46)
    keep(assembly, a_comparison())
    draft(assembly)
    put(assembly, send_at=NOW + HOUR)
    return assembly


def test_a_new_installation_is_led_through_its_first_steps(assembly: Assembly, publisher: At) -> None:
    shown = publisher.get("/desk")
    assert "The first steps" in shown
    assert {"/desk/import-comparisons", "/desk/readers", "/desk/health"} <= links(shown)
    assert "Nothing new in 2026-W47" in shown

    send(assembly, a_comparison())
    assert "The first steps" not in publisher.get("/desk")


def test_a_draft_waits_to_be_written(drafted: Assembly, publisher: At, editor: At) -> None:
    first, *_ = cards(publisher.get("/desk"))
    assert first.endswith("Write Preview Approve")
    assert cards(editor.get("/desk"))[0].endswith("Write Preview")
    assert first.startswith("2026-W47 waits to be written")
    assert "A publisher is to approve it before Tue 24 Nov, 09:00" in first
    assert "/desk/issues/2026-W47/write" in links(publisher.get("/desk"))


@pytest.mark.parametrize(
    ("approver", "who"), [("other", "A publisher other than Editor"), ("anyone", "A publisher is")]
)
def test_a_changed_draft_waits_for_somebody_else(drafted: Assembly, publisher: At, approver: str, who: str) -> None:
    writer = an_editor(drafted, "editor")
    with writing(drafted.engine) as session:
        issue = weekly.require(session, W47)
        assert issue.id
        change = Version(issue_id=issue.id, number=1, editor_id=writer, at=EARLIER, what="a new subject", content="{}")
        session.add(change)
        issue.version = 1
        session.add(issue)
        session.commit()
    drafted.settings.approver = approver  # type: ignore[assignment]
    drafted.__dict__.pop("rules", None)

    first, *_ = cards(publisher.get("/desk"))
    assert first.startswith("2026-W47 waits for approval")
    assert "by Editor: a new subject" in first
    assert who in first


def test_a_draft_whose_time_has_passed_is_urgent(drafted: Assembly, publisher: At) -> None:
    put(drafted, send_at=NOW - HOUR)
    shown = publisher.get("/desk")
    assert "has passed" in cards(shown)[0]
    assert "todo urgent" in shown


def test_an_approved_issue_says_when_it_goes_out(drafted: Assembly, publisher: At) -> None:
    approve(drafted)
    first, *_ = cards(publisher.get("/desk"))
    assert first.startswith("2026-W47 is approved")
    assert "It goes out Tue 24 Nov, 09:00." in first


def test_one_that_has_changed_since_is_urgent_and_says_what(drafted: Assembly, publisher: At) -> None:
    approve(drafted)
    before = a_comparison()
    left, right = before.tools
    keep(drafted, before.model_copy(update={"tools": (left.model_copy(update={"tagline": "Else"}), right)}))
    first, *_ = cards(publisher.get("/desk"))
    assert first.startswith("2026-W47 was approved, and has changed")
    assert "the comparison inkwell-vs-gantry was changed" in first


def test_a_held_issue_says_why(drafted: Assembly, publisher: At) -> None:
    approve(drafted)
    with writing(drafted.engine) as session:
        steering.hold(session, W47, "it is 7h late")
        session.commit()
    first, *_ = cards(publisher.get("/desk"))
    assert first.startswith("2026-W47 is held")
    assert "Why: it is 7h late" in first


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (issues.SENDING, "2026-W47 is going out"),
        (issues.PAUSED, "2026-W47 rests"),
        (issues.HELD, "2026-W47 is held"),
        (issues.CANCELLED, "2026-W47 was called off"),
    ],
)
def test_an_issue_on_its_way_says_how_far_it_is_and_what_is_in_doubt(
    assembly: Assembly, publisher: At, state: str, said: str
) -> None:
    readers = [a_reader(assembly, email=f"reader{number}@example.com") for number in range(3)]
    send(assembly, a_comparison())
    with writing(assembly.engine) as session:
        rows = update(Delivery).values(message_id=None, settled_at=None)
        session.connection().execute(rows.where(col(Delivery.subscriber_id) == readers[0]).values(state="in_doubt"))
        session.connection().execute(
            rows.where(col(Delivery.subscriber_id) == readers[1]).values(state="queued", batch=None)
        )
        session.commit()
    put(assembly, state=state, sent_at=None, held_because="the provider refuses us" if state == issues.HELD else None)

    first = next(card for card in cards(publisher.get("/desk")) if "2026-W47" in card)
    assert first.startswith(said)
    assert "/desk/issues/2026-W47/send" in links(publisher.get("/desk"))
    if state != issues.CANCELLED:
        assert "1 of 3 readers are done, 1 wait or are under way." in first
    if state != issues.SENDING:
        assert "Of 1 it is not known whether they have it." in first


def test_a_sent_issue_leads_to_its_numbers_for_a_week(assembly: Assembly, publisher: At) -> None:
    send(assembly, a_comparison())
    assert "2026-W47 was sent sent To 1 reader, Tue 24 Nov, 08:00." in cards(publisher.get("/desk"))[0]
    assert "/desk/numbers/2026-W47" in links(publisher.get("/desk"))
    put(assembly, sent_at=NOW - timedelta(days=9))
    assert not [card for card in cards(publisher.get("/desk")) if "was sent" in card]


def test_what_is_new_what_was_done_and_how_the_list_grew_stand_below(drafted: Assembly, publisher: At) -> None:
    keep(drafted, a_comparison("Fresh", "Bread", published_at="2026-11-23T12:00:00Z"))
    publisher.does("/desk/import-comparisons", {"text": a_comparison("New", "One").model_dump_json(), "do": "store"})
    shown = publisher.get("/desk")
    assert "2 wait for the next issue" in shown
    assert "Fresh vs Bread" in shown
    assert re.search(r"Publisher</bdi> brought comparisons in", shown)
    assert "They are being counted." in shown


def test_cards_that_ask_for_somebody_come_first(drafted: Assembly, publisher: At) -> None:
    health.examine(drafted.engine, NOW)
    put(drafted, send_at=NOW - HOUR)
    assert [card.split(" w")[0] for card in cards(publisher.get("/desk"))] == ["2026-W47", "2026-W46"]

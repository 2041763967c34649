"""What readers were told of a tool before and since, and how they voted: from issues that they have, and no others."""

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.comparisons import votes
from newsletter.db import reading, writing
from newsletter.issues import history
from newsletter.issues import issue as issues
from newsletter.issues.retrospect import Share, read, week_in_words, written
from newsletter.issues.week import Week
from newsletter.language import ENGLISH, ISSUE, speech
from tests.issues.test_what_readers_have import make
from tests.newsroom import IN_W46, IN_W47, W46, W47, W48, publish, subscribe

W45 = W46.before()
NONE = (None, None)


def told(session: Session, week: Week, *numbers: int) -> tuple[object, object]:
    return history.earlier(session, str(week), numbers), history.later(session, str(week), numbers)


def test_a_tool_is_told_of_by_the_nearest_issue_before_and_the_newest_one_since(engine: Engine) -> None:
    numbers = {week: publish(engine, "Ruff", f"Tool of {week}", panel_ship=share) for week, share in SHARES.items()}
    with writing(engine) as session:
        for week, number in numbers.items():
            issues.assign(session, make(session, week, issues.SENT, begun=True), [number])
        session.commit()
    with reading(engine) as session:
        assert told(session, W45, numbers[W45]) == ([NONE], [(Share("2026-W48", 100), None)])
        assert told(session, W47, numbers[W47]) == ([(Share("2026-W46", 50), None)], [(Share("2026-W48", 100), None)])
        both = told(session, W48, numbers[W47], numbers[W48])
        assert both == ([(Share("2026-W47", 75),) * 2, (Share("2026-W47", 75), None)], [NONE, NONE])


SHARES = {W45: 25, W46: 50, W47: 75, W48: 100}


def test_all_verdicts_on_a_tool_are_told_the_oldest_first_and_none_of_a_draft(engine: Engine) -> None:
    numbers = {week: publish(engine, "Ruff", f"Tool of {week}", panel_ship=share) for week, share in SHARES.items()}
    with writing(engine) as session:
        for week, number in numbers.items():
            begun = week != W48
            state = issues.SENT if begun else issues.DRAFT
            issues.assign(session, make(session, week, state, begun=begun), [number])
        session.commit()
    with reading(engine) as session:
        found = history.verdicts(session, ["ruff", "tool-of-2026-w48", "nothing"])
        slugs = history.tools_of(session, [numbers[W47], numbers[W48]])
    told = [(one.week, one.comparison_id, one.side, one.opponent, one.panel) for one in found.pop("ruff")]
    weeks = (W45, W46, W47)
    assert told == [(str(week), numbers[week], 0, f"Tool of {week}", SHARES[week]) for week in weeks]
    assert found == {"tool-of-2026-w48": [], "nothing": []}
    assert slugs == {(numbers[W47], 0): "ruff", (numbers[W47], 1): "tool-of-2026-w47", (numbers[W48], 0): "ruff"}


def test_of_two_comparisons_in_one_issue_the_first_one_tells(engine: Engine) -> None:
    second, first, new = (
        publish(engine, "Ruff", f"Other {place}", panel_ship=share) for place, share in enumerate((25, 50, 75))
    )
    with writing(engine) as session:
        issues.assign(session, make(session, W46, issues.SENT, begun=True), [first, second])
        assert history.earlier(session, "2026-W47", [new]) == [(Share("2026-W46", 50), None)]


@pytest.mark.parametrize(
    ("state", "begun"), [(issues.APPROVED, False), (issues.DRAFT, False), (issues.CANCELLED, True)]
)
def test_what_readers_do_not_have_tells_nothing(sqlite_engine: Engine, state: str, begun: bool) -> None:
    old, new = publish(sqlite_engine, "Ruff", "A", at=IN_W46), publish(sqlite_engine, "Ruff", "B", at=IN_W47)
    with writing(sqlite_engine) as session:
        issues.assign(session, make(session, W46, state, begun=begun), [old])
        assert history.earlier(session, "2026-W47", [new]) == [NONE]


def test_the_vote_of_the_last_issue_that_began_is_told_the_most_voted_first_and_of_six_at_most(engine: Engine) -> None:
    numbers = [publish(engine, f"Left {place}", f"Right {place}", panel_ship=50) for place in range(8)]
    readers = iter(subscribe(engine, (f"{number}@example.com" for number in range(60))))
    with writing(engine) as session:
        issues.assign(session, make(session, W45, issues.SENT, begun=True), numbers[:1])
        issues.assign(session, make(session, W46, issues.SENDING, begun=True), numbers[1:])
        make(session, W47, issues.DRAFT, begun=False)
        assert history.vote_before(session, W47) is None
        for number, some in zip(numbers, (9, 1, 0, 2, 3, 4, 5, 6), strict=True):
            for choice, _ in zip(CHOICES, range(some), strict=False):
                votes.cast(session, number, next(readers), choice, IN_W47)
        session.commit()
    with reading(engine) as session:
        told = history.vote_before(session, W48)
        assert history.vote_before(session, W45) is None
    assert told is not None
    assert told.week == "2026-W46"
    assert [(one.slug, one.votes) for one in told.results] == [
        (f"left-{place}-vs-right-{place}", some)
        for place, some in zip((7, 6, 5, 4, 3, 1), (6, 5, 4, 3, 2, 1), strict=True)
    ]
    first = told.results[0]
    assert (first.tools, first.panel, first.readers) == (("Left 7", "Right 7"), (50, 75), (67, 33))
    assert read(written(told)) == told


CHOICES = ("left", "left", "both", "neither", "left", "right", "left", "left", "left")


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "",
        "{",
        "null",
        "[]",
        '{"week": "2026-W46"}',
        '{"week": "x", "results": []}',
        '{"week": "2026-W46", "results": [{"slug": "a"}]}',
    ],
)
def test_a_vote_that_cannot_be_read_is_not_told(kept: str | None) -> None:
    assert read(kept) is None
    assert written(None) is None


def test_a_vote_of_no_voters_is_not_told() -> None:
    assert read('{"week": "2026-W46", "results": []}') is None


def test_a_week_of_another_year_names_it() -> None:
    assert [week_in_words(speech(ENGLISH, ISSUE), week, "2026-W02") for week in ("2026-W01", "2025-W52")] == [
        "week 1",
        "week 52 of 2025",
    ]

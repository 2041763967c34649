"""Which issues readers have, which one came before, and in which order all of it is told."""

from collections.abc import Mapping

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import writing
from newsletter.delivery import ledger
from newsletter.issues import issue as issues
from newsletter.issues.issue import MOVES, Issue
from newsletter.issues.week import Week
from newsletter.message import Letter
from tests.newsroom import IN_W46, IN_W47, TUESDAY, W46, W47, W48, publish

HELD_BY_READERS = (issues.SENDING, issues.PAUSED, issues.HELD, issues.SENT)


def make(session: Session, week: Week, state: str, *, begun: bool) -> int:
    """An issue in a state, its list drawn up or not; return its id."""
    letter = ledger.store(session, Letter("s", "p", "h", "t"), str(week), TUESDAY) if begun else None
    made = Issue(week=str(week), state=state, subject="s", preheader="p", send_at=TUESDAY, created_at=IN_W47)
    made.letter_id = letter.id if letter else None
    session.add(made)
    session.flush()
    return made.id or 0


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not-begun"])
@pytest.mark.parametrize("state", MOVES)
def test_readers_have_an_issue_that_has_begun_and_was_not_called_off(
    sqlite_engine: Engine, state: str, begun: bool
) -> None:
    number = publish(sqlite_engine, category="Alchemy")
    with writing(sqlite_engine) as session:
        issues.assign(session, make(session, W47, state, begun=begun), [number])
        shown = begun and state in HELD_BY_READERS
        assert [one.week for one in issues.sent(session)] == (["2026-W47"] if shown else [])
        assert issues.sent_categories(session) == (["Alchemy", "Developer Tools"] if shown else [])
        found = issues.find_sent(session, W47)
        assert (found is not None) == begun  # the links of one that was called off in its midst still work
        assert issues.find_sent(session, W46) is None


def test_one_issue_is_found_by_its_own_week_alone(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        for week in (W46, W47, W48):
            make(session, week, issues.SENT, begun=True)
        found = issues.find_sent(session, W47)
        assert found is not None
        assert found.week == "2026-W47"


def test_the_categories_that_readers_have_are_each_told_once_and_sorted(sqlite_engine: Engine) -> None:
    told = {W46: ("Voice", "Alchemy"), W47: ("Voice", "Boats"), W48: ("Zoology",)}
    numbers: Mapping[Week, list[int]] = {
        week: [publish(sqlite_engine, f"{week} {name}", category=name) for name in names]
        for week, names in told.items()
    }
    with writing(sqlite_engine) as session:
        for week, of_week in numbers.items():
            state = issues.DRAFT if week == W48 else issues.SENT
            issues.assign(session, make(session, week, state, begun=week != W48), of_week)
        assert issues.sent_categories(session) == ["Alchemy", "Boats", "Developer Tools", "Voice"]


def test_the_issue_before_is_the_nearest_one_of_several(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        for week in (Week(2025, 52), W46, Week(2026, 9), W48):
            make(session, week, issues.SENT, begun=True)
        before = issues.before(session, W47)
        assert before is not None
        assert before.week == "2026-W46"


def test_what_is_available_comes_with_the_time_when_it_was_published(sqlite_engine: Engine) -> None:
    first, second = publish(sqlite_engine, "A", at=IN_W46), publish(sqlite_engine, "B", at=IN_W47)
    with writing(sqlite_engine) as session:
        found = issues.available(session, TUESDAY, None)
    assert sorted(found) == [(first, IN_W46), (second, IN_W47)]


def test_an_order_outlives_whatever_order_the_rows_lie_in(sqlite_engine: Engine) -> None:
    numbers = [publish(sqlite_engine, name) for name in ("A", "B", "C")]
    with writing(sqlite_engine) as session:
        issue_id = make(session, W47, issues.DRAFT, begun=False)
        for place, number in ((2, numbers[0]), (0, numbers[2]), (1, numbers[1])):
            session.add(issues.IssueComparison(comparison_id=number, issue_id=issue_id, place=place))
        session.flush()
        assert issues.comparison_ids(session, issue_id) == numbers[::-1]


def test_what_readers_have_is_told_from_the_newest_on_whatever_came_first(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        for week in (W47, W46, W48):
            make(session, week, issues.SENT, begun=True)
        assert [one.week for one in issues.sent(session)] == ["2026-W48", "2026-W47", "2026-W46"]


def test_a_letter_leads_back_to_its_own_issue(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        for week in (W46, W47):
            make(session, week, issues.SENT, begun=True)
        found = [issues.of_letter(session, number) for number in (1, 2, 3)]
        assert [one and one.week for one in found] == ["2026-W46", "2026-W47", None]

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from newsletter.db import is_sqlite, reading, writing
from newsletter.issues import issue as issues
from newsletter.issues.issue import MOVES, IllegalMove, Issue
from newsletter.issues.week import Week
from tests.newsroom import IN_W46, IN_W47, TUESDAY, W46, W47, W48, draft, publish


def make(session: Session, week: Week, state: str = issues.DRAFT) -> int:
    issue = Issue(week=str(week), state=state, subject="s", preheader="p", send_at=TUESDAY, created_at=IN_W47)
    session.add(issue)
    session.flush()
    return issue.id or 0


@pytest.mark.parametrize(("source", "target"), list(product(MOVES, MOVES)))
def test_an_issue_moves_only_where_the_table_says(source: str, target: str) -> None:
    issue = Issue(week="2026-W47", state=source, subject="s", preheader="p", send_at=TUESDAY, created_at=IN_W47)
    if target in MOVES[source]:
        issues.move(issue, target)
        assert issue.state == target
    else:
        with pytest.raises(IllegalMove, match=rf"^issue 2026-W47 is {source}; it cannot become {target}$"):
            issues.move(issue, target)
        assert issue.state == source


def test_nothing_follows_sent_and_only_sending_leads_there() -> None:
    assert MOVES[issues.SENT] == {}
    assert [state for state, targets in MOVES.items() if issues.SENT in targets] == [issues.SENDING]
    assert issues.SENDING not in MOVES[issues.DRAFT]


def test_a_comparison_is_in_one_issue_by_a_unique_row(engine: Engine) -> None:
    number = publish(engine)
    with writing(engine) as session:
        issues.assign(session, make(session, W46), [number])
        second = make(session, W47)
        with pytest.raises(IntegrityError):
            issues.assign(session, second, [number])


def test_a_week_has_one_issue(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        make(session, W47)
        with pytest.raises(IntegrityError):
            make(session, W47)


def test_comparisons_are_given_to_an_issue_in_an_order_and_taken_back(engine: Engine) -> None:
    numbers = [publish(engine, name) for name in ("A", "B", "C")]
    with writing(engine) as session:
        issue_id = make(session, W47)
        for chosen in (numbers, numbers[::-1], numbers[:1], [], numbers[1:]):
            issues.assign(session, issue_id, chosen)
            assert issues.comparison_ids(session, issue_id) == chosen
        assert issues.week_of_each_comparison(session) == dict.fromkeys(numbers[1:], "2026-W47")


def test_available_is_what_no_other_issue_has_and_was_published_before_the_end(engine: Engine) -> None:
    end = W47.end(TUESDAY.tzinfo)  # type: ignore[arg-type]
    theirs, ours, free = (publish(engine, name, at=IN_W46) for name in ("A", "B", "C"))
    last = publish(engine, "D", at=end - timedelta(microseconds=1))
    publish(engine, "E", at=end)
    with writing(engine) as session:
        issues.assign(session, make(session, W46), [theirs])
        issue_id = make(session, W47)
        issues.assign(session, issue_id, [ours])
        assert {number for number, _ in issues.available(session, end, issue_id)} == {ours, free, last}
        assert {number for number, _ in issues.available(session, end, None)} == {free, last}


def test_issues_are_listed_and_found_by_week(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        for week, state in ((W47, issues.SENDING), (Week(2026, 5), issues.SENT), (W48, issues.DRAFT)):
            make(session, week, state)
        assert [one.week for one in issues.every(session)] == ["2026-W48", "2026-W47", "2026-W05"]
        assert [one.week for one in issues.sent(session)] == ["2026-W47", "2026-W05"]
        assert [one.week for one in issues.in_state(session, issues.DRAFT, issues.SENT)] == ["2026-W05", "2026-W48"]
        before = issues.before(session, W47)
        assert before is not None
        assert before.week == "2026-W05"
        assert issues.before(session, Week(2026, 5)) is None
        assert issues.find(session, W46) is None


def test_looking_at_an_issue_waits_for_nobody_who_changes_it(engine: Engine) -> None:
    publish(engine)
    draft(engine)
    with writing(engine) as writer:
        assert issues.find(writer, W47) is not None
        with reading(engine) as session:
            if not is_sqlite(engine):
                session.connection().execute(text("SET LOCAL lock_timeout = '1s'"))
            found = issues.find(session, W47)
            assert found is not None
            assert found.state == issues.DRAFT

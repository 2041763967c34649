from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from newsletter.db import is_sqlite, reading, writing
from newsletter.delivery import ledger
from newsletter.issues import issue as issues
from newsletter.issues.issue import MOVES, IllegalMove, Issue
from newsletter.issues.week import Week
from tests.delivery.readers import LETTER
from tests.newsroom import IN_W46, IN_W47, TUESDAY, W46, W47, W48, draft, publish


def make(session: Session, week: Week, state: str = issues.DRAFT, letter_id: int | None = None) -> int:
    issue = Issue(week=str(week), state=state, subject="s", preheader="p", send_at=TUESDAY, created_at=IN_W47)
    issue.letter_id = letter_id
    session.add(issue)
    session.flush()
    return issue.id or 0


def a_letter(session: Session) -> int:
    """A letter that has begun to go out; its id."""
    return ledger.store(session, LETTER, "2026-W47", TUESDAY).id or 0


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


def test_every_move_has_a_reason_of_its_own_words() -> None:
    for source, targets in MOVES.items():
        assert source not in targets
        for target, reason in targets.items():
            assert target in MOVES
            assert len(reason.split()) >= 3, (source, target)


def test_every_state_can_be_reached_from_a_draft() -> None:
    reached, waiting = set[str](), [issues.DRAFT]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting += MOVES[state]
    assert reached == set(MOVES)


def test_the_list_is_drawn_up_of_nothing_but_what_was_approved() -> None:
    assert {state for state, targets in MOVES.items() if issues.SENDING in targets} == {
        *(issues.APPROVED, issues.SCHEDULED, issues.HELD),
        *(issues.PAUSED, issues.SENT),  # these go on with the list that they have
    }
    assert {state for state, targets in MOVES.items() if issues.APPROVED in targets} == {issues.DRAFT, issues.HELD}


def test_what_is_sent_goes_out_again_only_as_it_is_and_is_never_called_off() -> None:
    assert set(MOVES[issues.SENT]) == {issues.SENDING}
    assert {state for state, targets in MOVES.items() if issues.SENT in targets} == {
        *(issues.SENDING, issues.PAUSED, issues.HELD),
    }
    assert {state for state, targets in MOVES.items() if issues.CANCELLED not in targets} == {
        *(issues.SENT, issues.CANCELLED),
    }


@pytest.mark.parametrize("state", MOVES)
def test_the_database_takes_every_state(engine: Engine, state: str) -> None:
    with writing(engine) as session:
        make(session, W47, state)
        session.commit()
    with reading(engine) as session:
        assert [one.state for one in issues.every(session)] == [state]


@pytest.mark.parametrize("state", ["", "Draft", "stopped"])
def test_the_database_takes_no_other_state(engine: Engine, state: str) -> None:
    with writing(engine) as session, pytest.raises(IntegrityError):
        make(session, W47, state)


@pytest.mark.parametrize("state", MOVES)
def test_the_archive_shows_what_has_begun_to_go_out_and_was_not_called_off(sqlite_engine: Engine, state: str) -> None:
    with writing(sqlite_engine) as session:
        letter_id = a_letter(session)
        begun = make(session, W47, state, letter_id)
        make(session, W46, state)
        shown = state in (issues.SENDING, issues.PAUSED, issues.HELD, issues.SENT)
        assert [one.id for one in issues.sent(session)] == ([begun] if shown else [])
        assert issues.find_sent(session, W46) is None
        found = issues.find_sent(session, W47)  # also one that was called off in its midst: some readers have it
        assert found is not None
        assert found.id == begun


@pytest.mark.parametrize("state", MOVES)
def test_the_categories_that_readers_may_mute_are_those_of_the_archive(sqlite_engine: Engine, state: str) -> None:
    number = publish(sqlite_engine)
    with writing(sqlite_engine) as session:
        issues.assign(session, make(session, W47, state, a_letter(session)), [number])
        assert bool(issues.sent_categories(session)) == bool(issues.sent(session))


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
        for week, state in ((W47, issues.SENDING), (Week(2026, 5), issues.SENT)):
            make(session, week, state, a_letter(session))
        make(session, W48)
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

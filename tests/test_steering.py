from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import steering, weekly
from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.ledger import Accounting, StoredLetter
from newsletter.delivery.provider import Accepted, Outcome, Refused, Unknown
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.weekly import CannotDo
from tests.delivery.readers import claim, record, try_claim
from tests.newsroom import (
    MONDAY,
    RULES,
    TUESDAY,
    W47,
    W48,
    approve,
    draft,
    issue_of,
    publish,
    subscribe,
    titles,
)

READERS = [f"reader{number}@example.com" for number in range(6)]
LATER = TUESDAY + timedelta(hours=2)
REASON = "an editor is to look at it"

BEFORE = (issues.DRAFT, issues.APPROVED, issues.SCHEDULED, issues.HELD, issues.CANCELLED)
BEGUN = (issues.SENDING, issues.PAUSED, issues.HELD, issues.SENT, issues.CANCELLED)

MIDST: list[Outcome] = [Accepted("id-1"), Refused("busy", passing=True), Refused("inactive"), Unknown("no answer")]
"""Of six readers; two are queued."""
MIDST_BOOKS = Accounting(audience=6, queued=2, accepted=1, refused=2, in_doubt=1)
DONE: list[Outcome] = [*map(Accepted, ("1", "2", "3", "4")), Refused("busy", passing=True), Refused("inactive")]
DONE_BOOKS = Accounting(audience=6, accepted=4, refused=2)


class Situation(NamedTuple):
    """Where an issue stands."""

    state: str
    begun: bool

    def __str__(self) -> str:
        return f"{self.state}, {'begun' if self.begun else 'not begun'}"


SITUATIONS = [Situation(state, False) for state in BEFORE] + [Situation(state, True) for state in BEGUN]

STEPS: dict[str, Callable[[Session], Any]] = {
    "pause": lambda session: steering.pause(session, W47),
    "resume": lambda session: steering.resume(session, W47),
    "cancel": lambda session: steering.cancel(session, W47),
    "hold": lambda session: steering.hold(session, W47, REASON),
    "retry": lambda session: steering.retry(session, W47),
    "resend": lambda session: steering.resend_doubtful(session, W47),
    "give up": lambda session: steering.give_up_doubtful(session, W47, LATER),
    "close": lambda session: steering.close(session, W47, LATER),
}

NOT_BEGUN = [Situation(state, False) for state in BEFORE]
CALLED_OFF = Situation(issues.CANCELLED, True)
DRAFT, APPROVED, SCHEDULED, HELD_BEFORE, CALLED_OFF_BEFORE = NOT_BEGUN
SENDING, PAUSED, HELD, SENT, _ = (Situation(state, True) for state in BEGUN)

REFUSED = {
    "pause": [*NOT_BEGUN, HELD, SENT, CALLED_OFF],
    "resume": [*NOT_BEGUN, CALLED_OFF],
    "cancel": [SENT],
    "hold": [],
    "retry": [*NOT_BEGUN, CALLED_OFF],
    "resend": [*NOT_BEGUN, CALLED_OFF],
    "give up": NOT_BEGUN,
    "close": [],
}
"""In which situations each step cannot be taken."""

MOVED = {
    ("pause", SENDING): issues.PAUSED,
    ("resume", PAUSED): issues.SENDING,
    ("resume", HELD): issues.SENDING,
    **{("cancel", each): issues.CANCELLED for each in SITUATIONS if each != SENT},
    **{("hold", each): issues.HELD for each in (APPROVED, SCHEDULED, SENDING)},
    ("retry", SENT): issues.SENDING,
    ("resend", HELD): issues.SENDING,
}
"""Which state each step leads to; in all other situations the issue stays where it is."""


def brought_to(engine: Engine, where: Situation, outcomes: list[Outcome] | None = None) -> None:
    """One comparison's issue in a situation; what has begun has six readers, of whom these had an outcome."""
    publish(engine)
    subscribe(engine, READERS)
    draft(engine)
    if where != DRAFT:
        approve(engine)
    letter_id = _begin(engine) if where.begun else None
    if letter_id:
        wanted = outcomes if outcomes is not None else DONE if where == SENT else MIDST
        if wanted:
            record(engine, letter_id, claim(engine, letter_id, len(wanted)), wanted)
    if where == CALLED_OFF_BEFORE:
        taken(engine, "cancel")
        return
    with writing(engine) as session:
        issue = weekly.require(session, W47)
        issue.state = where.state
        issue.held_because = "it was held" if where.state == issues.HELD else None
        issue.sent_at = TUESDAY if where == SENT else None
        if letter_id:
            ledger.set_open(session, letter_id, is_open=where.state == issues.SENDING)
        session.commit()


def _begin(engine: Engine) -> int:
    with writing(engine) as session:
        issue = weekly.require(session, W47)
        stored = ledger.store(session, weekly.compose(session, RULES, issue), issue.week, TUESDAY)
        ledger.draw_up(session, stored)
        issue.letter_id = stored.id
        session.commit()
        return stored.id or 0


def taken(engine: Engine, step: str) -> Any:
    """Take a step, in a transaction of its own."""
    with writing(engine) as session:
        result = STEPS[step](session)
        session.commit()
    return result


def books(engine: Engine) -> Accounting:
    with reading(engine) as session:
        return ledger.accounting(session, weekly.require(session, W47).letter_id)


def everything(engine: Engine) -> tuple[Any, ...]:
    """All that a step could change."""
    with reading(engine) as session:
        issue = weekly.require(session, W47)
        letter = session.get(StoredLetter, issue.letter_id) if issue.letter_id else None
        accounting = ledger.accounting(session, issue.letter_id)
        return issue.model_dump(), letter.model_dump() if letter else None, accounting, titles(engine)


def may_be_claimed(engine: Engine) -> bool:
    letter_id = issue_of(engine).letter_id
    return letter_id is not None and try_claim(engine, letter_id) is not None


@pytest.mark.parametrize("where", SITUATIONS, ids=str)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_in_every_situation(sqlite_engine: Engine, step: str, where: Situation) -> None:
    brought_to(sqlite_engine, where)
    before = everything(sqlite_engine)
    if where in REFUSED[step]:
        with pytest.raises(CannotDo) as refused:
            taken(sqlite_engine, step)
        assert str(refused.value).startswith(f"issue 2026-W47 is {where.state}")
        assert "\n" not in str(refused.value)
        assert everything(sqlite_engine) == before
        return

    with writing(sqlite_engine) as session:  # and no commit
        STEPS[step](session)
        session.flush()
    assert everything(sqlite_engine) == before

    taken(sqlite_engine, step)
    after = everything(sqlite_engine)
    issue = issue_of(sqlite_engine)
    assert issue.state == MOVED.get((step, where), where.state)
    assert (issue.held_because is not None) == (issue.state == issues.HELD)
    if where.begun:  # the letter is open exactly as long as the issue is going out
        with reading(sqlite_engine) as session:
            assert session.get_one(StoredLetter, issue.letter_id).open == (issue.state == issues.SENDING)
    assert books(sqlite_engine).adds_up
    with reading(sqlite_engine) as session:
        assert violations(session) == []

    taken(sqlite_engine, step)
    assert everything(sqlite_engine) == after


@pytest.mark.parametrize("step", ["pause", "cancel", "hold"])
def test_nothing_is_claimed_of_what_was_stopped_and_what_is_under_way_is_recorded(engine: Engine, step: str) -> None:
    brought_to(engine, SENDING, [])
    letter_id = issue_of(engine).letter_id
    assert letter_id is not None
    batch = claim(engine, letter_id, 2)
    taken(engine, step)
    assert not may_be_claimed(engine)
    record(engine, letter_id, batch, [Accepted("a"), Accepted("b")])
    assert books(engine) == Accounting(audience=6, queued=4, accepted=2)
    if step != "cancel":
        taken(engine, "resume")
        assert may_be_claimed(engine)


def test_what_was_called_off_before_it_began_gives_its_comparisons_to_the_next_issue(engine: Engine) -> None:
    brought_to(engine, APPROVED)
    taken(engine, "cancel")
    issue = issue_of(engine)
    assert (issue.digest, issue.approved_at, issue.previewed_digest, issue.approved_of) == (None, None, None, None)
    assert titles(engine) == []
    publish(engine, "Later", at=MONDAY)
    draft(engine, W48)
    assert set(titles(engine, W48)) == {"Haiku vs Codestral", "Later vs Codestral"}


def test_a_week_that_was_called_off_may_be_drafted_anew(sqlite_engine: Engine) -> None:
    brought_to(sqlite_engine, SCHEDULED)
    taken(sqlite_engine, "cancel")
    draft(sqlite_engine)
    assert issue_of(sqlite_engine).state == issues.DRAFT
    assert titles(sqlite_engine) == ["Haiku vs Codestral"]
    approve(sqlite_engine)


@pytest.mark.parametrize("where", [SENDING, PAUSED, HELD], ids=str)
def test_what_was_called_off_in_its_midst_keeps_its_comparisons(engine: Engine, where: Situation) -> None:
    brought_to(engine, where)
    digest = issue_of(engine).digest
    taken(engine, "cancel")
    draft(engine, W48)
    assert titles(engine) == ["Haiku vs Codestral"]
    assert titles(engine, W48) == []
    assert issue_of(engine).digest == digest
    assert books(engine) == MIDST_BOOKS
    with pytest.raises(CannotDo, match="issue 2026-W47 is cancelled; only a draft can be drafted anew"):
        draft(engine)


def test_only_those_who_were_refused_for_a_passing_reason_are_tried_again(engine: Engine) -> None:
    brought_to(engine, SENT)
    assert taken(engine, "retry") == 1
    issue = issue_of(engine)
    assert (issue.state, issue.sent_at) == (issues.SENDING, TUESDAY)
    assert books(engine) == Accounting(audience=6, queued=1, accepted=4, refused=1)
    letter_id = issue.letter_id
    assert letter_id is not None
    batch = claim(engine, letter_id)
    assert [email for _, email in batch.readers] == ["reader4@example.com"]
    record(engine, letter_id, batch, [Accepted("id-5")])
    closed = taken(engine, "close")
    assert (closed.state, closed.sent_at) == (issues.SENT, TUESDAY)  # when readers had it, not when the last one did
    assert taken(engine, "retry") == 0
    assert issue_of(engine).state == issues.SENT
    with reading(engine) as session:
        assert violations(session) == []


@pytest.mark.parametrize("where", [PAUSED, HELD], ids=str)
def test_another_try_does_not_set_going_what_was_stopped(engine: Engine, where: Situation) -> None:
    brought_to(engine, where)
    assert taken(engine, "retry") == 1
    assert books(engine).queued == 3
    assert issue_of(engine).state == where.state
    assert not may_be_claimed(engine)


def test_on_an_editors_word_what_is_in_doubt_is_sent_again_under_the_same_row_key(engine: Engine) -> None:
    brought_to(engine, HELD)
    assert taken(engine, "resend") == 1
    assert books(engine) == Accounting(audience=6, queued=3, accepted=1, refused=2)
    letter_id = issue_of(engine).letter_id
    assert letter_id is not None
    assert "reader3@example.com" in {email for _, email in claim(engine, letter_id).readers}
    assert taken(engine, "resend") == 0


@pytest.mark.parametrize("step", ["resend", "give up"])
def test_a_paused_issue_stays_so_whatever_is_decided_about_its_doubts(sqlite_engine: Engine, step: str) -> None:
    brought_to(sqlite_engine, PAUSED)
    assert taken(sqlite_engine, step) == 1
    assert issue_of(sqlite_engine).state == issues.PAUSED
    assert not may_be_claimed(sqlite_engine)


def test_what_is_given_up_is_refused_for_good_and_closes_an_issue_of_which_nothing_else_is_left(
    engine: Engine,
) -> None:
    brought_to(engine, HELD, [Accepted("id-1"), *[Unknown("no answer")] * 5])
    assert taken(engine, "give up") == 5
    issue = issue_of(engine)
    assert (issue.state, issue.sent_at, issue.held_because) == (issues.SENT, LATER, None)
    assert books(engine) == Accounting(audience=6, accepted=1, refused=5)
    assert taken(engine, "retry") == 0
    with reading(engine) as session:
        assert violations(session) == []
        assert ledger.refusals(session, issue.letter_id or 0) == {doubts.GIVEN_UP: 5}


@pytest.mark.parametrize("where", [SENDING, PAUSED, HELD], ids=str)
def test_an_issue_of_which_nothing_is_left_is_closed(engine: Engine, where: Situation) -> None:
    brought_to(engine, where, DONE)
    closed = taken(engine, "close")
    assert (closed.state, closed.sent_at, closed.held_because) == (issues.SENT, LATER, None)
    assert not may_be_claimed(engine)
    with reading(engine) as session:
        assert violations(session) == []


def test_what_was_called_off_is_never_called_sent(sqlite_engine: Engine) -> None:
    brought_to(sqlite_engine, CALLED_OFF, DONE)
    closed = taken(sqlite_engine, "close")
    assert (closed.state, closed.sent_at) == (issues.CANCELLED, None)


@pytest.mark.parametrize("where", SITUATIONS, ids=str)
def test_every_remedy_that_is_offered_can_be_taken(sqlite_engine: Engine, where: Situation) -> None:
    brought_to(sqlite_engine, where)
    with reading(sqlite_engine) as session:
        issue = weekly.require(session, W47)
        passing = ledger.refusals(session, issue.letter_id, passing=True) if issue.letter_id else {}
        offered = steering.remedies(issue, books(sqlite_engine), sum(passing.values()))
    steps = {
        "resume": "resume",
        "cancel": "cancel",
        "retry": "retry",
        "--resend": "resend",
        "--give-up": "give up",
    }
    for remedy in offered:
        words = remedy.command.split()
        assert words[:2] == ["newsletter", "issues"]
        assert "2026-W47" in words
        for word, step in steps.items():
            assert word not in words or where not in REFUSED[step], remedy
    waits_for_an_editor = where in (PAUSED, HELD, HELD_BEFORE)
    assert ("newsletter issues cancel 2026-W47" in [each.command for each in offered]) == waits_for_an_editor


def commands(issue: Issue, accounting: Accounting, may_be_retried: int = 0) -> list[str]:
    """The remedies, without what all of them have in common."""
    offered = steering.remedies(issue, accounting, may_be_retried)
    return [each.command.removeprefix("newsletter issues ").replace(" 2026-W47", "") for each in offered]


def test_what_an_editor_can_decide_depends_on_what_is_open(sqlite_engine: Engine) -> None:
    brought_to(sqlite_engine, HELD)
    issue = issue_of(sqlite_engine)
    doubts_ = ["reconcile", "reconcile --resend", "reconcile --give-up"]
    assert commands(issue, Accounting(audience=6, queued=6)) == ["resume", "cancel"]
    assert commands(issue, Accounting(audience=6, accepted=5, in_doubt=1)) == [*doubts_, "cancel"]
    assert commands(issue, MIDST_BOOKS, 1) == ["resume", *doubts_, "retry", "cancel"]
    issue.state = issues.PAUSED
    assert commands(issue, Accounting(audience=6, accepted=6)) == ["resume", "cancel"]
    assert commands(issue, MIDST_BOOKS) == ["resume", *doubts_, "cancel"]
    issue.state = issues.CANCELLED  # no more of it goes out, but what became of it can be known
    assert commands(issue, MIDST_BOOKS, 1) == ["reconcile", "reconcile --give-up"]
    assert commands(issue, DONE_BOOKS, 1) == []
    issue.state = issues.SENT
    assert commands(issue, DONE_BOOKS, 1) == ["retry"]
    assert commands(issue, DONE_BOOKS) == []
    issue.state, issue.letter_id = issues.HELD, None
    assert commands(issue, Accounting()) == ["send", "schedule --at …", "unapprove", "cancel"]

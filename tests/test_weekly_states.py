"""Each thing that may be done to an issue before it goes out, tried in every situation that it can be in."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import approving, outgoing, steering, weekly
from newsletter.db import writing
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.weekly import CannotDo
from tests.newsroom import (
    MONDAY,
    RULES,
    TUESDAY,
    W47,
    W48,
    approve,
    at,
    draft,
    issue_of,
    letters,
    post,
    publish,
    subscribe,
    titles,
)

LATER = TUESDAY + timedelta(days=1)
SITUATIONS = ("draft", "approved", "scheduled", "held", "cancelled")
BEGUN = ("sending", "paused", "held in its midst", "sent", "cancelled in its midst")

STATUS = " (`issues status 2026-W47` shows where it stands)"
UNAPPROVE = " (`issues unapprove 2026-W47`?)"
REDRAFT = " (`issues draft --week 2026-W47` makes it a draft again)"
WAY_ON = {"approved": UNAPPROVE, "scheduled": UNAPPROVE, "held": UNAPPROVE, "cancelled": REDRAFT, "draft": ""}
WAY_ON |= dict.fromkeys(BEGUN, STATUS)


def change(engine: Engine, what: Callable[[Session], object]) -> Issue:
    with writing(engine) as session:
        what(session)
        session.commit()
    return issue_of(engine)


def bring(engine: Engine, box: Path, situation: str) -> Issue:
    """Bring the issue of a week into a situation, as editors and the clock would."""
    publish(engine)
    draft(engine)
    subscribe(engine, ["ana@example.com"])
    if situation == "draft":
        return issue_of(engine)
    if situation != "cancelled":
        approve(engine)
    if situation in ("sending", "paused", "held in its midst", "cancelled in its midst"):
        told_to_end = threading.Event()
        told_to_end.set()
        outgoing.send_issue(engine, RULES, post(box), W47, replace(at(TUESDAY), stop=told_to_end))
    if situation == "sent":
        outgoing.send_issue(engine, RULES, post(box), W47, at(TUESDAY))
    if situation == "scheduled":
        change(engine, lambda session: weekly.schedule(session, W47, LATER - timedelta(hours=1), TUESDAY))
    if situation.startswith("held"):
        change(engine, lambda session: steering.hold(session, W47, "it was late"))
    if situation == "paused":
        change(engine, lambda session: steering.pause(session, W47))
    if situation.startswith("cancelled"):
        change(engine, lambda session: steering.cancel(session, W47))
    return issue_of(engine)


@pytest.mark.parametrize("situation", [*SITUATIONS, *BEGUN])
def test_every_situation_is_what_it_is_called(sqlite_engine: Engine, tmp_path: Path, situation: str) -> None:
    issue = bring(sqlite_engine, tmp_path, situation)
    assert issue.state == situation.split()[0]
    assert (issue.letter_id is not None) == (situation in BEGUN)
    assert {one.split()[0] for one in (*SITUATIONS, *BEGUN)} == set(issues.MOVES)


def tried(engine: Engine, what: Callable[[Session], object]) -> str:
    """What somebody is told who does this; the issue stays as it is."""
    before = issue_of(engine)
    with pytest.raises(CannotDo) as caught:
        change(engine, what)
    assert issue_of(engine) == before
    return str(caught.value)


@pytest.mark.parametrize("situation", [*SITUATIONS, *BEGUN])
def test_what_can_be_drafted_anew(sqlite_engine: Engine, tmp_path: Path, situation: str) -> None:
    state = bring(sqlite_engine, tmp_path, situation).state
    if situation in ("draft", "cancelled"):
        assert draft(sqlite_engine).taken == 1
        assert issue_of(sqlite_engine).state == issues.DRAFT
        return
    told = tried(sqlite_engine, lambda session: weekly.draft(session, RULES, W47, MONDAY))
    assert told == f"issue 2026-W47 is {state}; only a draft can be drafted anew{WAY_ON[situation]}"


@pytest.mark.parametrize("situation", [*SITUATIONS, *BEGUN])
def test_what_can_be_approved(sqlite_engine: Engine, tmp_path: Path, situation: str) -> None:
    state = bring(sqlite_engine, tmp_path, situation).state
    if situation in ("draft", "held"):
        digest = approve(sqlite_engine)
        issue = issue_of(sqlite_engine)
        assert (issue.state, issue.digest, issue.approved_at) == (issues.APPROVED, digest, MONDAY)
        assert issue.held_because is None
        assert issue.approved_of is not None
        return
    told = tried(sqlite_engine, lambda session: approving.approve(session, RULES, W47, MONDAY))
    assert told == f"issue 2026-W47 is {state}; only a draft can be approved{WAY_ON[situation]}"


@pytest.mark.parametrize("situation", [*SITUATIONS, *BEGUN])
def test_whose_approval_can_be_taken_back(sqlite_engine: Engine, tmp_path: Path, situation: str) -> None:
    state = bring(sqlite_engine, tmp_path, situation).state
    if situation in ("approved", "scheduled", "held"):
        issue = change(sqlite_engine, lambda session: approving.unapprove(session, W47))
        assert issue.state == issues.DRAFT
        assert {issue.digest, issue.approved_of, issue.approved_at, issue.held_because} == {None}
        return
    told = tried(sqlite_engine, lambda session: approving.unapprove(session, W47))
    assert told == f"issue 2026-W47 is {state}; there is no approval to take back{WAY_ON[situation]}"


@pytest.mark.parametrize("situation", [*SITUATIONS, *BEGUN])
def test_what_can_be_changed(sqlite_engine: Engine, tmp_path: Path, situation: str) -> None:
    state = bring(sqlite_engine, tmp_path, situation).state
    if situation == "draft":
        issue = change(sqlite_engine, lambda session: weekly.edit(session, W47, "Another subject", None))
        assert issue.subject_line == "Another subject"
        return
    told = tried(sqlite_engine, lambda session: weekly.edit(session, W47, "Another subject", None))
    assert told == f"issue 2026-W47 is {state}; only a draft can be changed{WAY_ON[situation]}"


@pytest.mark.parametrize("situation", [*SITUATIONS, *BEGUN])
def test_what_can_be_given_another_time(sqlite_engine: Engine, tmp_path: Path, situation: str) -> None:
    before = bring(sqlite_engine, tmp_path, situation)
    if situation in ("draft", "approved", "scheduled", "held"):
        issue = change(sqlite_engine, lambda session: weekly.schedule(session, W47, LATER, TUESDAY))
        assert issue.state == (issues.DRAFT if situation == "draft" else issues.SCHEDULED)
        assert (issue.send_at, issue.held_because) == (LATER, None)
        assert (issue.digest, issue.approved_of) == (before.digest, before.approved_of)
        return
    told = tried(sqlite_engine, lambda session: weekly.schedule(session, W47, LATER, TUESDAY))
    assert told == f"issue 2026-W47 is {before.state}; it can be given no other time{WAY_ON[situation]}"


def test_a_time_that_has_passed_is_refused_and_this_very_moment_is_not(sqlite_engine: Engine, tmp_path: Path) -> None:
    bring(sqlite_engine, tmp_path, "approved")
    passed = TUESDAY - timedelta(seconds=1)
    assert tried(sqlite_engine, lambda session: weekly.schedule(session, W47, passed, TUESDAY)) == (
        "2026-11-24 08:59 UTC has passed; give issue 2026-W47 a time to come, or send it at once: "
        "`issues send 2026-W47`"
    )
    assert change(sqlite_engine, lambda session: weekly.schedule(session, W47, TUESDAY, TUESDAY)).send_at == TUESDAY


def test_a_scheduled_issue_goes_out_at_its_own_time_and_is_late_only_by_that(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, "approved")
    own = TUESDAY + timedelta(days=2)
    change(engine, lambda session: weekly.schedule(session, W47, own, TUESDAY))
    assert outgoing.send_due(engine, RULES, post(tmp_path), at(own - timedelta(seconds=1))) == []
    (outcome,) = outgoing.send_due(engine, RULES, post(tmp_path), at(own + RULES.max_lateness))
    assert outcome.state == issues.SENT
    assert len(letters(tmp_path)) == 1


def test_what_was_called_off_is_drafted_anew_with_its_weekly_slot_and_goes_out(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, "scheduled")
    change(engine, lambda session: steering.cancel(session, W47))
    publish(engine, "Late")
    assert draft(engine).taken == 2
    issue = issue_of(engine)
    assert (issue.state, issue.send_at, issue.digest, issue.approved_of) == (issues.DRAFT, TUESDAY, None, None)
    approve(engine)
    (outcome,) = outgoing.send_due(engine, RULES, post(tmp_path), at(TUESDAY))
    assert outcome.state == issues.SENT


def test_what_was_called_off_stays_so_where_another_issue_has_all_of_it_by_now(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    bring(sqlite_engine, tmp_path, "cancelled")
    draft(sqlite_engine, W48)
    assert draft(sqlite_engine).issue is None
    assert issue_of(sqlite_engine).state == issues.CANCELLED
    assert titles(sqlite_engine, W48) == ["Haiku vs Codestral"]


def test_the_clock_does_not_draft_what_an_editor_called_off(sqlite_engine: Engine, tmp_path: Path) -> None:
    bring(sqlite_engine, tmp_path, "cancelled")
    assert weekly.draft_due(sqlite_engine, RULES, MONDAY) is None
    assert issue_of(sqlite_engine).state == issues.CANCELLED


def test_what_was_called_off_before_it_began_shows_nothing_and_says_so(sqlite_engine: Engine, tmp_path: Path) -> None:
    issue = bring(sqlite_engine, tmp_path, "cancelled")
    told = tried(sqlite_engine, lambda session: approving.preview(session, RULES, W47))
    assert told == f"issue 2026-W47 is cancelled, and there is nothing in it{REDRAFT}"
    with writing(sqlite_engine) as session:
        assert approving.left_without([], [], W47) == frozenset()
        assert approving.changes_since_approval(session, RULES, issue) == []

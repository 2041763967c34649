"""Who may approve at the desk, what they are held to, and how far an issue would go."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter import approving, outgoing, weekly
from newsletter.approving import Shown
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.editors.editor import PUBLISHER, Editor
from newsletter.issues import issue as issues
from newsletter.issues.versions import Version
from newsletter.weekly import CannotDo
from subscribers.subscriber import PAUSED, Subscriber
from tests.newsroom import MONDAY, RULES, TUESDAY, W47, at, draft, issue_of, mute, post, publish, subscribe

ANYONE = replace(RULES, approver="anyone")


def an_account(session: Session, email: str) -> int:
    account = Editor(email=email, address_key=email, name=email[:3], role=PUBLISHER, created_at=MONDAY)
    session.add(account)
    session.flush()
    assert account.id is not None
    return account.id


@pytest.fixture
def written(sqlite_engine: Engine) -> tuple[Engine, int, int]:
    """A draft, whoever wrote its newest version, and another publisher."""
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        ana, bo = an_account(session, "ana@example.com"), an_account(session, "bo@example.com")
        issue = weekly.require(session, W47)
        assert issue.id is not None
        for number, who in ((1, bo), (2, ana)):
            session.add(Version(issue_id=issue.id, number=number, editor_id=who, at=MONDAY, what="", content="{}"))
        issue.version = 2
        session.commit()
    return sqlite_engine, ana, bo


def shown(engine: Engine) -> Shown:
    with reading(engine) as session:
        issue = weekly.require(session, W47)
        return Shown(weekly.compose(session, RULES, issue).digest, issue.version)


def test_whoever_wrote_last_does_not_approve_it_and_another_one_may(written: tuple[Engine, int, int]) -> None:
    engine, ana, bo = written
    with writing(engine) as session:
        with pytest.raises(CannotDo, match="you wrote the last change of issue 2026-W47 yourself"):
            approving.approve(session, RULES, W47, MONDAY, by=ana, shown=shown(engine))
        assert approving.approve(session, RULES, W47, MONDAY, by=bo, shown=shown(engine)).state == issues.APPROVED


@pytest.mark.parametrize("rules", [RULES, ANYONE], ids=["the command line", "anyone"])
def test_the_command_line_may_always_and_anyone_where_the_rules_say_so(
    written: tuple[Engine, int, int], rules: weekly.Rules
) -> None:
    engine, ana, _ = written
    with writing(engine) as session:
        by = ana if rules is ANYONE else None
        assert approving.approve(session, rules, W47, MONDAY, by=by).state == issues.APPROVED


@pytest.mark.parametrize(("digest", "version"), [("0" * 64, 2), (None, 1)], ids=["another letter", "an older version"])
def test_what_is_not_what_was_shown_is_not_approved(
    written: tuple[Engine, int, int], digest: str | None, version: int
) -> None:
    engine, _, bo = written
    seen = Shown(digest or shown(engine).digest, version)
    with writing(engine) as session, pytest.raises(CannotDo, match="has changed since you looked"):
        approving.approve(session, RULES, W47, MONDAY, by=bo, shown=seen)
    assert issue_of(engine).state == issues.DRAFT


def test_what_was_shown_counts_and_not_what_somebody_has_previewed_before(written: tuple[Engine, int, int]) -> None:
    engine, _, bo = written
    with writing(engine) as session:
        weekly.require(session, W47).previewed_digest = "of yesterday"
        assert approving.approve(session, RULES, W47, MONDAY, by=bo, shown=shown(engine)).state == issues.APPROVED


def test_an_issue_reaches_as_many_as_its_list_will_have(engine: Engine, tmp_path: Path) -> None:
    publish(engine, "Haiku", category="Writing")
    draft(engine)
    subscribe(engine, [f"reader{number}@example.com" for number in range(5)])
    for name in ("Writing", "Agents"):
        mute(engine, "reader0@example.com", name)
    subscribe(engine, ["back@example.com", "resting@example.com"], PAUSED)
    with writing(engine) as session:
        back = session.exec(select(Subscriber).where(Subscriber.email == "back@example.com")).one()
        back.paused_until = TUESDAY - timedelta(hours=1)
        resting = session.exec(select(Subscriber).where(Subscriber.email == "resting@example.com")).one()
        resting.paused_until = TUESDAY + timedelta(hours=1)
        approving.approve(session, RULES, W47, MONDAY)
        session.commit()
    with reading(engine) as session:
        comparisons = weekly.comparisons_of(session, weekly.require(session, W47))
        reach = approving.reach(session, RULES, comparisons, TUESDAY)
    assert reach.readers == 6 - reach.left_out

    outgoing.send_issue(engine, RULES, post(tmp_path), W47, at(TUESDAY))
    with reading(engine) as session:
        books = ledger.accounting(session, issue_of(engine).letter_id)
    assert (books.audience, books.left_out) == (reach.readers, reach.left_out)


@pytest.mark.parametrize("typed", [None, 0, 4, 6])
def test_who_types_another_number_than_there_are_sends_nothing(sqlite_engine: Engine, typed: int | None) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    subscribe(sqlite_engine, [f"reader{number}@example.com" for number in range(5)])
    with writing(sqlite_engine) as session:
        approving.approve(session, RULES, W47, MONDAY)
        session.commit()
    before = issue_of(sqlite_engine)
    with writing(sqlite_engine) as session, pytest.raises(outgoing.AnotherCount) as caught:
        outgoing.send_now(session, RULES, W47, typed, MONDAY)
    assert caught.value.readers == 5
    assert issue_of(sqlite_engine) == before

    with writing(sqlite_engine) as session:
        now = outgoing.send_now(session, RULES, W47, 5, MONDAY)
        assert (now.state, now.send_at) == (issues.SCHEDULED, MONDAY)


def test_nothing_is_sent_now_that_nobody_has_approved_or_that_nobody_would_get(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        with pytest.raises(CannotDo, match="only one that is approved"):
            outgoing.send_now(session, RULES, W47, 0, MONDAY)
        approving.approve(session, RULES, W47, MONDAY)
        with pytest.raises(CannotDo, match="nobody is on the list"):
            outgoing.send_now(session, RULES, W47, 0, MONDAY)

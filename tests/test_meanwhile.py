"""What others do, and what the clock does, between two steps of a send or of a decision."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import asking, outgoing, weekly
from newsletter.asking import Decision
from newsletter.db import reading, writing
from newsletter.delivery import claiming, ledger
from newsletter.delivery.claiming import Batch, Claimant
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.provider import CannotAsk, Envelope, NotSent, Outcome, Unknown
from newsletter.delivery.sender_lock import enter
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.outgoing import Run
from tests.delivery.providers.moody import Moody
from tests.newsroom import (
    IN_W46,
    RULES,
    TUESDAY,
    W46,
    W47,
    approve,
    at,
    draft,
    issue_of,
    letters,
    post,
    publish,
    subscribe,
)

READERS = [f"reader{number}@example.com" for number in range(4)]
NINE_HOURS = timedelta(hours=9)


def ready(engine: Engine) -> None:
    publish(engine)
    draft(engine)
    subscribe(engine, READERS)
    approve(engine)


def test_an_issue_that_gets_another_time_while_the_one_before_it_goes_out_waits_for_that(
    engine: Engine, tmp_path: Path
) -> None:
    publish(engine, "Ox", "Mend", IN_W46)
    draft(engine, W46)
    approve(engine, W46)
    ready(engine)
    next_day = TUESDAY + timedelta(days=1)

    def an_editor_gives_it_another_time(_: Accounting) -> None:
        with writing(engine) as session:
            if weekly.require(session, W47).state == issues.APPROVED:
                weekly.schedule(session, W47, next_day, TUESDAY)
                session.commit()

    late = replace(RULES, max_lateness=timedelta(days=30))
    run = replace(at(TUESDAY), on_progress=an_editor_gives_it_another_time)
    outcomes = outgoing.send_due(engine, late, post(tmp_path), run)
    assert [(one.week, one.state) for one in outcomes] == [(str(W46), issues.SENT), (str(W47), issues.SCHEDULED)]
    assert len(letters(tmp_path)) == len(READERS)
    assert issue_of(engine).letter_id is None
    (outcome,) = outgoing.send_due(engine, late, post(tmp_path), at(next_day))
    assert outcome.state == issues.SENT


@pytest.mark.parametrize("looks", range(6))
def test_a_machine_that_falls_asleep_while_a_send_begins_does_not_begin_it_nine_hours_late(
    sqlite_engine: Engine, tmp_path: Path, looks: int
) -> None:
    """Whichever looks at the clock come before it falls asleep: every one until the list is drawn up."""
    ready(sqlite_engine)
    moments: Iterator[datetime] = chain(repeat(TUESDAY, looks), repeat(TUESDAY + NINE_HOURS))
    run = Run(clock=lambda: next(moments), wait=False)
    (outcome,) = outgoing.send_due(sqlite_engine, RULES, post(tmp_path), run)
    assert (outcome.state, letters(tmp_path)) == (issues.HELD, [])
    assert "is 9h late, more than 6h" in (outcome.note or "")
    with reading(sqlite_engine) as session:
        assert violations(session) == []


LOST: list[Outcome] = [Unknown("the answer was lost")] * 2


class Slow(Moody):
    """Sends nothing; while it is asked, another sender loses the answer to a batch."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(lambda call: [NotSent("the network is down")] * len(call.rows))
        self.engine = engine
        self.under_way_there: list[tuple[int, Batch]] = []

    def find(self, envelope: Envelope, batch: str) -> Mapping[str, str]:
        while self.under_way_there:
            letter_id, lost = self.under_way_there.pop()
            claiming.record(self.engine, letter_id, lost, LOST, TUESDAY)
        return super().find(envelope, batch)


@pytest.mark.parametrize("decision", Decision)
def test_an_editors_word_is_not_for_what_came_into_doubt_while_the_provider_was_asked(
    engine: Engine, tmp_path: Path, decision: Decision
) -> None:
    ready(engine)
    provider = Slow(engine)
    provider.cannot_ask = CannotAsk("it has too much to do")
    there = replace(post(tmp_path), provider=provider)
    outgoing.send_issue(engine, RULES, there, W47, at(TUESDAY))
    letter_id = issue_of(engine).letter_id
    assert letter_id
    with enter(engine) as sender:
        assert sender
        first, second = (
            claiming.claim(engine, letter_id, 2, Claimant(sender.number, moment))
            for moment in (TUESDAY, TUESDAY + there.settle)
        )
        assert first
        assert second
        claiming.record(engine, letter_id, first, LOST, TUESDAY)
        provider.under_way_there.append((letter_id, second))
        decided = asking.decide(engine, there, W47, lambda: TUESDAY + there.settle, decision)
    assert (decided.resent, decided.given_up) == ((2, 0) if decision is Decision.RESEND else (0, 2))
    with reading(engine) as session:
        books = ledger.accounting(session, letter_id)
        assert violations(session) == []
    assert (books.in_doubt, books.queued, books.refused) == (2, decided.resent, decided.given_up)

"""Figures that are counted beside the pages: what they are, when they are too old, and that they are the very same."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import counting, figures, growth, numbers, outgoing, steering
from newsletter.comparisons import votes
from newsletter.counting import GROWTH, Ways, of_issue
from newsletter.db import reading, writing
from newsletter.delivery.ledger import REFUSED, Delivery
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.tracking.event import BOUNCED_SOFT, CLICKED, COMPLAINED, DELIVERED, OPENED
from newsletter.tracking.scanners import BURST
from subscribers import consent
from tests.newsroom import IN_W46, RULES, TUESDAY, W46, W47, approve, at, draft, issue_of, post, publish, subscribe
from tests.tracking.heard import LATER, hear

UTC = ZoneInfo("UTC")
WAYS = Ways(UTC, told=True)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
W46_AND_W47 = [of_issue("2026-W47"), of_issue("2026-W46")]


def a_week(engine: Engine, outbox: Path, week: Week = W47) -> int:
    """Send an issue; return its letter."""
    draft(engine, week)
    approve(engine, week)
    outgoing.send_issue(engine, RULES, post(outbox), week, at(TUESDAY))
    return issue_of(engine, week).letter_id or 0


def count(engine: Engine, *names: str) -> None:
    for name in names:
        counting.count(engine, name, WAYS, TUESDAY)


def due(engine: Engine, after: timedelta, *wanted: str) -> list[str]:
    with reading(engine) as session:
        return counting.due(session, TUESDAY + after, wanted)


def test_what_is_kept_is_what_was_counted_to_the_last_figure(engine: Engine, outbox: Path) -> None:
    comparison = publish(engine)
    readers = subscribe(engine, [f"reader{number}@example.com" for number in range(6)])
    with writing(engine) as session:
        for reader in readers:
            consent.note(session, reader, consent.IMPORTED, "a file", IN_W46)
        session.commit()
    letter = a_week(engine, outbox)
    hear(engine, letter, DELIVERED, readers)
    hear(engine, letter, BOUNCED_SOFT, readers[:1], detail="DnsError")
    hear(engine, letter, COMPLAINED, readers[1:2])
    hear(engine, letter, OPENED, readers[:3])
    hear(engine, letter, CLICKED, readers[:2], link="comparisons/haiku-vs-codestral", machine=BURST)
    with writing(engine) as session:
        votes.cast(session, comparison, readers[0], "both", LATER)
        session.commit()
    count(engine, GROWTH, of_issue("2026-W47"))
    with reading(engine) as session:
        issue = issue_of(engine)
        known = counting.numbers_of(session, issue)
        grown = counting.growth_of(session, 12)
        assert known
        assert grown
        assert (known.at, known.of) == (TUESDAY, numbers.of_issue(session, issue, told=True))
        assert (grown.at, grown.of) == (TUESDAY, growth.by_week(session, UTC, TUESDAY, 12))
        assert grown.of[-1].readers == 6


def test_what_a_provider_does_not_tell_stays_unknown(engine: Engine, outbox: Path) -> None:
    publish(engine)
    subscribe(engine, ["ada@example.com"])
    a_week(engine, outbox)
    counting.count(engine, of_issue("2026-W47"), Ways(UTC, told=False), TUESDAY)
    with reading(engine) as session:
        known = counting.numbers_of(session, issue_of(engine))
    assert known
    assert known.of.returns is None
    assert known.of.complaint_rate is None


def test_growth_and_the_newest_issue_are_counted_first_and_what_is_wanted_before_them(
    engine: Engine, outbox: Path
) -> None:
    subscribe(engine, ["ada@example.com"])
    publish(engine, at=IN_W46)
    a_week(engine, outbox, W46)
    publish(engine, "Inkwell", "Gantry")
    a_week(engine, outbox)
    publish(engine, "A draft", "is counted never", at=TUESDAY)
    draft(engine, W47.after())
    assert due(engine, MINUTE) == [GROWTH, *W46_AND_W47]
    assert due(engine, MINUTE, of_issue("2026-W46"), of_issue("1999-W01")) == [W46_AND_W47[1], GROWTH, W46_AND_W47[0]]
    count(engine, GROWTH, *W46_AND_W47)
    assert due(engine, SECOND, GROWTH, *W46_AND_W47) == []


def test_the_longer_ago_an_issue_went_out_the_older_its_figures_may_be(engine: Engine, outbox: Path) -> None:
    publish(engine)
    subscribe(engine, ["ada@example.com"])
    a_week(engine, outbox)
    name = of_issue("2026-W47")
    for since, fresh, kept in (
        (timedelta(0), 30 * SECOND, 15 * MINUTE),
        (5 * DAY, 10 * MINUTE, 6 * HOUR),
        (60 * DAY, DAY, 7 * DAY),
    ):
        counting.count(engine, name, WAYS, TUESDAY + since)
        assert name not in due(engine, since + fresh - SECOND, name)
        assert name in due(engine, since + fresh, name)
        assert name not in due(engine, since + kept - SECOND)
        assert name in due(engine, since + kept)


def test_figures_of_a_future_that_a_wrong_clock_has_told_of_are_counted_anew(engine: Engine) -> None:
    counting.count(engine, GROWTH, WAYS, TUESDAY + 400 * DAY)
    assert due(engine, timedelta(0)) == [GROWTH]


def test_where_readers_stand_is_as_of_now_though_the_figures_are_old(engine: Engine, outbox: Path) -> None:
    publish(engine)
    subscribe(engine, ["ada@example.com"])
    letter = a_week(engine, outbox)
    with writing(engine) as session:
        refuse(session, letter)
        session.commit()
    count(engine, of_issue("2026-W47"))
    with writing(engine) as session:
        assert steering.retry(session, W47) == 1
        session.commit()
    with reading(engine) as session:
        known = counting.numbers_of(session, issue_of(engine))
    assert known
    assert (known.at, known.of.books.queued, known.of.books.refused) == (TUESDAY, 1, 0)
    assert known.of.state == issues.SENDING


def refuse(session: Session, letter: int) -> None:
    """As if the provider had refused everybody for a passing reason."""
    row = session.get_one(Delivery, (letter, 1))
    row.state, row.message_id, row.reason, row.passing = REFUSED, None, "full", True
    session.add(row)


@pytest.mark.parametrize("content", [[{"week": "2026-W47", "grew": 1}], {"of": "another kind"}, None])
def test_what_another_version_of_the_program_has_kept_is_as_if_it_were_not_there(
    engine: Engine, content: object
) -> None:
    with writing(engine) as session:
        figures.keep(session, GROWTH, content, TUESDAY)
        session.commit()
    with reading(engine) as session:
        assert counting.growth_of(session, 12) is None


def test_over_time_says_which_issues_are_still_being_counted(engine: Engine, outbox: Path) -> None:
    subscribe(engine, ["ada@example.com"])
    publish(engine, at=IN_W46)
    a_week(engine, outbox, W46)
    publish(engine, "Inkwell", "Gantry")
    a_week(engine, outbox)
    count(engine, of_issue("2026-W46"))
    with reading(engine) as session:
        found, missing = counting.over_time(session, W46)
        assert [one.of.week for one in found] == ["2026-W46"]
        assert missing == ["2026-W47"]
        assert counting.over_time(session, W47) == ([], ["2026-W47"])

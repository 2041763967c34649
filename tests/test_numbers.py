"""How an issue did: what an editor is told of it, and who is counted for which issue."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import departures, numbers, outgoing
from newsletter.comparisons import votes
from newsletter.db import reading, writing
from newsletter.farewell import forget
from newsletter.issues.week import Week
from newsletter.numbers import KEEP_BELOW, NEVER, Numbers, Opinion
from newsletter.tracking.event import BOUNCED_SOFT, CLICKED, COMPLAINED, DELIVERED, OPENED
from newsletter.tracking.scanners import BURST
from newsletter.tracking.stats import Touched
from subscribers import consent
from subscribers.subscriber import ACTIVE, PAUSED, Subscriber, move
from subscribers.unsubscribe import give_reason, undo, unsubscribe
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
    post,
    publish,
    set_status,
    subscribe,
)
from tests.tracking.heard import LATER, hear

READERS = [f"reader{number}@example.com" for number in range(10)]
WEEK = timedelta(days=7)


def sent(engine: Engine, outbox: Path, week: Week = W47, moment: datetime = TUESDAY) -> int:
    """Send a week's issue to all readers; return the letter's id."""
    draft(engine, week)
    approve(engine, week)
    outgoing.send_issue(engine, RULES, post(outbox), week, at(moment))
    return issue_of(engine, week).letter_id or 0


def count(engine: Engine, week: Week = W47, *, told: bool = True) -> Numbers:
    with reading(engine) as session:
        return numbers.of_issue(session, issue_of(engine, week), told=told)


def leave(engine: Engine, reader: int, moment: datetime, source: str = "unsubscribe link", why: str = "") -> None:
    with writing(engine) as session:
        one = session.get_one(Subscriber, reader)
        assert unsubscribe(session, one, source, moment)
        if why:
            assert give_reason(session, one, why, source, moment)
        session.commit()


def test_an_issue_in_figures(engine: Engine, outbox: Path) -> None:
    comparison = publish(engine)
    readers = subscribe(engine, READERS)
    letter = sent(engine, outbox)
    hear(engine, letter, DELIVERED, readers[:8])
    hear(engine, letter, BOUNCED_SOFT, readers[8:], detail="DnsError")
    hear(engine, letter, COMPLAINED, readers[:1])
    hear(engine, letter, OPENED, readers[:5])
    hear(engine, letter, CLICKED, readers[:3], link="comparisons/haiku-vs-codestral")
    hear(engine, letter, CLICKED, readers[3:4], link="comparisons/haiku-vs-codestral", machine=BURST)
    with writing(engine) as session:
        for reader, choice in zip(readers, ("left", "left", "right", "both"), strict=False):
            votes.cast(session, comparison, reader, choice, LATER)
        session.commit()
    leave(engine, readers[1], LATER, why="often")
    found = count(engine)
    came_back = found.came_back()
    (alarm,) = came_back.pop("alarms")
    assert (alarm["detail"], alarm["count"]) == ("DnsError", 2)
    assert alarm["what"]
    assert came_back == {
        "delivered": 8,
        "bounced": 2,
        "complained": 1,
        "opened": 5,
        "clicked": 4,
        "unsubscribed": 1,
        "opened_by_people": 5,
        "clicked_by_people": 3,
        "machines": {"opened": {}, "clicked": {BURST: 1}},
        "tracking": {"opens": "no", "clicks": "no"},
        "bounces": {"hard": 0, "soft": 2, "failed": 0, "by_type": {"DnsError": 2}},
        "complaint_rate": 12.5,
        "unsubscribes": {
            "reasons": {"often": 1, "interest": 0, "never": 0, "content": 0, "other": 0, "not_said": 0},
            "at_provider": 0,
        },
        "clicks": [{"slug": "haiku-vs-codestral", "all": 4, "people": 3}],
        "votes": [{"slug": "haiku-vs-codestral", "left": 2, "right": 1, "both": 1, "neither": 0, "all": 4}],
    }
    (one,) = found.comparisons
    assert one.opinions == (Opinion("Haiku", 75, 75, 0), Opinion("Codestral", 75, 50, -25))
    with reading(engine) as session:
        alarms = numbers.alarms(session, LATER + timedelta(days=6))
        assert [(each.detail, each.count) for each in alarms] == [("DnsError", 2)]
        assert numbers.alarms(session, LATER + timedelta(days=8)) == []


def test_who_leaves_is_counted_for_the_issue_that_they_had_last(engine: Engine, outbox: Path) -> None:
    publish(engine, "Ada", "Bard", at=IN_W46)
    publish(engine)
    ana, ben, cleo, dan, _ = subscribe(engine, READERS[:5])
    with writing(engine) as session:
        consent.note(session, dan, consent.IMPORTED, "a file", IN_W46)
        session.commit()
    sent(engine, outbox, W46)
    leave(engine, ana, TUESDAY + timedelta(days=1), why="content")
    leave(engine, ben, TUESDAY + timedelta(days=2), departures.SOURCE)
    sent(engine, outbox, W47, TUESDAY + WEEK)
    (late,) = subscribe(engine, ["late@example.com"])
    leave(engine, cleo, TUESDAY + WEEK, why="often")
    leave(engine, late, TUESDAY + WEEK)  # had neither
    leave(engine, dan, TUESDAY + WEEK)
    with writing(engine) as session:
        undo(session, session.get_one(Subscriber, dan), "unsubscribe link", TUESDAY + WEEK + timedelta(hours=1))
        forget(session, session.get_one(Subscriber, cleo), TUESDAY + WEEK + timedelta(days=1))
        session.commit()
    first, second = count(engine, W46).left, count(engine, W47).left
    assert first is not None
    assert second is not None
    assert (first.all, first.at_provider, first.reasons["content"], first.reasons["not_said"]) == (2, 1, 1, 1)
    # What somebody said goes with them; that they left stays.
    assert (second.all, second.at_provider, second.reasons["not_said"]) == (1, 0, 1)
    with reading(engine) as session:
        assert [one.week for one in numbers.over_time(session, 5, told=False)] == ["2026-W47", "2026-W46"]


def test_none_who_leave_are_lost_between_two_issues_and_what_they_do_later_changes_nothing(
    engine: Engine, outbox: Path
) -> None:
    publish(engine, "Ada", "Bard", at=IN_W46)
    publish(engine)
    ana, ben, cleo = subscribe(engine, READERS[:3])
    with writing(engine) as session:
        consent.note(session, ana, consent.IMPORTED, "a file", IN_W46)
        session.commit()
    sent(engine, outbox, W46)
    leave(engine, ana, TUESDAY + timedelta(days=1))
    with writing(engine) as session:
        one = session.get_one(Subscriber, ana)
        move(one, ACTIVE, TUESDAY + timedelta(days=2))
        session.add(one)
        consent.note(session, ana, consent.CONFIRMED, "a form", TUESDAY + timedelta(days=2))
        session.commit()
    set_status(engine, PAUSED, READERS[1])  # and so has nothing of the second one
    sent(engine, outbox, W47, TUESDAY + WEEK)
    leave(engine, ben, TUESDAY + WEEK + timedelta(days=1), why="often")
    leave(engine, cleo, TUESDAY + WEEK + timedelta(days=1))
    leave(engine, ana, TUESDAY + WEEK + timedelta(days=1), why="content")
    with writing(engine) as session:
        undo(session, session.get_one(Subscriber, ana), "unsubscribe link", TUESDAY + WEEK + timedelta(days=1))
        session.commit()
    first, second = count(engine, W46).left, count(engine, W47).left
    assert first is not None
    assert second is not None
    assert (first.all, first.reasons["often"], first.reasons["not_said"], first.reasons["content"]) == (2, 1, 1, 0)
    assert (second.all, second.reasons["not_said"]) == (1, 1)


def test_what_nobody_records_is_no_figure_until_something_is_told(sqlite_engine: Engine, outbox: Path) -> None:
    publish(sqlite_engine)
    readers = subscribe(sqlite_engine, READERS)
    unsent = draft(sqlite_engine).issue
    assert unsent is not None
    with reading(sqlite_engine) as session:
        before = numbers.of_issue(session, unsent, told=True)
    assert (before.returns, before.left, before.came_back()["votes"]) == (None, None, None)
    letter = sent(sqlite_engine, outbox)
    silent = count(sqlite_engine, told=False).came_back()
    assert [silent[name] for name in ("delivered", "bounced", "complained", "opened", "clicked")] == [None] * 5
    assert (silent["unsubscribed"], silent["votes"][0]["all"]) == (0, 0)
    waiting = count(sqlite_engine).came_back()
    assert [waiting[name] for name in ("delivered", "bounced", "complained", "opened", "clicked")] == [
        *[0] * 3,
        *[None] * 2,
    ]
    hear(sqlite_engine, letter, DELIVERED, readers[:1])
    heard = count(sqlite_engine, told=False).came_back()
    assert [heard[name] for name in ("delivered", "bounced", "complained", "opened")] == [1, 0, 0, None]


def test_readers_who_were_forgotten_go_on_being_counted(engine: Engine, outbox: Path) -> None:
    comparison = publish(engine)
    readers = subscribe(engine, READERS)
    letter = sent(engine, outbox)
    hear(engine, letter, DELIVERED, readers)
    hear(engine, letter, CLICKED, readers[:4], link="comparisons/haiku-vs-codestral")
    with writing(engine) as session:
        votes.cast(session, comparison, readers[0], "left", LATER)
        session.commit()
    before = count(engine)
    with writing(engine) as session:
        forget(session, session.get_one(Subscriber, readers[0]), LATER)
        session.commit()
    after = count(engine)
    assert (after.returns, after.comparisons) == (before.returns, before.comparisons)
    assert after.comparisons[0].clicks == Touched(4, 4)


@pytest.mark.parametrize(
    ("complained", "delivered", "said"),
    [
        (0, 0, None),
        (0, 1000, None),
        (9, 10_000, None),
        (10, 10_000, f"keep below {KEEP_BELOW:.2f} %"),
        (30, 10_000, f"never {NEVER:.2f} %"),
    ],
)
def test_complaints_alarm_from_the_mailbox_providers_first_threshold_on(
    complained: int, delivered: int, said: str | None
) -> None:
    words = numbers.too_many_complaints("2026-W47", complained, delivered)
    assert words is None if said is None else words is not None and words.endswith(said)


def test_the_newest_issues_complaints_alarm(sqlite_engine: Engine, outbox: Path) -> None:
    publish(sqlite_engine)
    readers = subscribe(sqlite_engine, READERS)
    letter = sent(sqlite_engine, outbox)
    with reading(sqlite_engine) as session:
        assert numbers.complaints_alarm(session) is None
    hear(sqlite_engine, letter, DELIVERED, readers)
    hear(sqlite_engine, letter, COMPLAINED, readers[:1])
    with Session(sqlite_engine) as session:
        said = numbers.complaints_alarm(session)
    assert said is not None
    assert said.startswith("1 of 10 readers (10.00 %) called 2026-W47 spam")

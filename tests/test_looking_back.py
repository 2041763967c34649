"""What an issue says of the ones before it, and what is noted of its readers: decided by the time it is approved."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import approving, outgoing, weekly
from newsletter.assembly import Assembly
from newsletter.comparisons import votes
from newsletter.db import reading, writing
from newsletter.delivery.ledger import BY_READER, TOTALS, UNTRACKED, StoredLetter
from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.provider import Envelope, NotSent, Outcome
from newsletter.issues import issue as issues
from newsletter.message import Letter, Recipient
from newsletter.settings import load
from newsletter.weekly import CannotDo, Rules
from tests.newsroom import (
    IN_W46,
    IN_W47,
    MONDAY,
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

CLICKS = replace(RULES, opens=TOTALS, clicks=BY_READER, shown={"NEWSLETTER_TRACK_CLICKS": "true"})


def vote(engine: Engine, number: int, reader: int, choice: str) -> None:
    with writing(engine) as session:
        votes.cast(session, number, reader, choice, MONDAY)
        session.commit()


def text(engine: Engine) -> str:
    with reading(engine) as session:
        return weekly.compose(session, RULES, weekly.require(session, W47)).text


def last_week(engine: Engine, box: Path) -> tuple[int, list[int]]:
    """An issue of week 46 that two readers have: its comparison, and they."""
    number = publish(engine, "Ruff", "Flake8", at=IN_W46, panel_ship=50)
    readers = subscribe(engine, ["ana@example.com", "bo@example.com"])
    draft(engine, W46)
    approve(engine, W46)
    outgoing.send_issue(engine, RULES, post(box), W46, at(TUESDAY))
    return number, readers


def test_votes_after_drafting_change_nothing_of_an_approved_letter_and_a_fresh_draft_tells_them(
    engine: Engine, tmp_path: Path
) -> None:
    number, (ana, bo) = last_week(engine, tmp_path)
    vote(engine, number, ana, "left")
    publish(engine, "Mypy", "Pyright")
    draft(engine)
    assert "Readers: Ruff 100%, Flake8 0% of 1 vote — the panel: 50%, 75%" in text(engine)
    vote(engine, number, bo, "right")
    assert "of 1 vote" in text(engine)
    draft(engine)
    told = text(engine)
    assert "Readers: Ruff 50%, Flake8 50% of 2 votes — the panel: 50%, 75%" in told
    assert "Readers are 25 points cooler on Flake8 than the panel." in told
    approve(engine)
    vote(engine, number, bo, "both")
    with reading(engine) as session:
        assert approving.changes_since_approval(session, RULES, issue_of(engine)) == []
    assert outgoing.send_issue(engine, RULES, post(tmp_path / "47"), W47, at(TUESDAY)).state == issues.SENT
    assert len(letters(tmp_path / "47")) == 2


def test_a_week_of_which_nobody_voted_is_not_told(sqlite_engine: Engine, tmp_path: Path) -> None:
    last_week(sqlite_engine, tmp_path)
    publish(sqlite_engine, "Mypy", "Pyright")
    draft(sqlite_engine)
    assert issue_of(sqlite_engine).last_vote is None
    assert "Last week’s vote" not in text(sqlite_engine)


def test_a_verdict_that_has_changed_since_an_earlier_issue_is_told_and_bound_by_the_approval(
    engine: Engine, tmp_path: Path
) -> None:
    last_week(engine, tmp_path)
    publish(engine, "Ruff", "Pylint", at=IN_W47, panel_ship=100)
    draft(engine)
    assert "was 50% in week 46\n" in text(engine)
    approve(engine)
    publish(engine, "Ruff", "Flake8", at=IN_W46, panel_ship=25)  # corrected, after readers have had it
    with pytest.raises(CannotDo, match="approved: what the panel said of these tools before was changed; "):
        outgoing.send_issue(engine, RULES, post(tmp_path), W47, at(TUESDAY))
    publish(engine, "Ruff", "Flake8", at=IN_W46, panel_ship=100)
    assert "in week 46" not in text(engine)  # nothing to tell


class Noting(OutboxProvider):
    """An outbox that notes what each batch is asked to count, and takes none while it is `closed`."""

    closed = True

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, lambda: TUESDAY)
        self.tracked: list[tuple[bool, bool]] = []

    def send(self, letter: Letter, envelope: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        self.tracked.append((envelope.track_opens, envelope.track_clicks))
        if self.closed:
            return [NotSent("closed", lasting=True) for _ in recipients]
        return super().send(letter, envelope, recipients, batch)


def test_a_send_that_goes_on_counts_what_it_counted_when_it_began(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine)
    subscribe(sqlite_engine, ["ana@example.com"])
    draft(sqlite_engine, rules=CLICKS)
    approve(sqlite_engine, rules=CLICKS)
    carrier = Noting(tmp_path)
    sender = replace(post(tmp_path), provider=carrier)
    assert outgoing.send_issue(sqlite_engine, CLICKS, sender, W47, at(TUESDAY)).state == issues.HELD
    carrier.closed = False
    assert outgoing.send_issue(sqlite_engine, RULES, sender, W47, at(TUESDAY)).state == issues.SENT
    assert carrier.tracked == [(True, True), (True, True)]
    with reading(sqlite_engine) as session:
        stored = session.get_one(StoredLetter, issue_of(sqlite_engine).letter_id)
        assert (stored.opens, stored.clicks) == (TOTALS, BY_READER)
        assert "%%CANARY_URL%%" in stored.html
    assert b"/canary/" in letters(tmp_path)[0]


@pytest.mark.parametrize(("was", "now", "what"), [(RULES, CLICKS, "added"), (CLICKS, RULES, "removed")])
def test_whoever_approves_a_letter_approves_what_is_counted_of_it(
    sqlite_engine: Engine, tmp_path: Path, was: Rules, now: Rules, what: str
) -> None:
    publish(sqlite_engine)
    subscribe(sqlite_engine, ["ana@example.com"])
    draft(sqlite_engine, rules=was)
    approve(sqlite_engine, rules=was)
    with pytest.raises(CannotDo, match=f"approved: the setting NEWSLETTER_TRACK_CLICKS was {what}; "):
        outgoing.send_issue(sqlite_engine, now, post(tmp_path), W47, at(TUESDAY))


@pytest.mark.parametrize(
    ("word", "stored", "shown"),
    [("false", UNTRACKED, {}), ("totals", TOTALS, {"NEWSLETTER_TRACK_OPENS": "totals"}),
     ("true", BY_READER, {"NEWSLETTER_TRACK_OPENS": "true"})],
)  # fmt: skip
def test_the_settings_say_what_is_counted(
    monkeypatch: pytest.MonkeyPatch, word: str, stored: str, shown: dict[str, str]
) -> None:
    monkeypatch.setenv("NEWSLETTER_TRACK_OPENS", word)
    rules = Assembly(load(_env_file=None)).rules
    assert (rules.opens, rules.clicks) == (stored, UNTRACKED)
    assert {name: value for name, value in rules.shown.items() if "TRACK" in name} == shown

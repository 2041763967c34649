"""What an old file says, against what a reader or an editor has said since."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.db import writing
from subscribers import consent, suppression
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE
from subscribers.suppression import HARD_BOUNCE
from tests.newsroom import MONDAY, TUESDAY, subscribe
from tests.subscribers.test_importing import bring, everything, file, listed

OWN_STEPS = [consent.CONFIRMED, consent.RETURNED, consent.MOVED]
NO_WORD_OF_THEIRS = [consent.IMPORTED, consent.ADDED, consent.SIGNED_UP]


def said_by(engine: Engine, kind: str, at: datetime) -> None:
    """Ana is on the list, and has taken this step."""
    (number,) = subscribe(engine, ["ana@example.com"], ACTIVE)
    with writing(engine) as session:
        consent.note(session, number, kind, "somewhere", at)
        session.commit()


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("kind", OWN_STEPS)
def test_an_old_leave_does_not_undo_a_newer_word_of_the_readers(
    engine: Engine, tmp_path: Path, kind: str, dry_run: bool
) -> None:
    said_by(engine, kind, MONDAY)
    before = everything(engine)
    path = file(tmp_path, "email,status,since\nANA@example.com,unsubscribed,2025-02-01\nana@example.com,active,\n")
    report, _ = bring(engine, path, now=TUESDAY, dry_run=dry_run)
    assert (report.overruled, report.known, report.twice, report.left, report.rows) == (1, 0, 1, 0, 2)
    assert everything(engine) == before


@pytest.mark.parametrize(
    ("kind", "since"),
    [
        *((kind, "2025-02-01") for kind in NO_WORD_OF_THEIRS),
        *((kind, "") for kind in OWN_STEPS),
        (consent.CONFIRMED, (MONDAY + timedelta(seconds=1)).isoformat()),
    ],
)
def test_a_leave_counts_that_is_newer_or_undated_or_against_nobodys_own_word(
    engine: Engine, tmp_path: Path, kind: str, since: str
) -> None:
    said_by(engine, kind, MONDAY)
    path = file(tmp_path, f"email,status,since\nana@example.com,unsubscribed,{since}\n")
    report, _ = bring(engine, path, now=TUESDAY)
    assert (report.overruled, report.left) == (0, 1)
    assert listed(engine) == [("ana@example.com", "unsubscribed")]


def test_a_dead_address_is_one_whatever_its_reader_has_said_since(engine: Engine, tmp_path: Path) -> None:
    said_by(engine, consent.CONFIRMED, MONDAY)
    report, _ = bring(engine, file(tmp_path, "email,status,since\nana@example.com,bounced,2025-02-01\n"), now=TUESDAY)
    assert (report.overruled, report.left) == (0, 1)
    assert listed(engine) == [("ana@example.com", "suppressed")]


@pytest.mark.parametrize("on_the_list", [True, False])
@pytest.mark.parametrize("word", ["bounced", "complained", "blocklisted"])
@pytest.mark.parametrize(("since", "stands"), [("2025-02-01", False), (TUESDAY.isoformat(), True), ("", True)])
def test_what_an_editor_has_lifted_an_older_row_does_not_bring_back(
    engine: Engine, tmp_path: Path, on_the_list: bool, word: str, since: str, stands: bool
) -> None:
    if on_the_list:
        said_by(engine, consent.CONFIRMED, MONDAY - timedelta(days=9))
    with writing(engine) as session:
        suppression.suppress(session, parse_address("ana@example.com"), HARD_BOUNCE, "x", MONDAY - timedelta(days=1))
        suppression.lift(session, parse_address("ana@example.com"), "a new mailbox", MONDAY)
        session.commit()
    before = everything(engine)
    path = file(tmp_path, f"email,status,since\nana@example.com,{word},{since}\n")
    foretold, _ = bring(engine, path, now=TUESDAY, dry_run=True)
    report, _ = bring(engine, path, now=TUESDAY)
    assert (foretold, report.overruled, report.rows) == (report, int(not stands), 1)
    assert (everything(engine) == before) == (not stands)
    if stands:
        assert listed(engine) == [("ana@example.com", "suppressed")]

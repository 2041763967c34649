from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert
from sqlmodel import Session, select

from newsletter.db import Table, open_engine, reading, writing
from subscribers import consent, suppression
from subscribers.address import parse_address
from subscribers.csv_file import CannotRead, open_csv
from subscribers.dialects import recognise
from subscribers.fingerprint import Fingerprints
from subscribers.importing import CHUNK, BadRow, Report, import_rows
from subscribers.subscriber import ACTIVE, FINAL, PENDING, UNSUBSCRIBED, Subscriber, every
from subscribers.suppression import COMPLAINT, HARD_BOUNCE, MANUAL, Suppression
from tests.newsroom import MONDAY, TUESDAY, subscribe


def file(tmp_path: Path, content: str, name: str = "readers.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def bring(
    engine: Engine, path: Path, source: str | None = None, now: datetime = MONDAY, dry_run: bool = False
) -> tuple[Report, list[BadRow]]:
    bad: list[BadRow] = []
    with open_csv(path) as opened:
        how = recognise(opened.header, path.name, {})
        return import_rows(engine, opened, how, source, now, dry_run=dry_run, turn_away=bad.append), bad


def listed(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.email, one.status) for one in every(session)]


def everything(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    with engine.connect() as connection:
        return {
            name: sorted(map(tuple, connection.execute(table.select())), key=repr)
            for name, table in Table.metadata.tables.items()
        }


def reader(session: Session, email: str) -> Subscriber:
    return session.exec(select(Subscriber).where(Subscriber.email == email)).one()


def steps(engine: Engine, email: str) -> list[tuple[str, str, datetime]]:
    with reading(engine) as session:
        number = reader(session, email).id or 0
        return [(step.kind, step.source, step.at) for step in consent.history(session, number)]


def suppressions(engine: Engine, email: str) -> list[tuple[str, str, datetime]]:
    with reading(engine) as session:
        return [(one.reason, one.source, one.at) for one in suppression.of_address(session, parse_address(email))]


def test_readers_come_in_active_with_the_file_as_the_source_of_their_consent(engine: Engine, tmp_path: Path) -> None:
    report, bad = bring(engine, file(tmp_path, "email\nana@example.com\nbo@example.org\n"))
    assert (dict(report.added), report.known, report.rows, bad) == ({"active": 2}, 0, 2, [])
    assert listed(engine) == [("ana@example.com", "active"), ("bo@example.org", "active")]
    assert steps(engine, "ana@example.com") == [("imported", "readers.csv", MONDAY)]


def test_all_that_a_file_says_of_a_reader_is_carried(engine: Engine, tmp_path: Path) -> None:
    rows = """Status, EMAIL ,consented_at,source,network,muted_categories,paused_until,since,suppressed_for,Language
active,ana@example.com,2025-01-14T08:22:10+05:30,site form,203.0.113.7,"Video,Coding",,,,DE-at
paused,bo@example.com,2025-01-14,,,,2027-01-01,2026-01-01,,
 ,cy@example.com,,,,,,,,
"""
    report, bad = bring(engine, file(tmp_path, rows), source="the old list")
    assert [row.reason for row in bad] == [
        "status is ''; it must be one of pending, active, paused, unsubscribed, suppressed"
    ]
    assert dict(report.added) == {"active": 1, "paused": 1}
    with reading(engine) as session:
        ana, bo = reader(session, "ana@example.com"), reader(session, "bo@example.com")
        [step] = consent.history(session, ana.id or 0)
    assert (ana.since, ana.muted, ana.paused_until) == (MONDAY, '["Coding","Video"]', None)
    assert (ana.language, bo.language) == ("de", None)
    moment = datetime(2025, 1, 14, 2, 52, 10, tzinfo=UTC)
    assert (step.kind, step.source, step.at, step.network) == ("imported", "site form", moment, "203.0.113.7")
    assert (bo.since, bo.paused_until) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert steps(engine, "bo@example.com") == [("imported", "the old list", datetime(2025, 1, 14, tzinfo=UTC))]


def test_of_the_unwilling_only_what_the_file_says_is_noted(engine: Engine, tmp_path: Path) -> None:
    rows = """email,status,consented_at,since
ana@example.com,unsubscribed,2025-01-14,2025-02-01
bo@example.com,unsubscribed,,
cy@example.com,complained,2025-01-14,2025-02-01
di@example.com,bounced,,
eve@example.com,blocklisted,,
fay@example.com,pending,2025-01-14,
"""
    bring(engine, file(tmp_path, rows))
    january, february = datetime(2025, 1, 14, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
    assert steps(engine, "ana@example.com") == [("imported", "readers.csv", january), ("left", "readers.csv", february)]
    assert steps(engine, "bo@example.com") == [("left", "readers.csv", MONDAY)]
    assert steps(engine, "cy@example.com") == [("imported", "readers.csv", january)]
    assert steps(engine, "di@example.com") == []
    assert steps(engine, "fay@example.com") == [("signed_up", "readers.csv", january)]
    assert suppressions(engine, "cy@example.com") == [(COMPLAINT, "readers.csv", february)]
    assert suppressions(engine, "di@example.com") == [(HARD_BOUNCE, "readers.csv", MONDAY)]
    assert suppressions(engine, "eve@example.com") == [(MANUAL, "readers.csv", MONDAY)]
    assert suppressions(engine, "ana@example.com") == []
    assert [status for _, status in listed(engine)] == ["unsubscribed"] * 2 + ["suppressed"] * 3 + ["pending"]


def test_that_a_suppressed_reader_has_left_is_noted_once_and_counts_when_the_suppression_is_lifted(
    engine: Engine, tmp_path: Path
) -> None:
    bring(engine, file(tmp_path, "email,status\nana@example.com,active\n"))
    ana = parse_address("ana@example.com")
    with writing(engine) as session:
        suppression.suppress(session, ana, HARD_BOUNCE, "Postmark", MONDAY)
        session.commit()
    left = file(
        tmp_path, "email,status\nana@example.com,unsubscribed\nbo@example.com,bounced\nbo@example.com,unsubscribed\n"
    )
    bring(engine, left, "those who left")
    before = everything(engine)
    bring(engine, left, "those who left")
    assert everything(engine) == before
    assert steps(engine, "ana@example.com")[1:] == [("left", "those who left", MONDAY)]
    with writing(engine) as session:
        suppression.lift(session, ana, "a new mailbox", TUESDAY)
        session.commit()
    assert listed(engine)[0] == ("ana@example.com", UNSUBSCRIBED)


def test_a_complaint_in_a_file_takes_the_place_of_a_weaker_reason(engine: Engine, tmp_path: Path) -> None:
    rows = "email,status\nana@example.com,bounced\n"
    bring(engine, file(tmp_path, rows))
    complained = file(tmp_path, rows.replace("bounced", "complained"), "complaints.csv")
    bring(engine, complained)
    before = everything(engine)
    bring(engine, complained)
    assert everything(engine) == before
    assert suppressions(engine, "ana@example.com") == [(COMPLAINT, "complaints.csv", MONDAY)]


def test_bad_rows_are_handed_back_with_their_line_and_the_good_ones_go_in(engine: Engine, tmp_path: Path) -> None:
    rows = """email,note,status,consented_at
ana@example.com,"two
lines",active,
nobody,,active,

bo@example.com,,enthusiastic,
,empty,active,
cy@example.com,a, comma,,active
di@example.com,,active,yesterday
fay@example.com,,,
"""
    report, bad = bring(engine, file(tmp_path, rows))
    assert [row.line for row in bad] == [4, 6, 7, 8, 9]
    assert "@" in bad[0].reason
    assert bad[0].cells == ["nobody", "", "active", ""]
    assert bad[3].reason == "has 5 fields and the header 4; put quotes around a comma"
    assert [email for email, _ in listed(engine)] == ["ana@example.com", "fay@example.com"]
    assert (report.bad, report.rows) == (5, 7)


def test_the_same_file_twice_leaves_all_rows_of_all_tables_equal(engine: Engine, tmp_path: Path) -> None:
    rows = "email,status,consented_at\n" + "".join(
        f"reader{number % 1500}@example.com,{status},2025-01-14\n"
        for number, status in enumerate(["active", "unsubscribed", "bounced", "pending", "enthusiastic"] * 400)
    )
    subscribe(engine, ["reader1@example.com", "reader2@example.com"], ACTIVE)
    path = file(tmp_path, rows)
    first, _ = bring(engine, path)
    before = everything(engine)
    assert (first.rows, first.left, first.twice) == (2000, 2, 400)
    again, _ = bring(engine, path, now=TUESDAY)
    assert everything(engine) == before
    assert (again.added.total(), again.left, again.twice, again.bad) == (0, 0, 400, 400)


def test_an_address_comes_in_once_however_often_and_in_whatever_spelling_it_stands(
    engine: Engine, tmp_path: Path
) -> None:
    rows = "email\nAna@Example.com\nana@example.com\nANA@EXAMPLE.COM\nlena@bücher.example\nlena@xn--bcher-kva.example\n"
    report, _ = bring(engine, file(tmp_path, rows))
    assert (report.added.total(), report.known, report.twice, report.rows) == (2, 0, 3, 5)
    assert [email for email, _ in listed(engine)] == ["Ana@example.com", "lena@bücher.example"]


@pytest.mark.parametrize("apart", [0, CHUNK], ids=["in one chunk", "chunks apart"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_the_first_row_of_an_address_counts_unless_a_later_one_says_that_they_left(
    sqlite_engine: Engine, tmp_path: Path, apart: int, dry_run: bool
) -> None:
    between = "".join(f"reader{number}@example.com,active\n" for number in range(apart))
    path = file(
        tmp_path,
        "email,status\nana@example.com,active\nbo@example.com,pending\ncy@example.com,unsubscribed\n"
        f"{between}ana@example.com,unsubscribed\nbo@example.com,active\ncy@example.com,active\nANA@example.com,bounced\n",
    )
    report, _ = bring(sqlite_engine, path, dry_run=dry_run)
    assert dict(report.added) == {"active": 1 + apart, "pending": 1, "unsubscribed": 1}
    assert (report.twice, report.left, report.known, report.stayed) == (4, 1, 0, 0)
    if dry_run:
        assert listed(sqlite_engine) == []
        return
    found = dict(listed(sqlite_engine))
    assert [found[f"{name}@example.com"] for name in ("ana", "bo", "cy")] == ["unsubscribed", "pending", "unsubscribed"]
    assert [kind for kind, _, _ in steps(sqlite_engine, "ana@example.com")] == ["imported", "left"]


@pytest.mark.parametrize("status", sorted(FINAL))
def test_who_has_left_or_is_suppressed_never_comes_back_through_a_file(
    engine: Engine, tmp_path: Path, status: str
) -> None:
    subscribe(engine, ["ana@example.com", "bo@example.com"], status)
    path = file(tmp_path, "email,status\nANA@example.com,active\nbo@example.com,bounced\n")
    before = everything(engine)
    report, _ = bring(engine, path)
    assert (dict(report.added), report.known, report.stayed, report.left) == ({}, 2, 1, 0)
    assert everything(engine) == before


def test_known_readers_stay_as_they_are(engine: Engine, tmp_path: Path) -> None:
    subscribe(engine, ["ana@example.com"], PENDING)
    subscribe(engine, ["bo@example.com"], ACTIVE)
    before = everything(engine)
    rows = "email,status,muted_categories\nana@example.com,active,Video\nbo@example.com,paused,Video\n"
    report, _ = bring(engine, file(tmp_path, rows))
    assert (report.known, report.left) == (2, 0)
    assert everything(engine) == before


def test_who_left_elsewhere_leaves_here_too_once(engine: Engine, tmp_path: Path) -> None:
    subscribe(engine, ["ana@example.com"], ACTIVE)
    path = file(tmp_path, "email,status,since\nana@example.com,unsubscribed,2025-02-01\n")
    assert [bring(engine, path)[0].left, bring(engine, path)[0].left] == [1, 0]
    assert listed(engine) == [("ana@example.com", "unsubscribed")]
    assert steps(engine, "ana@example.com") == [("left", "readers.csv", datetime(2025, 2, 1, tzinfo=UTC))]


def test_who_bounced_elsewhere_is_suppressed_here_and_an_editor_can_lift_it(engine: Engine, tmp_path: Path) -> None:
    bring(engine, file(tmp_path, "email\nana@example.com\n"))
    report, _ = bring(engine, file(tmp_path, "email\nana@example.com\n", "bounced.csv"))
    assert report.left == 1
    assert listed(engine) == [("ana@example.com", "suppressed")]
    assert suppressions(engine, "ana@example.com") == [(HARD_BOUNCE, "bounced.csv", MONDAY)]
    with writing(engine) as session:
        suppression.lift(session, parse_address("ana@example.com"), "the mailbox is back", TUESDAY)
        session.commit()
    assert listed(engine) == [("ana@example.com", "active")]


def test_a_rest_ends_when_a_file_says_that_they_left(sqlite_engine: Engine, tmp_path: Path) -> None:
    bring(sqlite_engine, file(tmp_path, "email,status,paused_until\nana@example.com,paused,2027-01-01\n"))
    bring(sqlite_engine, file(tmp_path, "email,status\nana@example.com,unsubscribed\n"))
    with reading(sqlite_engine) as session:
        assert reader(session, "ana@example.com").paused_until is None


@pytest.mark.parametrize("word", ["active", "unsubscribed", "bounced"])
def test_an_erased_reader_who_had_complained_is_kept_out(engine: Engine, tmp_path: Path, word: str) -> None:
    with writing(engine) as session:
        suppression.suppress(session, parse_address("a.na@gmail.com"), COMPLAINT, "postmark", MONDAY)
        session.commit()
    before = everything(engine)
    report, _ = bring(engine, file(tmp_path, f"email,status\nAna@googlemail.com,{word}\nbo@example.com,bounced\n"))
    assert (report.kept_out, dict(report.added), report.rows) == (1, {"suppressed": 1}, 2)
    assert listed(engine) == [("bo@example.com", "suppressed")]
    assert everything(engine)["suppressions"][:1] == before["suppressions"]


def test_a_dry_run_says_the_same_and_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = "email,status\n" + "".join(
        f"reader{number % 1200}@example.com,{status}\n"
        for number, status in enumerate(["active", "unsubscribed", "bounced", "active", "enthusiastic"] * 400)
    )
    subscribe(engine, ["reader1@example.com"], ACTIVE)
    subscribe(engine, ["reader3@example.com"], UNSUBSCRIBED)
    with writing(engine) as session:
        session.connection().execute(
            insert(Suppression),
            [
                {
                    "fingerprint": Fingerprints(session).of(parse_address("reader5@example.com")),
                    "reason": COMPLAINT,
                    "source": "x",
                    "at": MONDAY,
                }
            ],
        )
        session.commit()
    before, path = everything(engine), file(tmp_path, rows)
    foretold, bad = bring(engine, path, dry_run=True)
    assert everything(engine) == before
    done, bad_then = bring(engine, path)
    assert foretold == done
    assert bad == bad_then
    assert min(done.left, done.twice, done.kept_out, done.stayed, done.bad) > 0


def test_a_file_that_cannot_be_read_stores_nothing_though_it_breaks_at_its_end(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    rows = "".join(f"reader{number}@example.com,x\n" for number in range(2 * CHUNK))
    with pytest.raises(CannotRead, match=f":{2 * CHUNK + 2}: "):
        bring(sqlite_engine, file(tmp_path, f'email,name\n{rows}bo@example.com,"Bo\n'))
    assert listed(sqlite_engine) == []


def test_a_header_alone_brings_nobody(sqlite_engine: Engine, tmp_path: Path) -> None:
    report, _ = bring(sqlite_engine, file(tmp_path, "email,status\n"))
    assert report == Report()


def test_others_may_write_between_the_chunks(engine: Engine, tmp_path: Path) -> None:
    path = file(tmp_path, "email\n" + "".join(f"reader{number}@example.com\n" for number in range(2 * CHUNK + 1)))
    seen: list[int] = []

    def show(done: int) -> None:
        seen.append(done)
        subscribe(engine, [f"reader{CHUNK + done}@example.com"], PENDING)

    with open_csv(path) as opened:
        report = import_rows(engine, opened, recognise(opened.header, "x.csv", {}), None, MONDAY, show=show)
    assert seen == [CHUNK, 2 * CHUNK, 2 * CHUNK + 1]
    assert (report.known, report.added.total()) == (1, 2 * CHUNK)


def test_an_address_that_is_added_by_somebody_else_at_the_same_moment_is_known_then(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    """On PostgreSQL two may add one address at once; on SQLite one of them waits."""
    engine, other = (open_engine(url) for url in [new_database("postgresql")] * 2)
    done: list[str] = []

    def add(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("INSERT INTO subscribers") and not done:
            done.append(statement)
            subscribe(other, ["bo@example.com"], PENDING)

    event.listen(engine, "before_cursor_execute", add)
    report, _ = bring(engine, file(tmp_path, "email\nana@example.com\nbo@example.com\n"))
    assert (dict(report.added), report.known) == ({"active": 1}, 1)
    assert sorted(listed(engine)) == [("ana@example.com", "active"), ("bo@example.com", "pending")]
    engine.dispose()
    other.dispose()


def test_who_is_suppressed_while_a_file_says_that_they_left_stays_suppressed(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    """On PostgreSQL a complaint may come in between the look and the writing."""
    engine, other = (open_engine(url) for url in [new_database("postgresql")] * 2)
    subscribe(engine, ["ana@example.com"], ACTIVE)
    done: list[str] = []

    def complain(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("UPDATE subscribers") and not done:
            done.append(statement)
            with writing(other) as session:
                suppression.suppress(session, parse_address("ana@example.com"), COMPLAINT, "postmark", MONDAY)
                session.commit()

    event.listen(engine, "before_cursor_execute", complain)
    bring(engine, file(tmp_path, "email,status\nana@example.com,unsubscribed\n"))
    assert done
    assert listed(engine) == [("ana@example.com", "suppressed")]
    assert steps(engine, "ana@example.com") == []
    engine.dispose()
    other.dispose()


def test_moments_before_the_import_stay_what_they_were(sqlite_engine: Engine, tmp_path: Path) -> None:
    bring(sqlite_engine, file(tmp_path, "email\nana@example.com\n"), now=MONDAY - timedelta(days=400))
    bring(sqlite_engine, file(tmp_path, "email\nana@example.com\n"))
    assert [at for _, _, at in steps(sqlite_engine, "ana@example.com")] == [MONDAY - timedelta(days=400)]

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlmodel import Session, select

from newsletter.db import Table, open_engine, reading, writing
from subscribers import consent, suppression
from subscribers.address import parse_address
from subscribers.csv_file import open_csv
from subscribers.dialects import OURS, recognise
from subscribers.entry import guarded
from subscribers.exporting import PAGE, exported, write_csv
from subscribers.importing import import_csv, import_rows
from subscribers.subscriber import (
    ACTIVE,
    ERASED,
    PAUSED,
    PENDING,
    STATUSES,
    SUPPRESSED,
    UNSUBSCRIBED,
    Subscriber,
    add,
    muting,
)
from subscribers.suppression import REASONS
from tests.newsroom import MONDAY, TUESDAY, subscribe


def written(engine: Engine, status: str | None = None) -> str:
    file = io.StringIO(newline="")
    with reading(engine) as session:
        write_csv(exported(session, status), file)
    return file.getvalue()


def join(session: Session, email: str, status: str, kind: str | None, muted: list[str] | None = None) -> Subscriber:
    one = add(session, parse_address(email), status, MONDAY)
    one.muted = muting(muted or [])
    if kind:
        consent.note(session, one.id or 0, kind, "a form", TUESDAY, whence=consent.Whence("203.0.113.0/24", "Firefox"))
    return one


def test_everybody_but_the_erased_is_in_it_in_the_order_in_which_they_came(engine: Engine) -> None:
    with writing(engine) as session:
        for number, status in enumerate(STATUSES):
            join(session, f"reader{number}@example.com", status, None)
        gone = join(session, "gone@example.com", ACTIVE, None)
        gone.email, gone.address_key, gone.status = "", "erased:6", ERASED
        session.add(gone)
        session.commit()
    rows = list(csv.DictReader(io.StringIO(written(engine))))
    assert [(row["email"], row["status"]) for row in rows] == [
        (f"reader{number}@example.com", status) for number, status in enumerate(STATUSES)
    ]
    assert [row["status"] for row in csv.DictReader(io.StringIO(written(engine, PAUSED)))] == [PAUSED]


def test_it_says_what_is_held_of_a_reader_and_of_their_consent_the_step_that_counts(engine: Engine) -> None:
    with writing(engine) as session:
        ana = join(session, "ana@example.com", PAUSED, consent.SIGNED_UP, ["Video", "Coding, hard"])
        ana.paused_until = datetime(2027, 1, 1, tzinfo=UTC)
        ana.language = "de"
        consent.note(
            session, ana.id or 0, consent.CONFIRMED, "the letter", TUESDAY + timedelta(seconds=1, microseconds=5)
        )
        consent.note(session, ana.id or 0, consent.MOVED, "preferences", TUESDAY + timedelta(days=1))
        join(session, "bo@example.com", PENDING, consent.SIGNED_UP)
        suppression.suppress(session, parse_address("cy@example.com"), suppression.COMPLAINT, "postmark", MONDAY)
        join(session, "cy@example.com", SUPPRESSED, None)
        session.commit()
    assert written(engine).split("\r\n") == [
        "email,status,source,consented_at,since,network,muted_categories,paused_until,suppressed_for,language",
        "ana@example.com,paused,the letter,2026-11-24T09:00:01.000005Z,2026-11-23T08:00:00Z,,"
        '"[""Coding, hard"",""Video""]",2027-01-01T00:00:00Z,,de',
        "bo@example.com,pending,a form,2026-11-24T09:00:00Z,2026-11-23T08:00:00Z,203.0.113.0/24,,,,",
        "cy@example.com,suppressed,,,2026-11-23T08:00:00Z,,,,complaint,",
        "",
    ]


def test_a_list_longer_than_a_page_is_whole(sqlite_engine: Engine) -> None:
    emails = [f"reader{number}@example.com" for number in range(2 * PAGE)]
    subscribe(sqlite_engine, emails, ACTIVE)
    assert [row["email"] for row in csv.DictReader(io.StringIO(written(sqlite_engine)))] == emails


def test_the_apostrophe_that_guards_a_cell_comes_and_goes(sqlite_engine: Engine, tmp_path: Path) -> None:
    emails = ["=cmd|'/c'!a1@example.com", "+49@example.com", "-x@example.com", "'=y@example.com", "'z@example.com"]
    with writing(sqlite_engine) as session:
        for email in emails:
            one = add(session, parse_address(email), ACTIVE, MONDAY)
            consent.note(session, one.id or 0, consent.ADDED, "@home", TUESDAY)
        session.commit()
    first = written(sqlite_engine)
    cells = [row[0] for row in csv.reader(io.StringIO(first))][1:]
    assert cells == [*(f"'{email}" for email in emails[:4]), emails[4]]
    assert not [
        cell for row in csv.reader(io.StringIO(first)) for cell in row if cell[:1] in tuple("=+-@\t\r")[:6] and cell
    ]
    path = tmp_path / "export.csv"
    path.write_text(first, newline="")
    with open_csv(path) as file:
        how = recognise(file.header, path.name, {})
        assert how.is_ours
        report = import_rows(sqlite_engine, file, how, None, MONDAY)
    assert (report.known, report.rows) == (5, 5)


@given(st.text(alphabet="'=+-@\t\rab", max_size=6))
def test_what_is_guarded_is_told_from_what_began_so(text: str) -> None:
    cell = guarded(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (cell[1:] if cell[:1] == "'" and guarded(cell) != cell else cell) == text


MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)
LOCALS = st.from_regex(r"[a-z0-9=+\-'!#$%&*/?^_{|}~][A-Za-z0-9=+\-'_]{0,12}", fullmatch=True)


@st.composite
def readers(draw: st.DrawFn) -> dict[str, object]:
    status = draw(st.sampled_from(list(STATUSES)))
    return {
        "email": draw(LOCALS) + draw(st.sampled_from(["@example.com", "@bücher.example", "@mail.example.org"])),
        "status": status,
        "since": draw(MOMENTS),
        "muted": draw(st.lists(TEXTS, max_size=3)),
        "paused_until": draw(st.none() | MOMENTS) if status == PAUSED else None,
        "source": draw(TEXTS),
        "at": draw(MOMENTS),
        "reason": draw(st.sampled_from(sorted(REASONS))),
        "network": draw(st.none() | st.ip_addresses().map(str)),
        "language": draw(st.sampled_from([None, "de", "en", "fil"])),
    }


def fill(session: Session, drawn: list[dict[str, object]]) -> None:
    """Put readers on the list as its own doors do."""
    for one in drawn:
        address, status = parse_address(str(one["email"])), str(one["status"])
        since, at = one["since"], one["at"]
        assert isinstance(since, datetime)
        assert isinstance(at, datetime)
        reader = add(session, address, status, since)
        reader.language = one["language"]  # type: ignore[assignment]
        reader.muted, reader.paused_until = muting(one["muted"]), one["paused_until"]  # type: ignore[arg-type,assignment]
        kind = {PENDING: consent.SIGNED_UP, UNSUBSCRIBED: consent.CONFIRMED}.get(status, consent.ADDED)
        whence = consent.Whence(one["network"])  # type: ignore[arg-type]
        consent.note(session, reader.id or 0, kind, str(one["source"]), at, whence=whence)
        if status == SUPPRESSED:
            suppression.suppress(session, address, str(one["reason"]), "x", since)
            reader.since = since
        session.add(reader)
    session.commit()


def test_out_and_in_and_out_again_is_the_same_file(new_database: Callable[[str], str], tmp_path: Path) -> None:
    engine = open_engine(new_database("sqlite"))
    path = tmp_path / "export.csv"

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(readers(), max_size=8, unique_by=lambda one: parse_address(str(one["email"])).key))
    def holds(drawn: list[dict[str, object]]) -> None:
        empty(engine)
        with writing(engine) as session:
            fill(session, drawn)
        first = written(engine)
        path.write_text(first, encoding="utf-8", newline="")
        empty(engine)
        report = import_csv(engine, path, None, TUESDAY)
        assert (report.added.total(), report.rows) == (len(drawn), len(drawn))
        assert written(engine) == first
        with reading(engine) as session:
            stored = {one.email: one for one in session.exec(select(Subscriber))}
        for one in drawn:
            found = stored[parse_address(str(one["email"])).email]
            assert (found.status, found.since, found.paused_until) == (one["status"], one["since"], one["paused_until"])
            assert found.muted == muting(one["muted"])  # type: ignore[arg-type]

    holds()
    engine.dispose()


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for name in ("consents", "suppressions", "subscribers"):
            connection.execute(delete(Table.metadata.tables[name]))


def test_a_reader_without_a_step_of_consent_is_written_with_empty_cells(sqlite_engine: Engine) -> None:
    subscribe(sqlite_engine, ["ana@example.com"], UNSUBSCRIBED)
    [row] = csv.DictReader(io.StringIO(written(sqlite_engine)))
    assert (row["source"], row["consented_at"]) == ("", "")
    assert tuple(row) == OURS

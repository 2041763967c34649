from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.db import reading, writing
from subscribers import consent
from subscribers.subscriber import ACTIVE, FINAL, PENDING, Subscriber, every
from subscribers.transfer import MAX_FIELD, CannotRead, Report, import_csv
from tests.newsroom import MONDAY, TUESDAY, subscribe


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "readers.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def bring(engine: Engine, path: Path, source: str | None = None, now: datetime = MONDAY) -> Report:
    with writing(engine) as session:
        report = import_csv(session, path, source, now)
        session.commit()
        return report


def listed(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.email, one.status) for one in every(session)]


def steps(session: Session, email: str) -> list[tuple[str, str, datetime]]:
    number = session.exec(select(Subscriber.id).where(Subscriber.email == email)).one() or 0
    return [(step.kind, step.source, step.at) for step in consent.history(session, number)]


def test_readers_come_in_active_with_the_file_as_the_source_of_their_consent(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    report = bring(sqlite_engine, file(tmp_path, "email\nana@example.com\nbo@example.org\n"))
    assert (dict(report.added), report.known, report.bad) == ({"active": 2}, 0, [])
    assert listed(sqlite_engine) == [("ana@example.com", "active"), ("bo@example.org", "active")]
    with reading(sqlite_engine) as session:
        assert steps(session, "ana@example.com") == [("imported", "readers.csv", MONDAY)]


def test_the_file_may_say_status_source_and_when(engine: Engine, tmp_path: Path) -> None:
    rows = """Status, EMAIL ,consented_at,source,ignored
active,ana@example.com,2025-01-14T08:22:10+05:30,site form,x
Unsubscribed,bo@example.com,2025-01-14,,
 ,cy@example.com,,,
pending,di@example.com
"""
    report = bring(engine, file(tmp_path, rows), source="the old list")
    assert report.bad == []
    assert dict(report.added) == {"active": 2, "unsubscribed": 1, "pending": 1}
    with reading(engine) as session:
        moment = datetime(2025, 1, 14, 2, 52, 10, tzinfo=UTC)
        assert steps(session, "ana@example.com") == [("imported", "site form", moment)]
        assert steps(session, "bo@example.com") == [("imported", "the old list", datetime(2025, 1, 14, tzinfo=UTC))]
        assert steps(session, "cy@example.com") == [("imported", "the old list", MONDAY)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfemail,name\r\nana@example.com,Ana\r\nbo@example.com,Bo\r\n",
        b"email,name\rana@example.com,Ana\rbo@example.com,Bo",
        b'"email","name"\n"ana@example.com","says ""hi"", often"\n\n  ,\n"bo@example.com","two\nlines"\n\n',
        "email,name\nana@example.com,a\u2028b\x0c\x85c\nbo@example.com,d\n".encode(),
        b" Email \nana@example.com\nbo@example.com",
    ],
    ids=["BOM and CRLF", "CR", "quoted", "odd line ends in a field", "blanks, no line end"],
)
def test_files_are_read_as_spreadsheets_write_them(sqlite_engine: Engine, tmp_path: Path, content: bytes) -> None:
    report = bring(sqlite_engine, file(tmp_path, content))
    assert report.bad == []
    assert listed(sqlite_engine) == [("ana@example.com", "active"), ("bo@example.com", "active")]


def test_bad_rows_are_named_by_line_and_the_good_ones_go_in(engine: Engine, tmp_path: Path) -> None:
    rows = """email,note,status,consented_at
ana@example.com,"two
lines",,
nobody,,,

bo@example.com,,enthusiastic,
,empty,,
cy@example.com,a, comma,,active
di@example.com,,,yesterday
eve@example.com,,,0001-01-01T00:00:00+14:00
fay@example.com,,,
"""
    report = bring(engine, file(tmp_path, rows))
    assert [bad.line for bad in report.bad] == [4, 6, 7, 8, 9, 10]
    reasons = [bad.reason for bad in report.bad]
    assert "@" in reasons[0]
    assert reasons[1].startswith("status is 'enthusiastic'; it must be one of pending, active")
    assert reasons[3] == "has 5 fields and the header 4; put quotes around a comma"
    assert reasons[4] == "consented_at is 'yesterday'; write it like 2026-11-18T09:00:00Z"
    assert all("\n" not in reason for reason in reasons)
    assert [email for email, _ in listed(engine)] == ["ana@example.com", "fay@example.com"]


def test_twice_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    path = file(tmp_path, "email,status\nana@example.com,\nbo@example.com,paused\n")
    bring(engine, path)
    before = listed(engine)
    report = bring(engine, path, now=TUESDAY)
    assert (dict(report.added), report.known, report.kept_out) == ({}, 2, 0)
    assert listed(engine) == before
    with reading(engine) as session:
        assert steps(session, "ana@example.com") == [("imported", "readers.csv", MONDAY)]


def test_an_address_comes_in_once_however_often_and_in_whatever_spelling_it_stands(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    rows = "email\nAna@Example.com\nana@example.com\nANA@EXAMPLE.COM\nlena@bücher.example\nlena@xn--bcher-kva.example\n"
    report = bring(sqlite_engine, file(tmp_path, rows))
    assert (report.added.total(), report.known, report.bad) == (2, 3, [])
    assert [email for email, _ in listed(sqlite_engine)] == ["Ana@example.com", "lena@bücher.example"]


@pytest.mark.parametrize("status", sorted(FINAL))
def test_who_has_left_or_is_suppressed_never_comes_back_through_a_file(
    sqlite_engine: Engine, tmp_path: Path, status: str
) -> None:
    subscribe(sqlite_engine, ["ana@example.com"], status)
    report = bring(sqlite_engine, file(tmp_path, "email,status\nANA@example.com,active\nana@example.com,pending\n"))
    assert (dict(report.added), report.known, report.kept_out) == ({}, 2, 1)
    assert listed(sqlite_engine) == [("ana@example.com", status)]


def test_a_reader_who_has_not_confirmed_is_not_made_active_by_a_file(sqlite_engine: Engine, tmp_path: Path) -> None:
    subscribe(sqlite_engine, ["ana@example.com"], PENDING)
    bring(sqlite_engine, file(tmp_path, f"email,status\nana@example.com,{ACTIVE}\n"))
    assert listed(sqlite_engine) == [("ana@example.com", PENDING)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", ':1: the header line must have one column "email"'),
        (b"address,name\nana@example.com,Ana\n", ':1: the header line must have one column "email"'),
        (b"email;name\nana@example.com;Ana\n", ':1: the header line must have one column "email"'),
        (b"email,Email\nana@example.com,bo@example.com\n", ':1: the header line must have one column "email"'),
        ("email\nana@example.com\nrené@example.com\n".encode("latin-1"), ": not a UTF-8 text file"),
        ("email\nana@example.com\n".encode("utf-16"), ": not a UTF-8 text file"),
        (b"email\nana@example.com\nbo\x00@example.com\n", ": holds NUL bytes"),
        (b'email,name\nana@example.com,Ana\nbo@example.com,"Bo\ncy@example.com,Cy\n', ":3: "),
        (b'email\nana@example.com\n"bo@example.com"x\n', ":3: "),
        (
            b'email,name\nana@example.com,"' + b"x\n" * MAX_FIELD + b'"\n',
            ":2: a quote is opened here and never closed",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_of_it_is_stored(
    sqlite_engine: Engine, tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = file(tmp_path, content)
    with writing(sqlite_engine) as session:
        with pytest.raises(CannotRead) as caught:
            import_csv(session, path, None, MONDAY)
        session.commit()
    assert str(caught.value).startswith(f"{path}{complaint}")
    assert "\n" not in str(caught.value)
    assert listed(sqlite_engine) == []


def test_a_file_that_is_not_there_or_is_a_folder_is_named(sqlite_engine: Engine, tmp_path: Path) -> None:
    for path, complaint in ((tmp_path / "none.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(CannotRead, match=complaint) as caught:
            bring(sqlite_engine, path)
        assert str(path) in str(caught.value)


def test_a_header_alone_brings_nobody(sqlite_engine: Engine, tmp_path: Path) -> None:
    report = bring(sqlite_engine, file(tmp_path, "email,status\n"))
    assert (report.added.total(), report.known, report.bad) == (0, 0, [])


@pytest.mark.parametrize("status", sorted(FINAL))
def test_who_left_elsewhere_leaves_here_too_once(engine: Engine, tmp_path: Path, status: str) -> None:
    subscribe(engine, ["ana@example.com"], ACTIVE)
    path = file(tmp_path, f"email,status\nana@example.com,{status}\n")
    assert [bring(engine, path).left, bring(engine, path).left] == [1, 0]
    assert listed(engine) == [("ana@example.com", status)]
    with reading(engine) as session:
        assert [kind for kind, _, _ in steps(session, "ana@example.com")][-1:] == ["left"]

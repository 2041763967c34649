import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from newsletter import migrations
from tests.cli.conftest import Newsletter

QUERIES = [("issues", "list"), ("comparisons", "list"), ("subscribers", "list"), ("db", "check")]


def at(monkeypatch: pytest.MonkeyPatch, url: str | Path) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", url if isinstance(url, str) else f"sqlite:///{url}")


def test_the_first_command_makes_the_database(bare_newsletter: Newsletter) -> None:
    assert bare_newsletter("db", "check").ok() == "every invariant holds\n"
    assert Path("newsletter.db").exists()
    assert bare_newsletter("issues", "list", "--json").document == []


def test_an_upgrade_says_what_it_did_and_then_that_nothing_is_left(bare_newsletter: Newsletter) -> None:
    newest = migrations.newest()
    assert bare_newsletter("db", "upgrade").ok() == f"the database is at migration {newest} (was None)\n"
    assert bare_newsletter("db", "upgrade").ok() == f"the database is at migration {newest}; nothing to do\n"


def test_tidying_forgets_who_never_confirmed(newsletter: Newsletter, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "newsletter.db")) as database:
        database.execute(
            "INSERT INTO subscribers (email, address_key, status, since, muted) "
            "VALUES ('bo@example.com', 'bo@example.com', 'pending', '2026-01-01 09:00:00', '[]')"
        )
        database.commit()
    assert newsletter("tidy").ok().startswith("forgotten, never confirmed: 1;")
    assert "unknown address" in newsletter("subscribers", "show", "bo@example.com").refused()
    assert newsletter("tidy").ok().startswith("forgotten, never confirmed: 0;")


def test_a_violation_is_named_with_status_1(newsletter: Newsletter, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "newsletter.db")) as database:
        database.execute(
            "INSERT INTO issues (week, state, subject, preheader, send_at, created_at, version) "
            "VALUES ('2026-W47', 'draft', 's', 'p', '2026-11-24 09:00:00', '2026-11-23 08:00:00', 0)"
        )
        database.commit()
    said = newsletter("db", "check").refused().splitlines()
    assert said[0] == "issue 2026-W47 has no comparisons"
    assert said[1].startswith("newsletter: 1 things are wrong with the database; stop sending")


@pytest.mark.parametrize("query", QUERIES, ids=" ".join)
def test_a_database_of_another_version_is_not_touched(
    newsletter: Newsletter, tmp_path: Path, query: tuple[str, ...]
) -> None:
    with closing(sqlite3.connect(tmp_path / "newsletter.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    assert newsletter(*query).refused() == (
        f"newsletter: the database is at migration 9999, the program at {migrations.newest()}: "
        "run `newsletter db upgrade`"
    )


def test_a_database_of_a_newer_program_cannot_be_upgraded_and_that_is_said(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "newsletter.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    assert "9999" in newsletter("db", "upgrade").refused()


def test_somebody_elses_database_is_not_touched(
    bare_newsletter: Newsletter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
        database.commit()
        at(monkeypatch, tmp_path / "theirs.db")
        assert "is at migration None" in bare_newsletter("issues", "list").refused()
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.parametrize("query", [*QUERIES, ("db", "upgrade")], ids=" ".join)
def test_a_file_that_is_no_database_is_named_and_not_touched(
    bare_newsletter: Newsletter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: tuple[str, ...]
) -> None:
    file = tmp_path / "photo.db"
    file.write_bytes(b"\xff\xd8 this is a photo " * 100)
    before = file.read_bytes()
    at(monkeypatch, file)
    assert bare_newsletter(*query).refused() == (
        "newsletter: the database says: file is not a database (NEWSLETTER_DATABASE_URL names it)"
    )
    assert file.read_bytes() == before


def test_a_folder_that_is_not_there_or_is_a_file_cannot_hold_the_database(
    bare_newsletter: Newsletter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for folder in ("none", "file"):
        at(monkeypatch, tmp_path / folder / "newsletter.db")
        assert "unable to open database file (NEWSLETTER_DATABASE_URL" in bare_newsletter("issues", "list").refused()


def test_a_server_that_does_not_answer_is_one_line_without_the_password(
    bare_newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, "postgresql://ada:geheim@127.0.0.1:1/newsletter")
    said = bare_newsletter("issues", "list").refused()
    assert "connection" in said
    assert "geheim" not in said
    assert len(said.splitlines()) == 1


def test_the_demo_takes_no_folder_that_is_somebody_elses(bare_newsletter: Newsletter) -> None:
    Path("mine").mkdir()
    Path("mine/novel.txt").write_text("It was a dark and stormy night")
    assert bare_newsletter("demo", "--dir", "mine").refused() == (
        "newsletter: mine is not empty and no demo's; name another folder with --dir"
    )
    assert Path("mine/novel.txt").read_text().startswith("It was")
    assert "mine/novel.txt" in bare_newsletter("demo", "--dir", "mine/novel.txt").refused()


def test_pages_that_cannot_be_served_there_end_with_a_line(bare_newsletter: Newsletter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = bare_newsletter("serve", "--port", str(port)).refused()
    assert said == f"newsletter: port {port} on 127.0.0.1 is in use: choose another with --port"
    assert "cannot listen on 203.0.113.7" in bare_newsletter("serve", "--host", "203.0.113.7").refused()

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.db import open_engine, reading, writing
from subscribers import consent, signup, subscriber
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from subscribers.subscriber import Subscriber, muting
from tests.cli.conftest import Newsletter
from tests.newsroom import IN_W47

ANA = "Ana@example.com"


def database() -> Path:
    return Path(os.environ["NEWSLETTER_DATABASE_URL"].removeprefix("sqlite:///"))


def bytes_of_the_database() -> bytes:
    file = database()
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*")).lower()


def test_a_reader_is_forgotten_and_no_byte_of_the_address_stays(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", ANA, "--source", "by phone, ana@example.com").ok()
    assert b"ana@example.com" in bytes_of_the_database()
    assert newsletter("subscribers", "erase", "ana@EXAMPLE.com", "--yes").ok() == "ana@EXAMPLE.com is forgotten\n"
    assert b"ana@example.com" not in bytes_of_the_database()
    for command in ("show", "proof", "erase"):
        assert newsletter("subscribers", command, ANA).refused() == f"newsletter: {ANA}: unknown address"
    assert newsletter("subscribers", "list", "--json").document == []
    assert newsletter("db", "check").ok() == "every invariant holds\n"


def test_no_file_and_no_editor_brings_back_who_was_forgotten_but_they_themselves_may_come(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    newsletter("subscribers", "add", ANA).ok()
    newsletter("subscribers", "erase", ANA, "--yes").ok()
    (tmp_path / "old.csv").write_text("email\nANA@example.com\nbo@example.com\n")
    said = newsletter("subscribers", "import", str(tmp_path / "old.csv")).ok()
    assert "added: 1 active" in said
    assert "kept out, since they were forgotten at their wish or must not be written to: 1" in said
    assert "only they themselves can come back" in newsletter("subscribers", "add", ANA).refused()
    engine = open_engine(f"sqlite:///{database()}")
    with writing(engine) as session:
        signup.ask(session, parse_address(ANA), Words("1", "Yes."), Whence(), "form", IN_W47)
        (waiting,) = signup.waiting_ids(session, 0, 10)
        assert signup.attend(session, waiting, IN_W47)
        session.commit()
    engine.dispose()
    assert newsletter("subscribers", "show", ANA, "--json").document["status"] == "pending"
    assert newsletter("db", "check").ok() == "every invariant holds\n"


def test_an_address_that_was_forgotten_unconfirmed_may_stand_in_a_file(newsletter: Newsletter, tmp_path: Path) -> None:
    (tmp_path / "waiting.csv").write_text("email,status\nana@example.com,pending\n")
    newsletter("subscribers", "import", str(tmp_path / "waiting.csv")).ok()
    newsletter("subscribers", "erase", ANA, "--yes").ok()
    (tmp_path / "old.csv").write_text("email\nana@example.com\n")
    assert "added: 1 active" in newsletter("subscribers", "import", str(tmp_path / "old.csv")).ok()


def test_whoever_must_not_be_written_to_stays_so_when_forgotten(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", ANA).ok()
    assert newsletter("subscribers", "suppress", ANA, "--reason", "complaint", "--note", f"{ANA} wrote").ok() == (
        "Ana@example.com is suppressed\n"
    )
    said = newsletter("subscribers", "erase", ANA).ok()
    assert said == f"{ANA} is forgotten; a hash of the address stays, since it must not be written to\n"
    assert b"ana@example.com" not in bytes_of_the_database()
    refused = newsletter("subscribers", "add", "ANA@example.com").refused()
    assert "ANA@example.com is suppressed since " in refused
    assert "called a letter spam" in refused
    assert "`newsletter subscribers lift`" in refused


def on_a_terminal(*arguments: str, answer: bytes) -> tuple[int, bytes]:
    """Run a command with a terminal to ask on; its exit status and stderr."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "newsletter", *arguments],
            stdin=theirs,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
            timeout=60,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    return done.returncode, done.stderr


def test_on_a_terminal_it_asks_first(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", ANA).ok()
    status, said = on_a_terminal("subscribers", "erase", ANA, answer=b"n\n")
    assert status == 1
    assert said.endswith(b"newsletter: nothing was changed\n")
    newsletter("subscribers", "show", ANA).ok()
    assert on_a_terminal("subscribers", "erase", ANA, answer=b"y\n")[0] == 0
    newsletter("subscribers", "show", ANA).refused()


def test_a_suppression_is_lifted_with_a_reason_only(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", ANA).ok()
    newsletter("subscribers", "suppress", ANA, "--reason", "hard_bounce").ok()
    shown = newsletter("subscribers", "show", ANA, "--json").document
    assert shown["status"] == "suppressed"
    assert {name: shown["suppression"][name] for name in ("reason", "source")} == {
        "reason": "hard_bounce",
        "source": "an editor",
    }
    assert "the address does not exist (an editor)" in newsletter("subscribers", "show", ANA).ok()
    assert "--because" in newsletter("subscribers", "lift", ANA).misused()
    assert newsletter("subscribers", "lift", ANA, "--because", " ").refused() == (
        "newsletter: say why the suppression is lifted"
    )
    done = newsletter("subscribers", "lift", ANA, "--because", "a new mailbox")
    assert done.out == "Ana@example.com may be written to again; now active\n"
    assert "the provider may keep a list of its own" in done.err
    assert newsletter("subscribers", "lift", ANA, "--because", "x").ok() == (
        "Ana@example.com is not suppressed; nothing to do\n"
    )
    assert newsletter("subscribers", "show", ANA, "--json").document["suppression"] is None


def test_an_address_that_nobody_reads_at_can_be_suppressed_and_lifted(newsletter: Newsletter) -> None:
    newsletter("subscribers", "suppress", ANA).ok()
    assert newsletter("subscribers", "suppress", ANA).ok() == "Ana@example.com had been suppressed before\n"
    for command in ("show", "proof"):
        said = newsletter("subscribers", command, ANA).refused()
        assert said.startswith(f"newsletter: {ANA}: unknown address; it is suppressed since 2")
        assert said.endswith(" UTC: an editor said so (an editor)")
    assert newsletter("subscribers", "lift", ANA, "--because", "a mistake").ok() == (
        "Ana@example.com may be written to again; not on the list\n"
    )
    assert newsletter("subscribers", "show", ANA).refused() == f"newsletter: {ANA}: unknown address"
    newsletter("subscribers", "add", ANA).ok()


def test_a_complaint_that_takes_the_place_of_another_reason_is_said_to_do_so(newsletter: Newsletter) -> None:
    newsletter("subscribers", "suppress", ANA).ok()
    assert newsletter("subscribers", "suppress", ANA, "--reason", "complaint").ok() == (
        "Ana@example.com had been suppressed before (an editor said so); from now on: the reader called a letter spam\n"
    )
    for reason in ("complaint", "hard_bounce"):
        assert newsletter("subscribers", "suppress", ANA, "--reason", reason).ok() == (
            "Ana@example.com had been suppressed before\n"
        )


def test_an_erasure_that_others_hinder_names_what_to_do_and_tidying_says_it_too(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.db.PATIENCE", 50)
    newsletter("subscribers", "add", ANA).ok()
    engine = open_engine(os.environ["NEWSLETTER_DATABASE_URL"])
    with reading(engine) as session:
        assert subscriber.find(session, parse_address(ANA))
        erased = newsletter("subscribers", "erase", ANA, "--yes")
        tidied = newsletter("tidy")
        assert b"ana@example.com" in bytes_of_the_database()
    engine.dispose()
    for done in (erased, tidied):
        assert done.status == 0
        assert "run `newsletter tidy`" in done.err
    newsletter("tidy").ok()
    assert b"ana@example.com" not in bytes_of_the_database()


def test_a_reason_that_is_none_of_the_words_is_wrong_usage(newsletter: Newsletter) -> None:
    assert "'dislike'" in newsletter("subscribers", "suppress", ANA, "--reason", "dislike").misused()


@pytest.fixture
def member(newsletter: Newsletter) -> Newsletter:
    """Ana, who has confirmed at a form, and mutes a category."""
    newsletter("subscribers", "add", ANA, "--source", "by phone").ok()
    engine = open_engine(os.environ["NEWSLETTER_DATABASE_URL"])
    with writing(engine) as session:
        words, whence = Words("confirm-1", "Yes, write to me"), Whence("192.0.2.7", "Firefox")
        consent.note(session, 1, consent.CONFIRMED, "the page", IN_W47, words, whence)
        session.get_one(Subscriber, 1).muted = muting(["Design", "Code"])
        session.commit()
    engine.dispose()
    return newsletter


def test_a_reader_is_shown_with_what_they_chose_and_what_they_said(member: Newsletter) -> None:
    shown = member("subscribers", "show", ANA, "--json").document
    assert shown["muted_categories"] == ["Code", "Design"]
    assert shown["paused_until"] is None
    assert shown["consent"][1] == {
        "kind": "confirmed",
        "source": "the page",
        "at": "2026-11-18T09:00:00Z",
        "words": "Yes, write to me",
        "words_version": "confirm-1",
        "network": "192.0.2.7",
        "user_agent": "Firefox",
    }
    said = member("subscribers", "show", ANA).ok()
    for words in ("muted: Code, Design", "confirm-1", "192.0.2.7", "Firefox"):
        assert words in said


def test_the_proof_of_consent_is_one_document_for_its_readers_eyes(member: Newsletter) -> None:
    printed = member("subscribers", "proof", ANA).document
    assert printed["consent"][1]["words"] == "Yes, write to me"
    assert member("subscribers", "proof", ANA, "--out", "ana.json").ok() == "wrote ana.json\n"
    file = Path("ana.json")
    assert json.loads(file.read_bytes()) == printed
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    member("subscribers", "proof", ANA, "--out", "ana.json").ok()
    assert file.stat().st_mode & 0o777 == 0o600
    assert printed["consent"][1]["at"] == "2026-11-18T09:00:00Z"
    assert member("subscribers", "proof", ANA, "--out", "none/ana.json").refused() == (
        "newsletter: none/ana.json: No such file or directory"
    )

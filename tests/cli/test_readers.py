import os
from pathlib import Path

import pytest

from newsletter.db import open_engine, writing
from newsletter.tracking.store import StoredEvent
from subscribers import suppression
from subscribers.address import parse_address
from tests.cli.conftest import Newsletter
from tests.newsroom import IN_W46


def write(name: str, content: str) -> Path:
    Path(name).write_text(content)
    return Path(name)


def statuses(newsletter: Newsletter) -> dict[str, str]:
    return {one["email"]: one["status"] for one in newsletter("subscribers", "list", "--json").document}


def test_readers_are_imported_and_a_second_time_changes_nothing(newsletter: Newsletter) -> None:
    file = write("old.csv", "email,status\nana@example.com,\nbo@example.com,paused\n")
    first = newsletter("subscribers", "import", file, "--source", "the old list").ok()
    assert first == "added: 1 active, 1 paused; on the list before: 0; left out: 0\n"
    assert newsletter("subscribers", "import", file).ok() == "added: none; on the list before: 2; left out: 0\n"
    assert statuses(newsletter) == {"ana@example.com": "active", "bo@example.com": "paused"}
    shown = newsletter("subscribers", "show", "ANA@example.com", "--json").document
    assert {name: shown[name] for name in ("email", "status", "muted_categories")} == {
        "email": "ana@example.com",
        "status": "active",
        "muted_categories": [],
    }
    assert [(step["kind"], step["source"]) for step in shown["consent"]] == [("imported", "the old list")]
    assert shown["since"].endswith(("Z", "+00:00"))


def test_nobody_who_has_left_comes_back_by_a_file_or_an_editor(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", "ana@example.com").ok()
    assert newsletter("subscribers", "unsubscribe", "Ana@example.com").ok() == "ana@example.com has left the list\n"
    assert newsletter("subscribers", "unsubscribe", "ana@example.com").ok() == (
        "ana@example.com had left before; nothing to do\n"
    )
    done = newsletter("subscribers", "import", write("new.csv", "email\nana@example.com\n"))
    assert (done.status, done.err) == (0, "1 of those on the list have left or are suppressed, and stay so\n")
    assert newsletter("subscribers", "add", "ana@example.com").refused() == (
        "newsletter: ana@example.com is unsubscribed, and only they themselves can come back"
    )
    assert statuses(newsletter) == {"ana@example.com": "unsubscribed"}


def test_one_reader_is_added_once_with_the_source_of_consent(newsletter: Newsletter) -> None:
    assert newsletter("subscribers", "add", "ana@example.com", "--source", "by phone").ok() == (
        "ana@example.com is on the list\n"
    )
    assert newsletter("subscribers", "add", "ANA@example.com").ok() == "ana@example.com is on the list already\n"
    shown = newsletter("subscribers", "show", "ana@example.com", "--json").document
    assert [(step["kind"], step["source"]) for step in shown["consent"]] == [("added", "by phone")]
    assert "by phone" in newsletter("subscribers", "show", "ana@example.com").ok()


@pytest.mark.parametrize("command", ["show", "unsubscribe"])
def test_an_unknown_address_is_said_to_be_unknown(newsletter: Newsletter, command: str) -> None:
    assert newsletter("subscribers", command, "ana@example.com").refused() == (
        "newsletter: ana@example.com: unknown address"
    )
    assert newsletter("subscribers", command, "[bold]ana").refused().startswith("newsletter: [bold]ana: ")


def test_readers_are_listed_by_status(newsletter: Newsletter) -> None:
    newsletter("subscribers", "import", write("a.csv", "email,status\na@example.com,\nb@example.com,pending\n"))
    listed = newsletter("subscribers", "list", "--status", "pending", "--json").document
    assert [one["email"] for one in listed] == ["b@example.com"]
    shown = newsletter("subscribers", "list").ok()
    assert "a@example.com" in shown
    assert "b@example.com" in shown


def test_a_reader_who_asked_for_a_rest_is_not_brought_back_by_an_editor(newsletter: Newsletter) -> None:
    newsletter("subscribers", "import", write("old.csv", "email,status\nbo@example.com,paused\n"))
    done = newsletter("subscribers", "add", "bo@example.com")
    assert (done.status, done.out) == (1, "")
    assert "paused" in done.err
    assert statuses(newsletter) == {"bo@example.com": "paused"}


@pytest.mark.parametrize("command", ["show", "import"])
def test_a_files_words_do_not_work_the_terminal(newsletter: Newsletter, command: str) -> None:
    file = write(
        "x.csv", "email,source,muted_categories,\x1b[2Jodd\nana@example.com,\x1b]0;mine\x07,\x1b[5m\x9bagents,\n"
    )
    imported = newsletter("subscribers", "import", file)
    printed = imported.err if command == "import" else newsletter("subscribers", "show", "ana@example.com").ok()
    assert not {"\x1b", "\x07", "\x9b"} & set(printed)
    assert r"\x1b" in printed


def test_what_came_back_of_a_reader_is_shown_and_a_rule_of_ours_is_lifted_here_alone(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", "ana@example.com").ok()
    engine = open_engine(os.environ["NEWSLETTER_DATABASE_URL"])
    with writing(engine) as session:
        for number in range(12):
            session.add(
                StoredEvent(
                    key=str(number), source="webhook", record_type="Bounce", kind="bounced_soft",
                    detail=f"Soft {number}", at=IN_W46, received_at=IN_W46, subscriber_id=1,
                )
            )  # fmt: skip
        suppression.suppress(
            session, parse_address("ana@example.com"), suppression.SOFT_BOUNCE, "letters came back", IN_W46
        )
        session.commit()
    engine.dispose()
    shown = newsletter("subscribers", "show", "ana@example.com").ok()
    assert "suppressed since 2026-11-11 09:00 UTC: letter after letter came back (letters came back)" in shown
    assert "Soft 11" in shown
    assert "Soft 1 " not in shown
    document = newsletter("subscribers", "show", "ana@example.com", "--json").document
    assert document["suppression"]["reason"] == "soft_bounce"
    assert [one["detail"] for one in document["events"]] == [f"Soft {number}" for number in range(11, 1, -1)]
    done = newsletter("subscribers", "lift", "ana@example.com", "--because", "a bigger mailbox")
    assert (done.status, done.err) == (0, ""), "the provider knows nothing of it"
    assert done.out == "ana@example.com may be written to again; now active\n"

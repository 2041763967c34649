"""`newsletter events …`."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from newsletter import outgoing
from newsletter.assembly import assemble
from newsletter.sandbox.server import Sandbox
from tests.cli.conftest import Newsletter
from tests.newsroom import RULES, W47, approve, at, draft, publish, subscribe

NOW = datetime.now(UTC)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The provider, as the settings name it, some hours ago."""
    with Sandbox(clock=lambda: NOW - timedelta(hours=2)) as running:
        monkeypatch.setenv("NEWSLETTER_PROVIDER", "postmark")
        monkeypatch.setenv("NEWSLETTER_POSTMARK_API_URL", running.url)
        monkeypatch.setenv("NEWSLETTER_POSTMARK_SERVER_TOKEN", running.token)
        yield running


@pytest.fixture
def sent(newsletter: Newsletter, sandbox: Sandbox) -> Newsletter:
    """An issue went out to a reader who complained, and to an address that bounces."""
    with closing(assemble()) as assembly:
        publish(assembly.engine)
        draft(assembly.engine)
        approve(assembly.engine)
        subscribe(assembly.engine, ["ana@example.com", "SoftBounce@bounce-testing.postmarkapp.com"])
        outgoing.send_issue(assembly.engine, RULES, assembly.post, W47, at(NOW - timedelta(hours=2)))
    sandbox.complain(sandbox.messages[0].id)
    return newsletter


def test_what_was_asked_and_what_was_new_is_printed_and_again_nothing_is(sent: Newsletter) -> None:
    assert sent("events", "backfill", "--days", "3").out.splitlines() == [
        "asked about: bounces 2, suppressions 1, messages 2",
        "      1 new: delivered (the reader's mail server took it)",
        "      1 new: bounced_soft (it came back for a reason that may pass)",
        "      2 new: complained (the reader called it spam)",
    ]
    assert "nothing new" in sent("events", "backfill").out
    document = sent("events", "backfill", "--json").document
    assert {name: document[name] for name in ("asked", "bounces", "messages", "more", "stopped")} == {
        "asked": True, "bounces": 2, "messages": 0, "more": False, "stopped": None,
    }  # fmt: skip
    assert not any(document["new"].values())


def test_a_provider_that_cannot_be_asked_is_one_line_and_what_was_read_is_said(
    sent: Newsletter, sandbox: Sandbox
) -> None:
    sandbox.faults.set("429:on=search")
    done = sent("events", "backfill")
    assert done.status == 1
    assert done.out.startswith("asked about: bounces 2, suppressions 1, messages 0\n")
    assert "429" in done.err
    assert "what was read is kept" in done.err
    assert "Traceback" not in done.err


def test_the_newest_events_are_listed(sent: Newsletter) -> None:
    assert sent("events", "list").ok() == "nothing came back so far\n"
    assert sent("events", "list", "--json").document == []
    sent("events", "backfill")
    everything = sent("events", "list", "--json").document
    assert {(each["kind"], each["detail"], each["letter"], each["email"]) for each in everything} == {
        ("delivered", None, "2026-W47", "ana@example.com"),
        ("complained", "SpamComplaint", "2026-W47", "ana@example.com"),
        ("bounced_soft", "SoftBounce", "2026-W47", "SoftBounce@bounce-testing.postmarkapp.com"),
    }
    assert len(sent("events", "list", "--most", "1", "--json").document) == 1
    assert {each["kind"] for each in sent("events", "list", "--kind", "delivered", "--json").document} == {"delivered"}
    assert len(sent("events", "list", "--week", "2026-W47", "--json").document) == len(everything)
    table = sent("events", "list").ok()
    assert "ana@example.com" in table
    assert "SoftBounce" in table
    assert "choose from delivered, bounced_hard" in sent("events", "list", "--kind", "eaten").misused()
    assert "2026-W01" in sent("events", "list", "--week", "2026-W01").refused()


@pytest.mark.parametrize(
    "settings", [{}, {"PROVIDER": "smtp", "SMTP_URL": "smtp://127.0.0.1:9"}], ids=["outbox", "smtp"]
)
def test_a_provider_without_a_history_has_nothing_to_be_asked(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"NEWSLETTER_{name}", value)
    assert "keeps no history of its own; nothing to ask" in newsletter("events", "backfill").ok()
    assert newsletter("events", "backfill", "--json").document["asked"] is False

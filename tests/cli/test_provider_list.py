"""`newsletter subscribers sync`."""

from collections.abc import Iterator

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.cli.conftest import Newsletter

GONE = "ana@example.com"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The provider, as the settings name it."""
    with Sandbox() as running:
        monkeypatch.setenv("NEWSLETTER_PROVIDER", "postmark")
        monkeypatch.setenv("NEWSLETTER_POSTMARK_API_URL", running.url)
        monkeypatch.setenv("NEWSLETTER_POSTMARK_SERVER_TOKEN", running.token)
        yield running


def close(sandbox: Sandbox, email: str) -> None:
    """Put an address on the list for issues by hand, as in Postmark's pages."""
    requests.post(
        f"{sandbox.url}message-streams/broadcast/suppressions",
        json={"Suppressions": [{"EmailAddress": email}]},
        headers={"Accept": "application/json", "X-Postmark-Server-Token": sandbox.token},
        timeout=5,
    ).raise_for_status()


def test_what_came_of_the_providers_list_is_printed(newsletter: Newsletter, sandbox: Sandbox) -> None:
    newsletter("subscribers", "add", GONE).ok()
    newsletter("subscribers", "add", "bo@example.com").ok()
    assert newsletter("subscribers", "sync").ok() == "on the provider's list: 0\n"
    close(sandbox, GONE)
    close(sandbox, "stranger@example.com")
    assert newsletter("subscribers", "sync").ok().splitlines() == [
        "on the provider's list: 2",
        "      1 suppressed from now on",
        "      1 not on our list",
    ]
    assert newsletter("subscribers", "sync", "--json").document == {
        "has_list": True,
        "listed": 2,
        "left": 0,
        "suppressed": 0,
        "known": 1,
        "came_back": 0,
        "stranger": 1,
        "elsewhere": 0,
        "unreadable": 0,
    }
    assert newsletter("subscribers", "show", GONE, "--json").document["status"] == "suppressed"
    assert newsletter("subscribers", "show", "bo@example.com", "--json").document["status"] == "active"


@pytest.mark.parametrize(
    "settings", [{}, {"PROVIDER": "smtp", "SMTP_URL": "smtp://127.0.0.1:9"}], ids=["outbox", "smtp"]
)
def test_a_provider_without_a_list_has_nothing_to_be_asked(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"NEWSLETTER_{name}", value)
    assert "keeps no list of its own; nothing to ask" in newsletter("subscribers", "sync").ok()
    asked = newsletter("subscribers", "sync", "--json").document
    assert (asked["has_list"], asked["listed"]) == (False, 0)


def test_a_provider_that_is_away_is_said_in_a_line(
    newsletter: Newsletter, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.close()
    assert "Postmark could not be asked" in newsletter("subscribers", "sync").refused()


def test_a_stream_that_is_not_there_is_named(
    newsletter: Newsletter, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_POSTMARK_TRANSACTIONAL_STREAM", "letters")
    said = newsletter("subscribers", "sync").refused()
    assert "the stream letters: " in said
    assert "check NEWSLETTER_POSTMARK_STREAM and NEWSLETTER_POSTMARK_TRANSACTIONAL_STREAM" in said

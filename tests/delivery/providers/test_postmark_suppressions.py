"""Postmark's own list of those whom it will not write to, as it answers when asked."""

from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.postmark_suppressions import read
from newsletter.delivery.provider import CannotAsk, Listed
from newsletter.sandbox.server import Sandbox
from tests.delivery.providers.scripted import Request, ScriptedPostmark


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "EmailAddress": "ada@example.com",
        "SuppressionReason": "HardBounce",
        "Origin": "Recipient",
        "CreatedAt": "2026-11-05T11:33:54.9070259-05:00",
        **fields,
    }


def test_entries_are_read_with_their_moment_in_utc() -> None:
    at = datetime(2026, 11, 5, 16, 33, 54, 907025, UTC)
    assert read({"Suppressions": [entry()]}, "outbound") == [Listed("ada@example.com", "outbound", "bounced", at)]
    assert read({"Suppressions": []}, "outbound") == []


def test_an_entry_for_a_reason_unknown_to_us_is_passed_over() -> None:
    assert read({"Suppressions": [entry(SuppressionReason="BadWeather")]}, "outbound") == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"Suppressions": None},
        {"Suppressions": [None]},
        {"Suppressions": [entry(EmailAddress=None)]},
        {"Suppressions": [entry(CreatedAt="soon")]},
        {"Suppressions": [entry(), {}]},
    ],
)
def test_a_list_in_another_form_is_an_error_and_not_an_empty_list(answer: object) -> None:
    with pytest.raises(ValueError, match=r"list|entry") as caught:
        read(answer, "broadcast")
    assert "ada@" not in str(caught.value)


def test_a_stream_that_is_not_there_is_named_with_what_to_do() -> None:
    with Sandbox() as sandbox:
        provider = PostmarkProvider(sandbox.token, sandbox.url)
        with pytest.raises(CannotAsk, match=r"the stream we ekly\?c: .*check NEWSLETTER_POSTMARK_STREAM") as caught:
            provider.listed("we ekly?c")
        provider.close()
    assert sandbox.token not in str(caught.value)


def test_an_answer_that_cannot_be_read_is_not_taken_for_an_empty_list() -> None:
    def answer(request: Request) -> None:
        request.answer(200, {"Suppressions": "none"})

    with ScriptedPostmark(answer, other=answer) as server:
        provider = PostmarkProvider("token", server.url)
        with pytest.raises(CannotAsk, match="the stream broadcast cannot be read"):
            provider.listed("broadcast")
        provider.close()

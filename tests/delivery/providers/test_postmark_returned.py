"""What Postmark shows of what came back, however much it is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from newsletter.delivery import postmark_returned
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import CannotAsk
from newsletter.sandbox.server import Sandbox

UNKNOWN = "b6a1e3a2-0000-4000-8000-000000000000"
NOON = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
"""Half an hour past midnight in New York, in the night in which an hour comes twice."""


@pytest.fixture
def moments() -> list[datetime]:
    return [NOON]


@pytest.fixture
def sandbox(moments: list[datetime]) -> Iterator[Sandbox]:
    with Sandbox(clock=lambda: moments[-1]) as running:
        yield running


@pytest.fixture
def provider(sandbox: Sandbox) -> Iterator[PostmarkProvider]:
    made = PostmarkProvider(sandbox.token, sandbox.url, 10)
    yield made
    made.close()


def bounce(sandbox: Sandbox, count: int, stream: str = "broadcast") -> None:
    message = {
        "From": "news@example.com", "To": "SoftBounce@bounce-testing.postmarkapp.com", "Subject": "s", "TextBody": "t",
        "MessageStream": stream,
    }  # fmt: skip
    for first in range(0, count, 500):
        requests.post(
            f"{sandbox.url}email/batch",
            json=[message] * min(500, count - first),
            headers={"Accept": "application/json", "X-Postmark-Server-Token": sandbox.token},
            timeout=10,
        ).raise_for_status()


def numbers(provider: PostmarkProvider, stream: str = "broadcast") -> list[int]:
    shown = provider.returned(stream, NOON - timedelta(days=1), NOON + timedelta(days=1))
    return [each["ID"] for each in shown]


def test_more_bounces_than_one_search_shows_are_shown_all(
    sandbox: Sandbox, provider: PostmarkProvider, moments: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The window is narrowed here and not in the sandbox, which would have to be given 10,000 bounces first.
    monkeypatch.setattr(postmark_returned, "WINDOW", 160)
    monkeypatch.setattr(postmark_returned, "PAGE", 25)
    for hour in range(6):  # through the hour that comes twice
        moments.append(NOON + timedelta(hours=hour / 2))
        bounce(sandbox, 50)
    bounce(sandbox, 3, "outbound")
    found = numbers(provider)
    assert len({*found}) == 300
    assert len(numbers(provider, "outbound")) == 3


def test_more_of_one_moment_than_can_be_shown_is_said(
    sandbox: Sandbox, provider: PostmarkProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmark_returned, "WINDOW", 60)
    bounce(sandbox, 70)
    with pytest.raises(CannotAsk, match="Postmark has 70 bounces of one moment"):
        numbers(provider)


def test_a_message_that_is_not_shown_is_none_and_an_answer_in_another_form_is_none_either(
    sandbox: Sandbox, provider: PostmarkProvider
) -> None:
    assert provider.history(UNKNOWN) is None
    assert provider.history("<another.provider@example.com>") is None
    sandbox.faults.set("no-code:on=all,status=502", "html-200:on=all")
    for ask in (
        lambda: provider.history(UNKNOWN),
        lambda: provider.kept_out("broadcast", NOON),
        lambda: numbers(provider),
    ):
        with pytest.raises(CannotAsk):
            ask()

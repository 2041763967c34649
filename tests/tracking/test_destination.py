"""Where a click led, and that no key of a reader's is in it."""

import pytest

from tests.tracking.test_postmark import OURS, clicked, told


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        (f"{OURS}/comparisons/ruff-vs-flake8?utm=1#top", "comparisons/ruff-vs-flake8"),
        (f"{OURS}/issues/2026-W47", "issues/2026-W47"),
        (f"{OURS}/vote/secret.key/ruff-vs-flake8?choice=left&x=1", "votes/ruff-vs-flake8/left"),
        (f"{OURS}/vote/secret.key/ruff-vs-flake8", "votes/ruff-vs-flake8"),
        (f"{OURS}/vote/secret.key", "vote"),
        (f"{OURS}/canary/secret.key", "canary"),
        (f"{OURS}/unsubscribe/secret.key?x=secret.key", "unsubscribe"),
        ("HTTP://Verdicts.example.com/tools//preferences/secret.key", "preferences"),
        (OURS, "/"),
        (f"{OURS}/", "/"),
        ("https://verdicts.example.com/toolshed?a=1", "https://verdicts.example.com/toolshed?a=1"),
        ("https://ruff.example/docs?a=1", "https://ruff.example/docs?a=1"),
        ("https://[ruff.example/", "https://[ruff.example/"),
        ("mailto:ada@example.com", "mailto:ada@example.com"),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_click_leads_to_a_path_of_ours_without_keys_or_to_a_whole_address(link: object, leads_to: str | None) -> None:
    assert told(clicked(OriginalLink=link)).link == leads_to

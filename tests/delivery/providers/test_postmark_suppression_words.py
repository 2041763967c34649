"""Each word of Postmark's list, read by itself: why, when and of whom; and what the errors name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.delivery.postmark_suppressions import moment, read, why
from tests.delivery.providers.test_postmark_suppressions import entry


@pytest.mark.parametrize(
    ("reason", "origin", "meaning"),
    [
        ("ManualSuppression", "Recipient", "left"),
        ("ManualSuppression", "Customer", "closed"),
        ("ManualSuppression", "Admin", "closed"),
        ("ManualSuppression", "Somebody", "left"),
        ("ManualSuppression", None, "left"),
        ("ManualSuppression", ["Admin"], "left"),
        ("HardBounce", "Recipient", "bounced"),
        ("HardBounce", "Admin", "bounced"),
        ("SpamComplaint", "Customer", "complained"),
        ("SpamComplaint", None, "complained"),
        ("BadWeather", "Recipient", None),
        (None, "Recipient", None),
        (["HardBounce"], "Recipient", None),
    ],
)
def test_the_reason_counts_and_of_a_manual_one_also_whose_it_was(
    reason: object, origin: object, meaning: str | None
) -> None:
    assert why(reason, origin) == meaning
    found = read({"Suppressions": [entry(SuppressionReason=reason, Origin=origin)]}, "broadcast")
    assert [(one.why, one.stream) for one in found] == ([(meaning, "broadcast")] if meaning else [])


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-11-05T11:33:54.9070259-05:00", datetime(2026, 11, 5, 16, 33, 54, 907025, UTC)),
        ("2026-11-05T11:33:54Z", datetime(2026, 11, 5, 11, 33, 54, tzinfo=UTC)),
        ("2026-11-05T11:33:54", datetime(2026, 11, 5, 16, 33, 54, tzinfo=UTC)),  # Eastern, in winter
        ("2026-07-05T11:33:54", datetime(2026, 7, 5, 15, 33, 54, tzinfo=UTC)),  # and in summer
    ],
)
def test_a_moment_without_an_offset_is_eastern_time(written: str, read_as: datetime) -> None:
    assert moment(written) == read_as
    assert moment(written).tzinfo is UTC


@pytest.mark.parametrize("written", ["soon", "0001-01-01T00:00:00+14:00", ""])
def test_what_is_no_moment_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(ValueError, match=r"^a moment is not written as one$"):
        moment(written)


@pytest.mark.parametrize("written", [None, 1_700_000_000])
def test_a_moment_of_another_kind_is_named_by_its_kind(written: object) -> None:
    with pytest.raises(ValueError, match=rf"^a {type(written).__name__} is no moment$"):
        moment(written)


def test_what_is_passed_over_hides_nothing_behind_it() -> None:
    entries = [entry(SuppressionReason="BadWeather", CreatedAt=None), entry(EmailAddress="bo@example.com")]
    assert [one.email for one in read({"Suppressions": entries}, "outbound")] == ["bo@example.com"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "there is no list of suppressions in it"),
        ({"Suppressions": [entry(), {}]}, "entry 1 has no address"),
        ({"Suppressions": [entry(), entry(CreatedAt="soon")]}, "entry 1: a moment is not written as one"),
    ],
)
def test_an_error_says_which_entry_and_what_is_wrong_with_it(answer: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"^{complaint}$"):
        read(answer, "outbound")

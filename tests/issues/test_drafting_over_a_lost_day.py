"""A day that a time zone leaves out may take the draft's slot beyond the send's: then it begins as long before."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from newsletter.issues.week import Slot, Week

APIA = ZoneInfo("Pacific/Apia")
LOST = Week(2011, 51)  # of the week after it, Friday the 30th never came


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("draft_at", "send_at", "begins", "ends"),
    [
        # The draft's Friday 09:00 is Saturday 09:00, and the letter goes out at 08:30: 23 hours and a half before it.
        ((4, 9, 0), (5, 8, 30), utc(2011, 12, 29, 19), utc(2011, 12, 30, 18, 30)),
        ((4, 9, 15), (5, 8, 30), utc(2011, 12, 29, 19, 15), utc(2011, 12, 30, 18, 30)),
        # The same moment is not before it either.
        ((4, 9, 0), (5, 9, 0), utc(2011, 12, 29, 19), utc(2011, 12, 30, 19)),
        ((4, 9, 0), (5, 9, 30), utc(2011, 12, 30, 19), utc(2011, 12, 30, 19, 30)),
        ((3, 9, 0), (5, 8, 30), utc(2011, 12, 29, 19), utc(2011, 12, 30, 18, 30)),
    ],
)
def test_the_draft_always_begins_before_it_ends(
    draft_at: Slot, send_at: Slot, begins: datetime, ends: datetime
) -> None:
    assert LOST.drafting(draft_at, send_at, APIA) == (begins, ends)

"""What Postmark shows in several places, put together."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.tracking.event import BOUNCED_HARD, COMPLAINED, POLL, SUBSCRIBED, UNSUBSCRIBED
from newsletter.tracking.postmark_polled import Change, changes_in, of_bounce, of_list, of_message, put_together

AT = datetime(2026, 11, 24, 9, 0, 7, 123456, tzinfo=UTC)
ID = "883953f4-6105-42a2-a16a-77a8eac79483"
ADA = "ada@example.com"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def details(*happenings: tuple[str, dict[str, Any]], **fields: Any) -> dict[str, Any]:
    events = [
        {"Recipient": ADA, "Type": kind, "ReceivedAt": AT.isoformat(), "Details": said} for kind, said in happenings
    ]
    return {"MessageID": ID, "MessageStream": "broadcast", "Metadata": {}, "MessageEvents": events, **fields}


def changed(suppressed: str = "True", origin: str = "Recipient") -> tuple[str, dict[str, Any]]:
    return "SubscriptionChanged", {"Origin": origin, "SuppressSending": suppressed}


def entry(reason: str, late: timedelta = timedelta(0), origin: str = "Recipient") -> Change:
    at = (AT + late).replace(microsecond=0).isoformat()
    listed = {"EmailAddress": ADA.upper(), "SuppressionReason": reason, "Origin": origin, "CreatedAt": at}
    change = of_list({**listed, "MessageStream": "broadcast"})
    assert change is not None
    return change


def bounce(kind: str, **fields: Any) -> Any:
    shown = {"ID": 7, "Type": kind, "MessageID": ID, "Email": ADA, "BouncedAt": AT.isoformat(), "Inactive": True}
    return of_bounce({**shown, "MessageStream": "broadcast", **fields})


def test_the_list_says_why_and_the_message_says_which_and_when() -> None:
    (change,) = put_together(changes_in(details(changed())), [entry("SpamComplaint")], [])
    event = change.event()
    assert (event.kind, event.detail, event.at, event.message_id) == (COMPLAINED, "SpamComplaint", AT, ID)
    assert (event.source, event.email) == (POLL, ADA)


@pytest.mark.parametrize(
    ("message", "bounces", "expected"),
    [
        (details(changed()), [], (UNSUBSCRIBED, "ManualSuppression")),
        (details(changed(origin="Customer")), [], (UNSUBSCRIBED, "ManualSuppression")),
        (details(("Bounced", {"BounceID": "7"}), changed()), [], (BOUNCED_HARD, "HardBounce")),
        (details(("Bounced", {"BounceID": "7"}), changed()), [bounce("SpamComplaint")], (COMPLAINED, "SpamComplaint")),
        (details(changed()), [bounce("Blocked")], (BOUNCED_HARD, "HardBounce")),
        (details(changed()), [bounce("HardBounce", MessageStream="outbound")], (UNSUBSCRIBED, "ManualSuppression")),
        (details(changed("False")), [bounce("HardBounce")], (SUBSCRIBED, None)),
    ],
)
def test_why_is_concluded_from_a_bounce_where_the_list_says_it_no_more(
    message: dict[str, Any], bounces: list[Any], expected: tuple[str, str | None]
) -> None:
    (change,) = put_together(changes_in(message), [], bounces)
    event = change.event()
    assert (event.kind, event.detail) == expected


def test_an_entry_of_the_list_takes_its_message_from_the_bounce_that_led_to_it() -> None:
    (change,) = put_together([], [entry("HardBounce")], [bounce("HardBounce")])
    assert (change.message_id, change.event().kind) == (ID, BOUNCED_HARD)
    (own,) = put_together([], [entry("ManualSuppression", origin="Customer")], [bounce("HardBounce")])
    assert own.message_id is None


def test_two_changes_of_one_address_that_lie_apart_stay_two() -> None:
    later = entry("ManualSuppression", timedelta(hours=1))
    assert len(put_together(changes_in(details(changed())), [later], [])) == 2


@settings(max_examples=200, deadline=None)
@given(message=st.dictionaries(st.sampled_from(["MessageID", "Metadata", "MessageStream", "x"]), JSON), inner=JSON,
       kind=st.sampled_from(["Delivered", "Opened", "LinkClicked", "SubscriptionChanged", "Bounced", "New"]),
       recipient=JSON, at=JSON)  # fmt: skip
def test_whatever_is_shown_is_read(message: dict[str, Any], inner: Any, kind: str, recipient: Any, at: Any) -> None:
    happening = {"Type": kind, "Recipient": recipient, "ReceivedAt": at, "Details": inner}
    shown = {**message, "MessageEvents": [happening, {}]}
    of_message(shown, "https://x.example")
    put_together(changes_in(shown), [], [of_bounce({**message, **happening, "Type": inner})])
    of_list({"EmailAddress": recipient, "CreatedAt": at, **message})

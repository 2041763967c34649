"""What Postmark posts and shows, and how it is read. `payloads.json` has an example of each type, after Postmark's own
texts; `test_payloads.py` holds them against what they are meant to say.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from newsletter.delivery.provider import Listed
from newsletter.tracking import event as kinds
from newsletter.tracking import postmark
from newsletter.tracking.event import OTHER, POLL, Event, LetGo, Taken
from newsletter.tracking.postmark import translate
from newsletter.tracking.told import SUBSCRIPTION_CHANGE, TEST_MESSAGE

EXAMPLES = json.loads((Path(__file__).parent / "payloads.json").read_text(encoding="utf-8"))
AT = datetime(2026, 11, 5, 16, 33, 54, 907025, UTC)
OURS = "https://verdicts.example.com/tools"
TAKEN = Taken("0123456789abcdef-17", "f" * 32, "883953f4-6105-42a2-a16a-77a8eac79483")
KEYS = {"batch": TAKEN.batch, "row": TAKEN.row}
WHEN = "2026-11-05T16:33:54.9070259Z"


def change(**fields: Any) -> dict[str, Any]:
    """A reader of the broadcast stream who has left."""
    return {
        "RecordType": SUBSCRIPTION_CHANGE,
        "MessageID": TAKEN.message_id,
        "ServerID": 23,
        "MessageStream": "broadcast",
        "ChangedAt": WHEN,
        "Recipient": "ada@example.com",
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "Tag": "2026-W45",
        "Metadata": {"row": "1"},
        **fields,
    }


def became(kind: str, **fields: Any) -> dict[str, Any]:
    """An event of a message of ours."""
    return {"RecordType": kind, "MessageID": TAKEN.message_id, "Metadata": KEYS, **fields}


def bounced(name: str | None, **fields: Any) -> dict[str, Any]:
    """A message of ours that came back."""
    about = {"ID": 692560173, "Type": name, "Email": "Ada@Example.com", "BouncedAt": WHEN, "Inactive": False}
    return became("Bounce", MessageStream="broadcast", **{**about, **fields})


def clicked(**fields: Any) -> dict[str, Any]:
    """A link of a letter that was followed."""
    about = {"Recipient": "ada@example.com", "ReceivedAt": WHEN, "OriginalLink": f"{OURS}/comparisons/ruff-vs-flake8"}
    return became("Click", **{**about, **fields})


def told(payload: object, trace: str | None = None) -> Event:
    return translate(json.dumps(payload).encode(), trace, OURS)


@pytest.mark.parametrize(
    ("reason", "origin", "why", "kind"),
    [
        ("ManualSuppression", "Recipient", "left", kinds.UNSUBSCRIBED),
        ("ManualSuppression", "Customer", "closed", kinds.UNSUBSCRIBED),
        ("ManualSuppression", "Admin", "closed", kinds.UNSUBSCRIBED),
        ("ManualSuppression", "Robot", "left", kinds.UNSUBSCRIBED),
        ("ManualSuppression", None, "left", kinds.UNSUBSCRIBED),
        ("HardBounce", "Recipient", "bounced", kinds.BOUNCED_HARD),
        ("HardBounce", "Admin", "bounced", kinds.BOUNCED_HARD),
        ("SpamComplaint", None, "complained", kinds.COMPLAINED),
        ("SpamComplaint", ["Recipient"], "complained", kinds.COMPLAINED),
    ],
)
def test_reason_and_origin_together_say_why(reason: str, origin: object, why: str, kind: str) -> None:
    event = told(change(SuppressionReason=reason, Origin=origin))
    assert isinstance(event.said, Listed)
    assert (event.said.why, event.kind, event.detail) == (why, kind, reason)


@pytest.mark.parametrize(
    "odd",
    [
        change(SuppressionReason="BadWeather"),
        change(SuppressionReason=None),
        change(SuppressionReason=["HardBounce"]),
        change(SuppressSending=None),
        change(SuppressSending=1),
        change(SuppressSending={"yes": True}),
        change(Recipient=None),
        change(Recipient=7),
        change(Recipient="a\0da@example.com"),
        change(Recipient="a" * 321),
        change(ChangedAt="yesterday"),
        change(ChangedAt=None),
        change(ChangedAt="9999-12-31T23:59:59-12:00"),
        change(ChangedAt="0001-01-01T00:00:00Z"),
        change(RecordType="SubscriptionChanged"),
        change(RecordType=None),
        change(RecordType=["SubscriptionChange"]),
        bounced("HardBounce", BouncedAt=None),
        bounced("HardBounce", Email=None),
        bounced("hard bounce"),
        bounced("BadWeather", Inactive=True),
        {},
        [],
        [change()],
        None,
        "SubscriptionChange",
        3,
    ],
)
def test_what_cannot_be_read_is_kept_and_nothing_comes_of_it(odd: object) -> None:
    event = told(odd)
    assert event.said is None
    assert event.body == json.dumps(odd)


def test_a_type_that_nobody_knows_is_not_repeated() -> None:
    event = told({"RecordType": "ada@example.com", "Recipient": "ada@example.com"})
    assert (event.record_type, event.kind, event.email) == (OTHER, OTHER, "ada@example.com")
    assert "ada@" not in repr(event)


@pytest.mark.parametrize(
    "payload",
    [
        change(MessageID=TEST_MESSAGE),
        change(MessageID=TEST_MESSAGE, SuppressSending=False),
        bounced("HardBounce", MessageID=TEST_MESSAGE),
        bounced("DMARCPolicy", MessageID=TEST_MESSAGE),
        became("SpamComplaint", MessageID=TEST_MESSAGE, Email="ada@example.com", BouncedAt=WHEN),
        became("Delivery", MessageID=TEST_MESSAGE, Recipient="ada@example.com"),
        {**{name.lower(): value for name, value in change().items()}, "MessageId": TEST_MESSAGE},
    ],
)
def test_the_test_button_of_postmarks_pages_means_nothing_and_takes_nobodys_place(payload: dict[str, Any]) -> None:
    event = told(payload)
    assert (event.kind, event.detail, event.said, event.taken, event.row) == (OTHER, None, None, None, None)
    assert event.key != told({**payload, "MessageID": TAKEN.message_id}).key
    # The address in it may be a real one: by that it is found if its owner wants to be forgotten.
    assert event.email is not None


def test_what_no_message_caused_is_read_all_the_same() -> None:
    odd: list[object] = [{}, None, [], "none", 3]
    for metadata in odd:
        event = told(change(MessageID=None, Tag=None, Metadata=metadata))
        assert event.said == Listed("ada@example.com", "broadcast", "left", AT)
        assert (event.message_id, event.row, event.taken) == (None, None, None)


def test_older_spellings_are_read() -> None:
    older = change()
    older["ServerId"] = older.pop("ServerID")
    older["MessageId"] = older.pop("MessageID")
    del older["MessageStream"]
    assert told(older).said == Listed("ada@example.com", None, "left", AT)
    assert told(change(SuppressSending="True")).said == told(change()).said
    assert told(change(SuppressSending="False")).said == LetGo("ada@example.com", "broadcast", AT)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-05T11:33:54.9070259-05:00", AT),
        ("2026-11-05T11:33:54.9070259", AT),
        ("2026-07-05T11:33:54.5", datetime(2026, 7, 5, 15, 33, 54, 500000, UTC)),
        ("2026-11-05T16:33:54Z", AT.replace(microsecond=0)),
    ],
)
def test_moments_are_eastern_unless_they_say_otherwise(written: str, at: datetime) -> None:
    event = told(change(ChangedAt=written))
    assert event.said is not None
    assert event.at == event.said.at == at
    assert event.said.at.tzinfo is UTC


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_every_event_of_a_message_of_ours_proves_that_it_was_taken(example: dict[str, Any]) -> None:
    of_ours = {**example["payload"], "Metadata": KEYS}
    assert told(example["payload"]).taken is None
    assert told(of_ours).row == TAKEN.row
    assert told(of_ours).taken == (TAKEN if example["payload"]["MessageID"] else None)


def test_our_keys_are_found_however_the_names_of_fields_are_written() -> None:
    older = {
        "recordtype": "Delivery",
        "MessageId": TAKEN.message_id,
        "METADATA": {"Batch": TAKEN.batch, "ROW": TAKEN.row},
    }
    assert told(older).taken == TAKEN
    assert told(became("Open", MessageID=TAKEN.message_id.upper())).taken is not None


@pytest.mark.parametrize(
    "odd",
    [
        became("Inbound"),
        became("Delivered"),
        became("delivery"),
        became("Delivery", RecordType=None),
        became("Delivery", MessageID=None),
        became("Delivery", MessageID=""),
        became("Delivery", MessageID=17),
        became("Delivery", MessageID=[TAKEN.message_id]),
        became("Delivery", MessageID=TAKEN.message_id + "\n"),
        became("Delivery", MessageID=TAKEN.message_id[1:]),
        became("Delivery", MessageID="a" * 36),
        became("Delivery", Metadata=None),
        became("Delivery", Metadata=[KEYS]),
        became("Delivery", Metadata={"row": TAKEN.row}),
        became("Delivery", Metadata={"batch": TAKEN.batch}),
        became("Delivery", Metadata={**KEYS, "row": 17}),
        became("Delivery", Metadata={**KEYS, "row": ""}),
        became("Delivery", Metadata={**KEYS, "row": "a\0-1"}),
        became("Delivery", Metadata={**KEYS, "row": "' OR 1=1 --"}),
        became("Delivery", Metadata={**KEYS, "row": "a" * 81}),
        became("Delivery", Metadata={**KEYS, "batch": ["f" * 32]}),
        became("Delivery", Metadata={**KEYS, "batch": "f" * 32 + "\n"}),
        [became("Delivery")],
    ],
)
def test_what_does_not_name_our_keys_and_an_id_proves_nothing(odd: object) -> None:
    assert told(odd).taken is None


@pytest.mark.parametrize(
    ("posted", "polled"),
    [
        (
            became("Delivery", Recipient="ada@example.com", DeliveredAt=WHEN, Details="250 OK"),
            postmark.delivered(
                {"MessageID": TAKEN.message_id, "Recipient": "Ada@example.com", "DeliveredAt": "2026-11-05"}, POLL
            ),
        ),
        (
            bounced("HardBounce"),
            postmark.bounce({**bounced("HardBounce", ID="692560173"), "RecordType": None, "Metadata": None}, POLL),
        ),
        (
            bounced("HardBounce", ID=None),
            postmark.bounce(
                {
                    "MessageID": TAKEN.message_id,
                    "Email": "ada@example.com",
                    "BouncedAt": "2026-11-05T11:33:54.907025-05:00",
                },
                POLL,
            ),
        ),
        (
            became("Open", Recipient="ada@example.com", ReceivedAt=WHEN, UserAgent="GoogleImageProxy"),
            postmark.opened(
                {"MessageID": TAKEN.message_id, "Recipient": "ada@example.com", "ReceivedAt": WHEN[:-2] + "Z"}, POLL
            ),
        ),
        (clicked(), postmark.clicked({**clicked(), "ServerID": 23}, POLL, OURS)),
        (change(), postmark.changed(change(MessageID=None, Metadata={}, SuppressSending="True"), POLL)),
    ],
)
def test_what_is_posted_again_or_polled_has_the_key_of_the_first_post(posted: dict[str, Any], polled: Event) -> None:
    event = told(posted, "one trace")
    assert told({**posted, "New": 1}, "another trace").key == event.key == polled.key
    assert (polled.source, polled.record_type) == (POLL, event.record_type)


def test_what_says_something_of_an_address_has_a_key_of_its_own_whatever_it_leaves_out() -> None:
    for sparse in (bounced("HardBounce", ID=None, MessageID=None), change(MessageID=None, MessageStream=None)):
        assert told(sparse).said is not None
        assert told(sparse, "one").key == told(sparse, "another").key


def test_what_differs_has_another_key() -> None:
    later = "2026-11-05T16:33:54.907026Z"
    events = [
        became("Delivery", Recipient="ada@example.com", DeliveredAt=WHEN),
        became("Delivery", Recipient="bob@example.com", DeliveredAt=WHEN),
        became("Open", Recipient="ada@example.com", ReceivedAt=WHEN),
        became("Open", Recipient="ada@example.com", ReceivedAt=later),
        clicked(),
        clicked(ReceivedAt=later),
        clicked(OriginalLink="https://ruff.example/"),
        bounced("SoftBounce"),
        bounced("SoftBounce", ID=692560174),
        bounced("SoftBounce", ID=None),
        change(),
        change(SuppressSending=False),
        change(SuppressionReason="SpamComplaint"),
        change(Origin="Customer"),
        change(MessageStream="outbound"),
        change(ChangedAt=later),
        change(SuppressionReason=None),  # or its reason, told later, would be taken for known
        became("Delivery", DeliveredAt=WHEN),
        became("Weather"),
        {},
        [],
    ]
    assert len({told(event).key for event in events}) == len(events)


def test_what_says_too_little_of_itself_is_known_by_its_trace_and_else_by_its_words() -> None:
    vague = became("Weather")
    assert told(vague, "one").key == told({**vague, "Retry": 1}, "one").key
    assert told(vague, "one").key != told(vague, "two").key
    assert told(vague).key == told(vague).key != told({**vague, "Retry": 1}).key


def test_an_agent_is_cut_and_none_where_it_is_empty() -> None:
    assert told(clicked(UserAgent="a" * 400)).agent == "a" * 300
    assert told(clicked(UserAgent=" ")).agent is None
    assert told(clicked(UserAgent=None)).agent is None

"""What Postmark posts, and how it is read. `payloads.json` has an example of each type, after Postmark's own texts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from newsletter.delivery.provider import Listed
from newsletter.tracking.postmark import (
    SUBSCRIPTION_CHANGE,
    TEST_MESSAGE,
    UNKNOWN,
    LetGo,
    Taken,
    read,
    record_type,
    taken,
)

EXAMPLES = json.loads((Path(__file__).parent / "payloads.json").read_text(encoding="utf-8"))
KINDS = {
    "unsubscribed": ("left", "closed"),
    "bounced_hard": ("bounced",),
    "complained": ("complained",),
}
AT = datetime(2026, 11, 5, 16, 33, 54, 907025, UTC)


def change(**fields: Any) -> dict[str, Any]:
    """A reader of the broadcast stream who has left."""
    return {
        "RecordType": SUBSCRIPTION_CHANGE,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "ServerID": 23,
        "MessageStream": "broadcast",
        "ChangedAt": "2026-11-05T16:33:54.9070259Z",
        "Recipient": "ada@example.com",
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "Tag": "2026-W45",
        "Metadata": {"row": "1"},
        **fields,
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_every_example_is_read_as_it_is_meant(example: dict[str, Any]) -> None:
    payload, expected = example["payload"], example["expect"]
    said = read(payload)
    assert record_type(payload) == payload["RecordType"]
    if payload["RecordType"] != SUBSCRIPTION_CHANGE:
        assert said is None
        return
    assert said is not None
    assert (said.email, said.stream, said.at) == (expected["recipient"], expected["stream"], AT)
    assert isinstance(said, Listed) == expected["suppress"]
    if isinstance(said, Listed):
        assert said.why in KINDS[expected["kind"]]
    else:
        assert expected["kind"] == "subscribed"


@pytest.mark.parametrize(
    ("reason", "origin", "why"),
    [
        ("ManualSuppression", "Recipient", "left"),
        ("ManualSuppression", "Customer", "closed"),
        ("ManualSuppression", "Admin", "closed"),
        ("ManualSuppression", "Robot", "left"),
        ("ManualSuppression", None, "left"),
        ("HardBounce", "Recipient", "bounced"),
        ("HardBounce", "Admin", "bounced"),
        ("SpamComplaint", None, "complained"),
        ("SpamComplaint", ["Recipient"], "complained"),
    ],
)
def test_reason_and_origin_together_say_why(reason: str, origin: object, why: str) -> None:
    said = read(change(SuppressionReason=reason, Origin=origin))
    assert isinstance(said, Listed)
    assert said.why == why


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
        change(ChangedAt="yesterday"),
        change(ChangedAt=None),
        change(ChangedAt="9999-12-31T23:59:59-12:00"),
        change(RecordType="SubscriptionChanged"),
        change(RecordType=None),
        change(RecordType=["SubscriptionChange"]),
        {},
        [],
        [change()],
        None,
        "SubscriptionChange",
        3,
    ],
)
def test_what_cannot_be_read_is_passed_over(odd: object) -> None:
    assert read(odd) is None


def test_a_type_that_nobody_knows_is_not_repeated() -> None:
    assert record_type({"RecordType": "ada@example.com"}) == UNKNOWN


def test_the_test_button_of_postmarks_pages_suppresses_nobody() -> None:
    assert read(change(MessageID=TEST_MESSAGE)) is None
    assert read(change(MessageID=TEST_MESSAGE, SuppressSending=False)) is None


def test_what_no_message_caused_is_read_all_the_same() -> None:
    said = read(change(MessageID=None, Tag=None, Metadata={}))
    assert said == Listed("ada@example.com", "broadcast", "left", AT)


def test_older_spellings_are_read() -> None:
    older = change()
    older["ServerId"] = older.pop("ServerID")
    older["MessageId"] = older.pop("MessageID")
    del older["MessageStream"]
    assert read(older) == Listed("ada@example.com", None, "left", AT)
    assert read({**older, "MessageId": TEST_MESSAGE}) is None
    assert read(change(SuppressSending="True")) == read(change())
    assert read(change(SuppressSending="False")) == LetGo("ada@example.com", "broadcast", AT)


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
    said = read(change(ChangedAt=written))
    assert said is not None
    assert said.at == at
    assert said.at.tzinfo is UTC


TAKEN = Taken("0123456789abcdef-17", "f" * 32, "883953f4-6105-42a2-a16a-77a8eac79483")
KEYS = {"batch": TAKEN.batch, "row": TAKEN.row}


def became(kind: str, **fields: Any) -> dict[str, Any]:
    """An event of a message of ours."""
    return {"RecordType": kind, "MessageID": TAKEN.message_id, "Metadata": KEYS, **fields}


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_every_event_of_a_message_of_ours_proves_that_it_was_taken(example: dict[str, Any]) -> None:
    of_ours = {**example["payload"], "Metadata": KEYS}
    assert taken(example["payload"]) is None
    assert taken(of_ours) == (TAKEN if example["payload"]["MessageID"] else None)


def test_our_keys_are_found_however_the_names_of_fields_are_written() -> None:
    older = {
        "recordtype": "Delivery",
        "MessageId": TAKEN.message_id,
        "METADATA": {"Batch": TAKEN.batch, "ROW": TAKEN.row},
    }
    assert taken(older) == TAKEN
    assert taken(became("Open", MessageID=TAKEN.message_id.upper())) is not None


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
        became("Delivery", MessageID=TEST_MESSAGE),
        became("Delivery", MessageID=TAKEN.message_id + "\n"),
        became("Delivery", MessageID=TAKEN.message_id[1:]),
        became("Delivery", MessageID="a" * 36),
        became("Delivery", Metadata=None),
        became("Delivery", Metadata={}),
        became("Delivery", Metadata=[]),
        became("Delivery", Metadata="batch"),
        became("Delivery", Metadata=[KEYS]),
        became("Delivery", Metadata={"row": TAKEN.row}),
        became("Delivery", Metadata={"batch": TAKEN.batch}),
        became("Delivery", Metadata={**KEYS, "row": None}),
        became("Delivery", Metadata={**KEYS, "row": 17}),
        became("Delivery", Metadata={**KEYS, "row": ""}),
        became("Delivery", Metadata={**KEYS, "row": "a\0-1"}),
        became("Delivery", Metadata={**KEYS, "row": "' OR 1=1 --"}),
        became("Delivery", Metadata={**KEYS, "row": "a" * 81}),
        became("Delivery", Metadata={**KEYS, "batch": ["f" * 32]}),
        became("Delivery", Metadata={**KEYS, "batch": "f" * 32 + "\n"}),
        {"RecordType": "Delivery"},
        {},
        [became("Delivery")],
        None,
        "Delivery",
    ],
)
def test_what_does_not_name_our_keys_and_an_id_proves_nothing(odd: object) -> None:
    assert taken(odd) is None

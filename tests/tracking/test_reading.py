"""Odd bodies: whatever comes is read as far as it can be, can be stored, and says the same when it is read again."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, func, select

from newsletter.tracking.event import KINDS, OTHER, Event
from newsletter.tracking.postmark import translate
from newsletter.tracking.reading import KEPT
from newsletter.tracking.store import StoredEvent
from newsletter.tracking.told import TYPES
from tests.tracking.test_postmark import AT, OURS, WHEN, bounced, change, clicked, told


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(bounced("HardBounce", Content="x" * KEPT)).encode(),
        json.dumps(bounced("HardBounce", Details="\x01\U0001f600" * KEPT, New=[["x" * KEPT]])).encode(),
        json.dumps(bounced("HardBounce", Content=float("nan"), Details=10**400)).encode(),
        json.dumps(bounced("HardBounce", Subject="half a \ud83d")).encode(),
        json.dumps(bounced("HardBounce", Subject="X")).encode().replace(b"X", b"caf\xe9 \0 \n \xed\xa0\x80"),
        b"\xef\xbb\xbf" + json.dumps(bounced("HardBounce")).encode(),
        json.dumps(bounced("HardBounce", Content="X")).encode().replace(b'"X"', b"[" * 900 + b"]" * 900),
    ],
    ids=["large", "largest", "no numbers", "half a character", "no UTF-8", "byte order mark", "deep"],
)
def test_a_body_that_is_odd_in_what_nobody_reads_says_the_same_and_once_more_when_it_is_read_again(body: bytes) -> None:
    event, plain = translate(body, None, OURS), told(bounced("HardBounce"))
    assert replace(event, body=None) == replace(plain, body=None)
    assert event.body is not None
    assert len(event.body) <= KEPT
    again = translate(event.body.encode(), None, OURS)
    assert replace(again, body=None) == replace(event, body=None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"not JSON", "not JSON"),
        (b"a\0b", r"a\u0000b"),
        (b"a\0\xff\xc3\xa9", r"a\u0000\u00ff" + "é"),
        (b"[" * 100_000, "[" * KEPT),
        (b'{"ID": ' + b"9" * 10_000 + b"}", '{"ID": ' + "9" * 10_000 + "}"),
    ],
)
def test_what_is_no_event_at_all_is_kept_as_it_came(body: bytes, text: str) -> None:
    event = translate(body, None, OURS)
    assert (event.kind, event.record_type, event.body) == (OTHER, OTHER, text)


_ODD_TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)  # NUL and half characters too
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | _ODD_TEXT | st.sampled_from([WHEN, "True"])
_ANY = st.recursive(_LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ODD_TEXT, inner, max_size=3))
_FIELDS = [*change(), *bounced("X"), *clicked(), "DeliveredAt", "TypeCode", "UserAgent", "Content"]
_EVENTS = st.builds(
    lambda kind, fields: {**fields, "RecordType": kind},
    st.sampled_from(sorted(TYPES)) | _LEAF,
    st.dictionaries(st.sampled_from(_FIELDS) | _ODD_TEXT, _ANY, max_size=12),
)
_BODIES = st.binary(max_size=200) | (_EVENTS | _ANY).map(lambda told: json.dumps(told).encode())


def test_whatever_comes_is_an_event_that_both_databases_store(engine: Engine) -> None:
    found: dict[str, Event] = {}

    @given(_BODIES, st.none() | _ODD_TEXT)
    @settings(max_examples=300, deadline=None, database=None)
    def read(body: bytes, trace: str | None) -> None:
        event = translate(body, trace, OURS)
        assert event.kind in KINDS
        assert event.body is not None
        again = translate(event.body.encode(), None, OURS)
        assert (again.kind, again.said, again.taken, again.link) == (event.kind, event.said, event.taken, event.link)
        assert again.key == event.key or not event.said
        found[event.key] = event

    read()
    assert len(found) > 100
    odd = "a\0\x85\ud83d"
    words = dict.fromkeys(["MessageStream", "MessageID", "UserAgent", "SuppressionReason", "Type", "Recipient"], odd)
    for kind in TYPES:
        event = told({**change(), **words, "RecordType": kind, "OriginalLink": f"{OURS}/issues/{odd}"})
        assert event.stream == r"a\x00\x85\ud83d"
        found[event.key] = event
    with Session(engine) as session:
        for event in found.values():
            assert len(event.key) == 32
            session.add(
                StoredEvent(
                    key=event.key,
                    source=event.source,
                    record_type=event.record_type,
                    kind=event.kind,
                    detail=event.detail,
                    at=event.at or AT,
                    received_at=AT,
                    fingerprint=event.email,  # as any text
                    message_id=event.message_id,
                    stream=event.stream,
                    link=event.link,
                    agent=event.agent,
                    body=event.body,
                )
            )
        session.commit()
        assert session.exec(select(func.count()).select_from(StoredEvent)).one() == len(found)

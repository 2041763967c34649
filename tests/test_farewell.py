import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, Engine, Float, Integer, update
from sqlmodel import Session, col, select
from sqlmodel.sql.sqltypes import UTCDateTime

from newsletter import dossier, farewell
from newsletter.comparisons import votes
from newsletter.comparisons.votes import Vote
from newsletter.db import Table, reading, texts, writing
from newsletter.delivery import ledger
from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.provider import Refused, Unknown
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.tracking import keeping
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import StoredEvent
from subscribers import consent, subscriber, suppression
from subscribers.address import Address, parse_address
from subscribers.consent import Whence, Words
from subscribers.erasure import Trace
from subscribers.fingerprint import Erasure, Fingerprints
from subscribers.preferences import AddressChange
from subscribers.signup import SignUp
from subscribers.subscriber import ACTIVE, ERASED, PENDING, SUPPRESSED, Subscriber, muting
from subscribers.suppression import COMPLAINT, MANUAL, Suppression
from tests.delivery.readers import LETTER, claim, record
from tests.newsroom import (
    IN_W46,
    IN_W47,
    TUESDAY,
    draft,
    publish,
    set_status,
    subscribe,
)

ADA = parse_address("Ada.Lovelace@Example.com")
NEW = parse_address("ada@elsewhere.example")


def text_columns() -> Iterator[tuple[str, str]]:
    for table in Table.metadata.sorted_tables:
        for column in texts(table):
            yield table.name, column.name


def traced() -> dict[str, Trace]:
    return {str(trace.table.__tablename__): trace for trace in farewell.TRACES}


def forget(engine: Engine, address: Address = ADA) -> frozenset[str]:
    with writing(engine) as session:
        reader = subscriber.find(session, address)
        assert reader is not None
        gone = farewell.forget(session, reader, TUESDAY)
        session.commit()
        return gone


@pytest.fixture
def known(engine: Engine) -> int:
    """Ada, who has said something in every table that has room for it; her id."""
    publish(engine)
    draft(engine)
    (ada,) = subscribe(engine, [ADA.email])
    with writing(engine) as session:
        reader = session.get_one(Subscriber, ada)
        reader.muted, reader.language = muting(["Marker of muted"]), "qya"
        session.add(reader)
        words, whence = Words("words-1", "marker of words"), Whence("192.0.2.77", "marker of user agent")
        for kind in (consent.CONFIRMED, consent.REASON):
            consent.note(session, ada, kind, "marker of source", IN_W46, words, whence)
        session.add(AddressChange(subscriber_id=ada, email=NEW.email, address_key=NEW.key, asked_at=IN_W47))
        session.add(
            SignUp(
                email="ada.lovelace@EXAMPLE.com",
                address_key=ADA.key,
                source="marker of form",
                words="marker of form's words",
                words_version="form-1",
                language="qyb",
                network="192.0.2.78",
                user_agent="marker of form's agent",
                at=IN_W47,
            )
        )
        suppression.suppress(session, ADA, COMPLAINT, "marker of complaint", IN_W46)
        suppression.lift(session, ADA, "marker of lifting", IN_W47)
        reader = session.get_one(Subscriber, ada)
        subscriber.move(reader, ACTIVE, IN_W47)
        session.add(reader)
        stored = StoredLetter(
            key="0123456789abcdef", tag="2026-W46", subject="Subject", preheader="", html="", text="",
            digest="d", audience=1, created_at=IN_W46, open=False,
        )  # fmt: skip
        session.add(stored)
        session.flush()
        issue = session.exec(select(Issue)).one()
        issue.state, issue.digest, issue.letter_id = issues.SENT, "d", stored.id
        votes.cast(session, 1, ada, votes.BOTH, IN_W47)
        session.add(
            StoredEvent(
                key="a hash of ada.lovelace@example.com", source="webhook", record_type="Click", kind="clicked",
                detail="GET", at=IN_W46, received_at=IN_W46, letter_id=stored.id, subscriber_id=ada,
                message_id="message-1", stream="broadcast", link="issues/2026-W46", agent="marker of event's agent",
                machine="burst", body="marker of body: ada.lovelace@example.com",
            )
        )  # fmt: skip
        session.add(
            StoredEvent(
                key="a hash of Ada", source="poll", record_type="Bounce", kind="other", at=IN_W46, received_at=IN_W46,
                fingerprint=Fingerprints(session).of(ADA), body="marker of a stranger's: ada.lovelace@example.com",
            )
        )  # fmt: skip
        session.add(Claim(key="batch-1", letter_id=stored.id or 0, sender=1, claimed_at=IN_W46, rests_since=IN_W46))
        session.add(
            Delivery(
                letter_id=stored.id or 0,
                subscriber_id=ada,
                state=ledger.ACCEPTED,
                batch="batch-1",
                settled_at=IN_W46,
                message_id="message-1",
                reason="marker of reason",
            )
        )
        session.commit()
    return ada


def rows(session: Session, name: str) -> list[dict[str, Any]]:
    table = Table.metadata.tables[name]
    return [dict(row) for row in session.connection().execute(table.select()).mappings()]


def test_every_text_of_every_table_is_a_readers_or_nobodys() -> None:
    """Whoever adds a column of text says here whose it is: in `farewell.TRACES`, or in `farewell.NOBODYS` and why."""
    traces = traced()
    for table, column in text_columns():
        if table in farewell.NOBODYS:
            assert table not in traces, table
            continue
        trace = traces[table]
        if trace.emptied is not None:
            assert (column in trace.emptied) != (column in trace.stays), f"{table}.{column}"
    assert set(traces) | set(farewell.NOBODYS) == set(Table.metadata.tables)


def test_every_column_is_text_or_holds_no_words() -> None:
    """A type that is new here (JSON, bytes) must be looked into by `db.texts` first."""
    assert len(list(text_columns())) > 50
    for table in Table.metadata.sorted_tables:
        words = texts(table)
        for column in table.columns:
            assert any(column is one for one in words) or isinstance(
                column.type, Integer | Float | Boolean | UTCDateTime
            ), f"{table.name}.{column.name}"


def test_every_table_that_names_a_reader_is_known_to_the_farewell() -> None:
    for table in Table.metadata.sorted_tables:
        refers = {key.column.table.name for key in table.foreign_keys}
        if "subscribers" in refers:
            assert table.name in traced(), table.name


def test_a_dossier_has_every_text_that_we_hold_of_a_reader(engine: Engine, known: int) -> None:
    with reading(engine) as session:
        document = dossier.dossier(session, known)
        written = json.dumps(document, ensure_ascii=False)
        for name in traced():
            held = rows(session, name)
            assert held, f"the test holds nothing in {name}"
            for row in held:
                for column, value in row.items():
                    if isinstance(value, str) and f"{name}.{column}" not in dossier.WITHHELD:
                        parts = json.loads(value) if column == "muted" else [value]
                        assert all(part in written for part in parts), f"{name}.{column}"
    places = {f"{table}.{column}" for table, column in text_columns()}
    assert set(dossier.WITHHELD) <= places
    assert document["letters"][0]["sent_at"] == "2026-11-11T09:00:00Z"
    assert document["address_change"] == {"email": NEW.email, "asked_at": "2026-11-18T09:00:00Z"}
    assert document["muted_categories"] == ["Marker of muted"]
    assert document["votes"] == [
        {"comparison": "Haiku vs Codestral", "choice": "both", "at": at, "changed_at": at}
        for at in ["2026-11-18T09:00:00Z"]
    ]
    assert [(told["kind"], told["letter"], told["link"]) for told in document["events"]] == [
        ("clicked", "2026-W46", "issues/2026-W46"),
        ("other", None, None),  # of before the address was a reader's
    ]


def test_a_dossier_holds_nothing_of_anybody_else(engine: Engine, known: int) -> None:
    (bo,) = subscribe(engine, ["bo@example.com"])
    with reading(engine) as session:
        document = dossier.dossier(session, bo)
    assert document["email"] == "bo@example.com"
    names = ("consent", "suppressions", "letters", "events", "votes", "sign_ups", "address_change")
    assert [document[name] for name in names] == [[], [], [], [], [], [], None]


def test_there_is_no_dossier_of_nobody_and_none_of_the_erased(engine: Engine, known: int) -> None:
    forget(engine)
    with reading(engine) as session:
        for number in (known, 999):
            with pytest.raises(LookupError):
                dossier.dossier(session, number)


def test_after_an_erasure_no_table_holds_a_word_of_the_reader_and_all_rows_that_count_stay(
    engine: Engine, known: int
) -> None:
    with reading(engine) as session:
        counted = {name: len(rows(session, name)) for name in Table.metadata.tables}
    gone = forget(engine)
    assert {ADA.email, ADA.key, NEW.email, "ada.lovelace@EXAMPLE.com"} <= {*gone}
    with reading(engine) as session:
        everything = {name: rows(session, name) for name in Table.metadata.tables}
        written = json.dumps(everything, default=str).lower()
        assert not re.search(r"\bada\b|lovelace", written)  # as a word: hashes may spell it within
        assert "marker" not in written
        assert "192.0.2" not in written
        assert '"qy' not in written
        assert {name: len(held) for name, held in everything.items()} == counted | {
            "address_changes": 0,
            "sign_ups": 0,
            "erasures": 2,  # also of the address that she wanted to move to
        }
        assert violations(session) == ["letter 1 (2026-W46): its content no longer has its digest d"]
        row = session.get_one(Subscriber, known)
        assert (row.email, row.address_key, row.status, row.muted) == ("", f"erased:{known}", ERASED, "[]")
        assert [(step.kind, step.at, step.words_version) for step in consent.history(session, known)] == [
            (consent.CONFIRMED, IN_W46, "words-1"),
            (consent.REASON, IN_W46, "words-1"),
            (consent.LEFT, IN_W46, None),  # by a complaint, which an editor has lifted
        ]
        assert ledger.accounting(session, 1).accepted == 1
        assert [(one.subscriber_id, one.choice) for one in session.exec(select(Vote))] == [(None, votes.BOTH)]
        assert votes.tallies(session, [1])[1].all == 1
        told = session.exec(select(StoredEvent).order_by(col(StoredEvent.id))).all()
        assert [(one.key, one.kind, one.body, one.agent, one.fingerprint) for one in told] == [
            ("erased:1", "clicked", None, None, None),
            ("erased:2", "other", None, None, None),
        ]
        assert subscriber.find(session, ADA) is None
        assert list(subscriber.every(session)) == []


def test_an_erasure_again_changes_nothing(engine: Engine, known: int) -> None:
    forget(engine)
    with writing(engine) as session:
        before = {name: rows(session, name) for name in Table.metadata.tables}
        row = session.get_one(Subscriber, known)
        assert farewell.forget(session, row, TUESDAY + timedelta(days=1)) == frozenset()
        session.commit()
        assert {name: rows(session, name) for name in Table.metadata.tables} == before


def test_only_those_who_must_not_be_written_to_leave_a_hash(engine: Engine) -> None:
    subscribe(engine, ["bo@example.com", "cy@example.com", "di@example.com", "eve@example.com"])
    with writing(engine) as session:
        suppression.suppress(session, parse_address("bo@example.com"), COMPLAINT, "bo@example.com said so", IN_W47)
        # As no part of the program leaves it.
        session.connection().execute(
            update(Subscriber).where(col(Subscriber.email) == "cy@example.com").values(status=SUPPRESSED)
        )
        session.commit()
    set_status(engine, "unsubscribed", "di@example.com")
    for name in ("bo", "cy", "di", "eve"):
        forget(engine, parse_address(f"{name}@example.com"))
    with reading(engine) as session:
        assert [(one.reason, one.source) for one in session.exec(select(Suppression))] == [
            (COMPLAINT, ""),
            (MANUAL, ""),
        ]
        for name, kept in (("bo", True), ("cy", True), ("di", False), ("eve", False)):
            assert (suppression.in_force(session, parse_address(f"{name}@example.com")) is not None) == kept
        assert violations(session) == []


def test_whoever_was_erased_may_come_again_as_somebody_new(engine: Engine, known: int) -> None:
    forget(engine)
    with writing(engine) as session:
        again = subscriber.add(session, ADA, PENDING, TUESDAY)
        assert again.id != known
        session.commit()
    with reading(engine) as session:
        assert [line for line in violations(session) if "letter" not in line] == []
    assert forget(engine) == {ADA.email, ADA.key}
    with reading(engine) as session:
        assert len(session.exec(select(Erasure)).all()) == 2


def test_another_readers_wish_to_move_to_the_address_goes_as_well(engine: Engine) -> None:
    _, bo = subscribe(engine, [ADA.email, "bo@example.com"])
    with writing(engine) as session:
        session.add(AddressChange(subscriber_id=bo, email=ADA.email, address_key=ADA.key, asked_at=IN_W47))
        session.commit()
    forget(engine)
    with reading(engine) as session:
        assert session.exec(select(AddressChange)).all() == []
        assert violations(session) == []


def test_a_queued_copy_is_not_sent_and_the_books_add_up(engine: Engine) -> None:
    subscribe(engine, [ADA.email, "bo@example.com"])
    with writing(engine) as session:
        stored = ledger.store(session, LETTER, "2026-W47", TUESDAY)
        ledger.draw_up(session, stored)
        session.commit()
    forget(engine)
    batch = claim(engine, stored.id or 0)
    assert [email for _, email in batch.readers] == ["bo@example.com"]
    with reading(engine) as session:
        books = ledger.accounting(session, stored.id)
        assert (books.audience, books.left, books.sending, books.adds_up) == (2, 1, 1, True)


@pytest.mark.parametrize("outcome", [Refused, Unknown])
def test_what_is_recorded_of_a_copy_under_way_does_not_bring_the_address_back(engine: Engine, outcome: Any) -> None:
    subscribe(engine, [ADA.email, "bo@example.com"])
    with writing(engine) as session:
        stored = ledger.store(session, LETTER, "2026-W47", TUESDAY)
        ledger.draw_up(session, stored)
        session.commit()
    batch = claim(engine, stored.id or 0)
    forget(engine)
    said = "ada.lovelace@example.com is inactive: <Ada.Lovelace@Example.com>, 'ada.lovelace@example.com'"
    record(engine, stored.id or 0, batch, [outcome(said)] * 2)
    with reading(engine) as session:
        assert (
            session.exec(select(Delivery.reason)).all()
            == ["(the address) is inactive: <(the address)>, '(the address)'"] * 2
        )  # Bo's copy, too, to which the same words were said
        assert violations(session) == []


def test_what_came_of_nobody_whom_we_could_read_is_kept_without_addresses(engine: Engine, known: int) -> None:
    body = '{"RecordType":"Bounce","Email":"ada.lovelace@example.com", not JSON, <Ada.Lovelace@example.com>}'
    with writing(engine) as session:
        keeping.keep(session, [translate(body.encode(), None, "https://verdicts.example.com")], IN_W47)
        session.commit()
    forget(engine)
    with reading(engine) as session:
        kept = session.exec(select(StoredEvent.body).where(col(StoredEvent.body).is_not(None))).all()
        assert kept == ['{"RecordType":"Bounce","Email":"(the address)", not JSON, <(the address)>}']
        assert not [line for line in violations(session) if "address" in line]

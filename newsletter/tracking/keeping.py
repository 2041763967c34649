"""How is a group of events stored? Each once, with the copy that it is about, in as few statements as can be.

Promises: what is known is not stored again, whoever told it; of a letter of which only totals are wanted an opening or
a click names nobody; of a reader who was erased nothing is kept that names them, however late it comes, also while they
are being erased; and after a send a million events of copies that the provider took cost one statement a group.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Boolean, DateTime, Integer, String, bindparam, case, cast, false
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, col, select
from sqlmodel.sql.sqltypes import UTCDateTime

from newsletter.db import as_given, given, is_sqlite, upsert
from newsletter.delivery.ledger import ACCEPTED, TOTALS, Delivery, StoredLetter, copy_of
from newsletter.tracking.event import BOUNCED_SOFT, CLICKED, DOOR, ENGAGEMENT, OPENED, Event
from newsletter.tracking.scanners import RULES, label_alone
from newsletter.tracking.store import StoredEvent
from subscribers.address import readable
from subscribers.fingerprint import Erasure, Fingerprints, among
from subscribers.subscriber import ERASED, Subscriber

_WORD: Final = re.compile(r"""[^\s<>()\[\]"',;:\\]+""")


@dataclass(frozen=True)
class Kept:
    """How one event is stored."""

    id: int
    subscriber_id: int | None
    """Whose copy it is about, or whose address."""
    pending: bool
    """Whether something still has to come of it: now, or since a time before."""
    fresh: bool
    """Whether it is new; else it was told before."""


def keep(session: Session, events: Sequence[Event], now: datetime) -> list[Kept]:
    """Store those of a group that are not known yet; how each is stored, in their order. The caller commits.

    Nearly all name a copy of ours: one statement takes all of these. Raises what the database raises where one of them
    cannot be stored, or none can.
    """
    by_key = {event.key: event for event in reversed(events)}  # the first of each key
    named = [(event, copy) for event in by_key.values() if event.row and (copy := copy_of(event.row))]
    stored = _insert_by_copy(session, named, now) if named else {}
    fresh = set(stored)
    if left := by_key.keys() - stored.keys():
        stored |= _known(session, left)
    if others := [event for key, event in sorted(by_key.items(), key=itemgetter(0)) if key not in stored]:
        added = _insert_by_address(session, others, now)
        fresh |= added.keys()
        stored |= added
        if left := by_key.keys() - stored.keys():
            stored |= _known(session, left)  # another process was faster
    kept = []
    for event in events:
        kept.append(Kept(*stored[event.key], fresh=event.key in fresh))
        fresh.discard(event.key)  # told twice within the group
    return kept


_Stored = tuple[int, int | None, bool]
"""Id, subscriber id, whether it is pending."""

_ANSWER: Final = (
    col(StoredEvent.key),
    col(StoredEvent.id),
    col(StoredEvent.subscriber_id),
    col(StoredEvent.pending),
)


def _insert_by_copy(
    session: Session, events: Sequence[tuple[Event, tuple[str, int]]], now: datetime
) -> dict[str, _Stored]:
    """Store those for whose copy there is a row, unless they are known: key -> how it is stored."""
    rows = [
        (
            event.key,
            event.source,
            event.record_type,
            event.kind,
            event.detail,
            _written(event.at or now),
            event.message_id,
            event.stream,
            event.link,
            event.agent,
            event.body,
            _label(event),
            letter,
            reader,
            _matters(event),
            event.taken is not None,
        )
        for event, (letter, reader) in events
    ]
    connection = session.connection()
    adding = _adding_by_copy(sqlite=is_sqlite(connection))
    return _by_key(connection.execute(adding, {"events": as_given(rows), "now": now}))


@cache
def _adding_by_copy(*, sqlite: bool) -> Any:
    """The statement of it. Made once: to make it takes longer than to add a hundred events."""
    # fmt: off
    (
        key, source, record_type, kind, detail, at, message_id, stream, link, agent, body, label, letter, reader,
        matters, proves,
    ) = given(bindparam("events", type_=String()), *[String()] * 13, Integer(), Boolean(), Boolean())
    # fmt: on
    nobodys = case(
        (kind == OPENED, col(StoredLetter.opens) == TOTALS),
        (kind == CLICKED, col(StoredLetter.clicks) == TOTALS),
        else_=false(),
    )
    told = ~nobodys & (col(Subscriber.status) != ERASED)
    columns: dict[str, Any] = {
        "key": key,
        "source": source,
        "record_type": record_type,
        "kind": kind,
        "detail": detail,
        "at": at if sqlite else cast(at.concat("+00"), DateTime(timezone=True)),
        "received_at": bindparam("now", type_=UTCDateTime()),
        "letter_id": col(StoredLetter.id),
        "subscriber_id": case((~nobodys, col(Subscriber.id))),
        "message_id": case((~nobodys, message_id)),
        "stream": stream,
        "link": link,
        "agent": case((told, agent)),
        "machine": case((nobodys, label)),
        "rules": case((nobodys, RULES)),
        "pending": matters | (proves & (col(Delivery.state) != ACCEPTED)),
        "body": case((told, body)),
    }
    copies = (
        sqlalchemy.select(*columns.values())
        .where(
            col(StoredLetter.key) == letter,
            col(Delivery.letter_id) == col(StoredLetter.id),
            col(Delivery.subscriber_id) == reader,
            col(Subscriber.id) == col(Delivery.subscriber_id),
        )
        # In one order, as whoever else locks many readers does. Who is being erased is waited for, and read as erased.
        .order_by(col(Subscriber.id), key)
        .with_for_update(read=True, key_share=True, of=Subscriber)
    )
    insert = sqlite_insert if sqlite else postgresql_insert
    adding = insert(StoredEvent).from_select(list(columns), copies, include_defaults=False)
    return adding.on_conflict_do_nothing(index_elements=["key"]).returning(*_ANSWER)


def _insert_by_address(session: Session, events: Sequence[Event], now: datetime) -> dict[str, _Stored]:
    """Store those that name no copy of ours, under whoever is at their address, unless they are known."""
    addresses = {event.email: address for event in events if event.email and (address := readable(event.email))}
    readers = _readers_at(session, {address.key for address in addresses.values()})
    letters = _letters_of(session, readers.values(), {event.message_id for event in events if event.message_id})
    fingerprints = Fingerprints(session)
    strangers = {email: fingerprints.of(address) for email, address in addresses.items() if address.key not in readers}
    erased = set(session.exec(select(Erasure.fingerprint).where(among(col(Erasure.fingerprint), strangers.values()))))
    rows = []
    for event in events:
        address = addresses.get(event.email or "")
        reader = readers.get(address.key) if address else None
        fingerprint = strangers.get(event.email or "")
        letter_id, noted = letters.get((reader, event.message_id), (None, {}))
        nobodys = noted.get(event.kind) == TOTALS
        told = not nobodys and fingerprint not in erased
        rows.append(
            {
                "key": event.key,
                "source": event.source,
                "record_type": event.record_type,
                "kind": event.kind,
                "detail": event.detail,
                "at": event.at or now,
                "received_at": now,
                "letter_id": letter_id,
                "subscriber_id": None if nobodys else reader,
                "fingerprint": fingerprint if told else None,
                "message_id": None if nobodys else event.message_id,
                "stream": event.stream,
                "link": event.link,
                "agent": event.agent if told else None,
                "machine": _label(event) if nobodys else None,
                "rules": RULES if nobodys else None,
                "pending": _matters(event),
                "body": (event.body if reader or fingerprint else _nameless(event.body)) if told else None,
            }
        )
    adding = upsert(session, StoredEvent).on_conflict_do_nothing(index_elements=["key"]).returning(*_ANSWER)
    return _by_key(session.connection().execute(adding, rows))


def _by_key(answer: Iterable[Any]) -> dict[str, _Stored]:
    return {key: (number, reader, pending) for key, number, reader, pending in answer}


def _known(session: Session, keys: Collection[str]) -> dict[str, _Stored]:
    """Those of many keys that are stored already."""
    (key,) = given([(each,) for each in keys], String())
    query = sqlalchemy.select(*_ANSWER).where(col(StoredEvent.key).in_(sqlalchemy.select(key)))
    return _by_key(session.connection().execute(query))


def _readers_at(session: Session, keys: Collection[str]) -> dict[str, int]:
    """Address key -> id of who is there, and nobody erases them until the transaction ends."""
    if not keys:
        return {}
    (key,) = given([(each,) for each in keys], String())
    query = (
        sqlalchemy.select(col(Subscriber.address_key), col(Subscriber.id))
        .where(col(Subscriber.address_key).in_(sqlalchemy.select(key)))
        .order_by(col(Subscriber.id))
        .with_for_update(read=True, key_share=True)
    )
    return {found: number for found, number in session.connection().execute(query) if number}


def _letters_of(
    session: Session, readers: Collection[int], message_ids: Collection[str]
) -> dict[tuple[int | None, str | None], tuple[int | None, dict[str, str]]]:
    """(reader, message id) -> the letter of which that is a copy, and what is noted of it: kind -> how."""
    if not readers or not message_ids:
        return {}
    (reader,) = given([(each,) for each in readers], Integer())
    noted = (col(StoredLetter.opens), col(StoredLetter.clicks))
    query = (
        sqlalchemy.select(col(Delivery.subscriber_id), col(Delivery.message_id), col(StoredLetter.id), *noted)
        .join(StoredLetter, col(StoredLetter.id) == col(Delivery.letter_id))
        .where(col(Delivery.subscriber_id).in_(sqlalchemy.select(reader)), col(Delivery.message_id).is_not(None))
    )
    found = session.connection().execute(query)
    return {
        (reader, message_id): (letter_id, {OPENED: opens, CLICKED: clicks})
        for reader, message_id, letter_id, opens, clicks in found
        if message_id in message_ids
    }


def _nameless(body: str | None) -> str | None:
    """What came and is nobody's that we could read: without addresses, since no erasure would find them there."""
    return body and _WORD.sub(lambda word: "(the address)" if "@" in word[0] else word[0], body)


def _matters(event: Event) -> bool:
    """Whether something may come of it, whatever its copy's row says."""
    return event.said is not None or event.kind == BOUNCED_SOFT


def _label(event: Event) -> str | None:
    """Why a machine did it, as far as the event itself tells; all that can be said of it if it is nobody's."""
    if event.kind not in ENGAGEMENT:
        return None
    return label_alone(event.agent, event.detail if event.source == DOOR else None, event.kind, event.link)


def _written(moment: datetime) -> str:
    """A moment as SQLite holds it: in UTC, without saying so."""
    return moment.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")

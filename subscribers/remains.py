"""Is an address that was erased left anywhere? Every text of every table is looked through, also of tables to come.

Promises: says where, and never which address; memory does not grow with the list, and a database in which nobody was
erased is not looked through at all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, RowMapping, Table, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter import db
from subscribers.address import Address, key_of, parse_address
from subscribers.fingerprint import Erasure, Fingerprints, among
from subscribers.preferences import AddressChange
from subscribers.signup import SignUp
from subscribers.subscriber import ERASED, Subscriber

AT_ONCE = 100  # rows that are read together; letters are among them

ADDRESS: Final = re.compile(r'([^\s@<>()\[\]",;:\\]{1,64})@((?:[\w-]+\.)+[\w-]+)')
"""What may be an address in a text; the first group may begin with more than is of it."""

NOT_OF_IT: Final = re.compile(r"['/=|?&*!#{}`$^~%]")
"""What may stand in an address, but mostly stands before one."""

SINCE: Final = {str(AddressChange.__tablename__): "asked_at", str(SignUp.__tablename__): "at"}
"""Tables in which an erased address may stand when it was given again, and the column that says when."""

EVERY_ROW: Final[Mapping[str, ColumnElement[bool]]] = {}


@dataclass(frozen=True)
class Place:
    """Where an address stands, and since when, as far as that matters."""

    fingerprint: str
    key: str
    where: str
    since: datetime | None


def remains(session: Session, within: Mapping[str, ColumnElement[bool]] = EVERY_ROW) -> Iterator[str]:
    """Where an erased address is left, a line each.

    `within`: table -> the condition of its rows that can hold one; for a table with millions of rows full of addresses,
    of which it is plain whose they are.
    """
    if session.exec(select(Erasure.fingerprint).limit(1)).first() is None:
        return
    fingerprints = Fingerprints(session)
    for table in db.Table.metadata.sorted_tables:
        columns = db.texts(table)
        if table.name == Subscriber.__tablename__ or not columns:
            continue  # an address of a row that is not erased is that of a reader who came again
        query = sql_select(*table.columns).where(or_(*(column.contains("@") for column in columns)))
        if table.name in within:
            query = query.where(within[table.name])
        rows = session.connection().execute(query, execution_options={"yield_per": AT_ONCE})
        for some in rows.mappings().partitions(AT_ONCE):
            yield from _erased_among(session, [place for row in some for place in _places(table, row, fingerprints)])


def keys_in(text: str) -> Iterator[str]:
    """The keys of all that may be an address in a text."""
    for local_part, domain in ADDRESS.findall(text):
        starts = [0, *(match.end() for match in NOT_OF_IT.finditer(local_part))]
        for written in (local_part[start:] for start in starts if start < len(local_part)):
            if written.isascii() and domain.isascii():
                yield key_of(written, domain)
                continue
            try:
                yield parse_address(f"{written}@{domain}", to_write=False).key
            except ValueError:
                continue


def _places(table: Table, row: RowMapping, fingerprints: Fingerprints) -> Iterator[Place]:
    """Every address in the texts of a row."""
    number = " ".join(str(row[column.name]) for column in table.primary_key)
    since = row[SINCE[table.name]] if table.name in SINCE else None
    for name, value in row.items():
        for key in keys_in(value) if isinstance(value, str) else ():
            yield Place(fingerprints.of(Address("", key)), key, f"{table.name} {number}, {name}", since)


def _erased_among(session: Session, places: list[Place]) -> Iterator[str]:
    """Those places the address of which was erased, and nobody reads us there again."""
    some = among(col(Erasure.fingerprint), {place.fingerprint for place in places})
    erased = dict(session.exec(select(Erasure.fingerprint, Erasure.at).where(some)).all())
    for place in places:
        if place.fingerprint not in erased or (place.since and place.since >= erased[place.fingerprint]):
            continue
        again = select(Subscriber.id).where(Subscriber.address_key == place.key, Subscriber.status != ERASED)
        if session.exec(again).first() is None:
            yield f"{place.where}: holds an address that was erased"

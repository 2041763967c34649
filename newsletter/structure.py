"""Is the database itself whole? Its file, and the tables, keys, checks and references on which the program relies.

A restored dump may lack a key without which a reader could have two rows; a disk may lose a page. Both are found here,
a line each, before what stands in the tables is looked at.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Inspector, UniqueConstraint, inspect
from sqlmodel import Session

from newsletter.db import Table, is_sqlite

MOST: Final = 10  # lines about a damaged file; a hundred more would say nothing else


def lacks(session: Session) -> Iterator[str]:
    """The tables and columns that the program expects and that are not there."""
    found = inspect(session.connection())
    there = set(found.get_table_names())
    for table in Table.metadata.sorted_tables:
        if table.name not in there:
            yield f"table {table.name} is not there"
            continue
        columns = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in columns:
                yield f"table {table.name}: its column {column.name} is not there"


def _every_key_check_and_reference_is_there(session: Session) -> Iterator[str]:
    """Every key, check and reference that the program relies on is in the database."""
    found = inspect(session.connection())
    for table in Table.metadata.sorted_tables:
        key = [column.name for column in table.primary_key]
        if set(found.get_pk_constraint(table.name)["constrained_columns"]) != set(key):
            yield f"table {table.name}: {_listed(key)} is no longer its key, so that a row may stand in it twice"
        for unique in sorted(_unique(table) - _unique_there(found, table.name), key=sorted):
            yield f"table {table.name}: {_listed(sorted(unique))} is no longer unique"
        checks = {check["name"] for check in found.get_check_constraints(table.name)}
        for constraint in sorted(table.constraints, key=lambda one: str(one.name)):
            name = f"ck_{table.name}_{str(constraint.name).removeprefix(f'ck_{table.name}_')}"
            if isinstance(constraint, CheckConstraint) and name not in checks:
                yield f"table {table.name}: its check {name} is not there"
        references = {
            (tuple(one["constrained_columns"]), one["referred_table"]) for one in found.get_foreign_keys(table.name)
        }
        wanted = [one for one in table.constraints if isinstance(one, ForeignKeyConstraint)]
        for columns, referred in sorted((tuple(one.column_keys), one.referred_table.name) for one in wanted):
            if (columns, referred) not in references:
                yield f"table {table.name}: {_listed(columns)} no longer refers to {referred}"


def _the_file_is_whole(session: Session) -> Iterator[str]:
    """The database's file is undamaged; what PostgreSQL keeps, it looks after itself."""
    connection = session.connection()
    if is_sqlite(connection):
        answer = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST})").scalars()
        found = [said for text in answer for said in text.splitlines() if said != "ok" and not said.startswith("***")]
        for said in list(dict.fromkeys(found))[:MOST]:
            yield f"the database's file: {' '.join(said.split())}"


def _every_reference_holds(session: Session) -> Iterator[str]:
    """Every row that another one refers to is there; PostgreSQL lets none go."""
    connection = session.connection()
    if is_sqlite(connection):
        rows = connection.exec_driver_sql("PRAGMA foreign_key_check")
        broken = Counter((table, parent) for table, _, parent, _ in rows)
        for (table, parent), count in sorted(broken.items()):
            yield f"table {table}: {count} rows refer to rows of {parent} that are not there"


INVARIANTS: Final = (_the_file_is_whole, _every_key_check_and_reference_is_there, _every_reference_holds)


def _unique(table: sqlalchemy.Table) -> set[frozenset[str]]:
    of_rows = {frozenset(one.columns.keys()) for one in table.constraints if isinstance(one, UniqueConstraint)}
    return of_rows | {frozenset(one.columns.keys()) for one in table.indexes if one.unique}


def _unique_there(found: Inspector, table: str) -> set[frozenset[str]]:
    of_rows = {frozenset(one["column_names"]) for one in found.get_unique_constraints(table)}
    indexes = [one["column_names"] for one in found.get_indexes(table) if one["unique"]]
    return of_rows | {frozenset(name for name in columns if name) for columns in indexes}


def _listed(columns: Iterable[str]) -> str:
    return f"({', '.join(columns)})"

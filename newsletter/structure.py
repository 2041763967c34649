"""Is the database itself whole? Its file, and the tables, keys, checks and references on which the program relies.

A restored dump may lack a key without which a reader could have two rows; a disk may lose a page. Both are found here,
a line each, before what stands in the tables is looked at.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, inspect
from sqlalchemy.engine.interfaces import ReflectedIndex, ReflectedUniqueConstraint
from sqlmodel import Session

from newsletter.db import Table, is_sqlite

T = TypeVar("T")

MOST: Final = 10  # lines about a damaged file; a hundred more would say nothing else


def lacks(session: Session) -> Iterator[str]:
    """The tables and columns that the program expects and that are not there."""
    found = _of_tables(inspect(session.connection()).get_multi_columns)
    for table in Table.metadata.sorted_tables:
        if table.name not in found:
            yield f"table {table.name} is not there"
            continue
        columns = {column["name"] for column in found[table.name]}
        for column in table.columns:
            if column.name not in columns:
                yield f"table {table.name}: its column {column.name} is not there"


def _every_key_check_and_reference_is_there(session: Session) -> Iterator[str]:
    """Every key, check and reference that the program relies on is in the database."""
    found = inspect(session.connection())
    keys = _of_tables(found.get_multi_pk_constraint)
    of_rows, indexes = _of_tables(found.get_multi_unique_constraints), _of_tables(found.get_multi_indexes)
    all_checks, all_references = _of_tables(found.get_multi_check_constraints), _of_tables(found.get_multi_foreign_keys)
    for table in Table.metadata.sorted_tables:
        key = [column.name for column in table.primary_key]
        if set(keys[table.name]["constrained_columns"]) != set(key):
            yield f"table {table.name}: {_listed(key)} is no longer its key, so that a row may stand in it twice"
        for unique in sorted(_unique(table) - _unique_there(of_rows[table.name], indexes[table.name]), key=sorted):
            yield f"table {table.name}: {_listed(sorted(unique))} is no longer unique"
        checks = {check["name"] for check in all_checks[table.name]}
        for constraint in sorted(table.constraints, key=lambda one: str(one.name)):
            name = f"ck_{table.name}_{str(constraint.name).removeprefix(f'ck_{table.name}_')}"
            if isinstance(constraint, CheckConstraint) and name not in checks:
                yield f"table {table.name}: its check {name} is not there"
        references = {(tuple(one["constrained_columns"]), one["referred_table"]) for one in all_references[table.name]}
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


def _unique_there(
    of_rows: Iterable[ReflectedUniqueConstraint], indexes: Iterable[ReflectedIndex]
) -> set[frozenset[str]]:
    unique = [one["column_names"] for one in indexes if one["unique"]]
    return {frozenset(one["column_names"]) for one in of_rows} | {frozenset(filter(None, names)) for names in unique}


def _of_tables(look: Callable[..., dict[Any, T]]) -> dict[str, T]:
    """Table -> what the database says of it, asked for all of ours at once: PostgreSQL needs one query, not thirty."""
    return {name: said for (_, name), said in look(filter_names=list(Table.metadata.tables)).items()}


def _listed(columns: Iterable[str]) -> str:
    return f"({', '.join(columns)})"

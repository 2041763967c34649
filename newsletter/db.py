"""How is the database reached? SQLite files and PostgreSQL behind one engine, durable enough for a send ledger.

Promises: datetimes are aware UTC in and out; on SQLite every writing transaction takes the write lock when it
begins (so that what it read is still true when it writes) and is on the disk when commit returns; and what is deleted
is overwritten.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    String,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, SQLModel

BUSY_TIMEOUT = 30_000  # milliseconds that a SQLite transaction waits for another one's write lock
PATIENCE = 2_000  # milliseconds that tidying a SQLite file waits for readers; writers wait as long
SOON = 500  # milliseconds that what is not worth waiting for waits for another one's write lock
CHUNK = 4 * 1024 * 1024  # bytes of a file that are searched at a time

TRIES = 3  # at a transaction, where another one is in its way

DEADLOCK = "40P01"  # PostgreSQL's word for two transactions that wait for each other

T = TypeVar("T")

WANTED = "wants sqlite:///FILE or postgresql://USER@HOST/NAME"

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""So that migrations can name what they change, alike on both databases."""


class Table(SQLModel):
    """The parent of every table. Table models do not validate: check what goes in at the edge."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


def texts(table: sqlalchemy.Table) -> list[Column[Any]]:
    """The columns of a table that hold text."""
    return [
        column
        for column in table.columns
        if isinstance(column.type.impl if isinstance(column.type, TypeDecorator) else column.type, String)
    ]


def one_of(column: str, values: Iterable[str]) -> str:
    """The SQL of a CHECK that a text column holds one of these words."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def open_engine(url: str) -> Engine:
    """Open the database that a URL names; no connection is made yet.

    `sqlite:///file.db` (relative), `sqlite:////path/file.db` (absolute) or `postgresql://user@host/name`.
    Its errors do not name the values that were written: addresses are among them. Raises ValueError for other
    databases, and for SQLite in memory, which no two connections would share.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # theirs do not say what would be right
        raise ValueError(WANTED) from None
    if parsed.get_backend_name() == "postgresql":
        try:
            return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True)
        except ModuleNotFoundError:
            raise ValueError("PostgreSQL needs psycopg: pip install 'weekly-ai-tool-verdicts[postgres]'") from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise ValueError(WANTED)
    patience = {"timeout": BUSY_TIMEOUT / 1000}
    engine = create_engine(parsed.set(drivername="sqlite"), connect_args=patience, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def lost_a_race(error: DBAPIError) -> bool:
    """Whether a transaction ended because another one was in its way: done again, it sees what that one did.

    Both have added the same, or each waited for the other and the database has let this one go.
    """
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) == DEADLOCK


def in_a_line(error: Exception) -> str:
    """What an error is and says, without the lines behind the first: in those a database names addresses."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def committed(engine: Engine, act: Callable[[Session], T]) -> T:
    """Do something in one transaction and commit it; return what it returns. Raises what it raises.

    Begun anew where another transaction was in its way, up to `TRIES` times: `act` does nothing but read and write.
    """
    for left in reversed(range(TRIES)):
        try:
            with writing(engine) as session:
                done = act(session)
                session.commit()
                return done
        except DBAPIError as error:
            if not left or not lost_a_race(error):
                raise
    raise AssertionError


def only_reads(session: Session) -> bool:
    """Whether this is a session of `reading`: it takes no locks."""
    return bool(session.get_bind().get_execution_options().get("read_only", False))


def is_sqlite(engine: Engine | Connection) -> bool:
    """Whether this is the SQLite of one machine, not a server that many share."""
    return engine.dialect.name == "sqlite"


def upsert(session: Session, table: type[Table]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what becomes of a row that is there already: each database has words of its own for it."""
    return (sqlite.insert if is_sqlite(session.connection()) else postgresql.insert)(table)


class _Elements(sqlalchemy.FunctionElement[Any]):
    """The elements of a JSON array as rows; each database has a name of its own for it."""

    name = "elements"
    inherit_cache = True


@compiles(_Elements, "sqlite")
def _of_sqlite(element: _Elements, compiler: Any, **kwargs: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kwargs)})"


@compiles(_Elements, "postgresql")
def _of_postgresql(element: _Elements, compiler: Any, **kwargs: Any) -> str:
    # Not as JSON, which is text: it would be read anew for each column of each row.
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **kwargs)} AS JSONB))"


def given(rows: Sequence[Sequence[object]] | BindParameter[str], *kinds: TypeEngine[Any]) -> list[ColumnElement[Any]]:
    """The columns of many rows of numbers, texts, truths and nothings, which go to the database as one parameter.

    A statement that speaks of one of them has all of the rows in its FROM. Much less work than a parameter a value. One
    that is made once, for many times, has a parameter of its own in their place, which is given `as_given` of them.
    """
    everything = rows if isinstance(rows, BindParameter) else bindparam(None, as_given(rows), String)
    row = _Elements(everything).table_valued("value").c.value
    return [sqlalchemy.cast(row.op("->>")(literal_column(str(place))), kind) for place, kind in enumerate(kinds)]


def as_given(rows: Sequence[Sequence[object]]) -> str:
    """Rows as the parameter of a statement."""
    # Not as ASCII: half a surrogate fails here, as any text with one does.
    return json.dumps(rows, ensure_ascii=False)


def sqlite_file(engine: Engine) -> Path | None:
    """The file of a SQLite database; None on PostgreSQL."""
    return Path(engine.url.database).resolve() if is_sqlite(engine) and engine.url.database else None


def writing(engine: Engine) -> AbstractContextManager[Session]:
    """A session for one transaction that may write. The caller commits; leaving without a commit rolls back."""
    return Session(engine, expire_on_commit=False)


@contextmanager
def writing_soon(engine: Engine) -> Iterator[Session]:
    """The same for what nobody should have to wait for: raises OperationalError where another one writes for long."""
    with engine.connect() as connection:
        if not is_sqlite(engine):
            with Session(connection, expire_on_commit=False) as session:
                session.connection().exec_driver_sql(f"SET LOCAL lock_timeout = {SOON}")
                yield session
            return
        raw = connection.connection.cursor()  # not through SQLAlchemy, which would begin a transaction, and wait
        raw.execute(f"PRAGMA busy_timeout = {SOON}")
        try:
            with Session(connection, expire_on_commit=False) as session:
                yield session
        finally:
            raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
            raw.close()


def reading(engine: Engine) -> AbstractContextManager[Session]:
    """A session that only reads, and never waits for a writer. It sees the database as it was at its first look."""
    # SQLite does that by itself. On PostgreSQL two counts of what others are just adding to would not add up.
    options: dict[str, Any] = {} if is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}
    return Session(engine.execution_options(read_only=True, **options), expire_on_commit=False)


def leave_no_copies(engine: Engine, gone: Collection[str] = (), *, rewrite: bool = False) -> bool:
    """After a commit that erased something: let the old bytes not lie about. False where they still may; call it again.

    On SQLite the log goes into the file and is emptied. Overwriting what is deleted misses copies that SQLite leaves
    behind when it moves rows from page to page: the file is searched for the texts that are `gone` (in any case), and
    written anew where it holds one, or with `rewrite`. A long reader hinders it. On PostgreSQL dead rows are vacuumed.
    """
    try:
        return _tidy_sqlite(engine, gone, rewrite) if is_sqlite(engine) else _tidy_postgresql(engine)
    except (sqlite3.Error, DBAPIError):
        return False


def _tidy_sqlite(engine: Engine, gone: Collection[str], rewrite: bool) -> bool:
    file = sqlite_file(engine)
    assert file is not None  # open_engine knows no other SQLite
    # SQLAlchemy's own connection would begin a transaction, in which neither statement can be.
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE}")
        try:
            if not _emptied_log(cursor):
                return False
            if rewrite or _holds(file, gone):
                cursor.execute("VACUUM")
                return _emptied_log(cursor)  # what it holds now is somebody's whose address contains the other
            return True
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")


def _emptied_log(cursor: DBAPICursor) -> bool:
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    answer = cursor.fetchone()
    return answer is not None and answer[0] == 0  # else somebody reads what is only in the log


def _holds(file: Path, texts: Collection[str]) -> bool:
    """Whether a file has one of these texts in it, in UTF-8; ASCII letters in any case."""
    wanted = [text.encode().lower() for text in texts if text]
    before = b""
    longest = max(map(len, wanted), default=0)
    with file.open("rb") as opened:
        while wanted and (chunk := opened.read(CHUNK)):
            seen = before + chunk.lower()
            if any(text in seen for text in wanted):
                return True
            before = seen[-longest:]
    return False


def _tidy_postgresql(engine: Engine) -> bool:
    tables = ", ".join(f'"{name}"' for name in sorted(Table.metadata.tables))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"VACUUM (SKIP_LOCKED) {tables}")
    return True


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set what SQLite forgets with every connection, and hand transactions over to `_begin_sqlite`."""
    connection.isolation_level = None  # or sqlite3 begins transactions too late
    cursor = connection.cursor()
    _keep_a_log(cursor)
    # NORMAL may lose the last commits when the power goes, and with them the word that a batch was being sent.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is erased is to be gone from the file; some builds of SQLite do this by themselves, not all.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _keep_a_log(cursor: DBAPICursor) -> None:
    """Switch the file to a write-ahead log, which it stays with. SQLite does not wait when two do so first, at once."""
    until = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN DEFERRED" if read_only else "BEGIN IMMEDIATE")

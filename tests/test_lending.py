"""A database that is lent again is as a new one, and one that is not so is not lent again."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from newsletter.db import open_engine
from tests.begun import begin
from tests.lending import Lending, looks
from tests.newsroom import subscribe
from tests.postgres import Cluster


@pytest.fixture
def lender(cluster: Cluster) -> Iterator[Lending]:
    lender = Lending(cluster, "template_newsletter")
    with closing(lender):
        yield lender


def everything(url: str) -> dict[str, object]:
    """What a database is like, and all rows of all tables."""
    with psycopg.connect(url) as session:
        tables = [name for (name,) in session.execute("SELECT relname FROM pg_class WHERE relkind = 'r'").fetchall()]
        ours = sorted(name for name in tables if not name.startswith(("pg_", "sql_")))
        assert len(ours) > 20
        rows = {name: session.execute(f'SELECT * FROM "{name}"').fetchall() for name in ours}
        return {"": looks(session), **rows}


def test_a_database_that_comes_back_is_as_a_new_one(cluster: Cluster, lender: Lending, tmp_path: Path) -> None:
    new = everything(cluster.create(template="template_newsletter"))
    url = lender.lend()
    assert everything(url) == new
    engine = open_engine(url)
    begin(engine, tmp_path)  # comparisons, an issue, readers, a ledger, references between them all
    used = everything(url)
    assert sum(used[name] != rows for name, rows in new.items()) > 8
    assert used[""] != new[""]  # the sequences have counted

    with engine.connect() as left_open:
        left_open.exec_driver_sql("DELETE FROM consents")
        assert lender.take_back(url)
        with pytest.raises(OperationalError):
            left_open.exec_driver_sql("SELECT 1")
        left_open.invalidate()
    assert everything(url) == new
    assert lender.lend() == url
    assert subscribe(engine, ["ana@example.com"]) == [1]
    engine.dispose()


CHANGES: dict[str, Callable[[str], str]] = {
    "a column": lambda name: "ALTER TABLE issues DROP COLUMN approved_of",
    "an index": lambda name: "DROP INDEX ix_deliveries_state",
    "a table": lambda name: "CREATE TABLE another (id integer)",
    "a table gone": lambda name: "DROP TABLE pace",
    "a setting": lambda name: f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_database_that_a_test_has_changed_is_not_lent_again(lender: Lending, change: str) -> None:
    url = lender.lend()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(CHANGES[change](url.rpartition("/")[2]))
    assert not lender.take_back(url)
    assert lender.lend() != url

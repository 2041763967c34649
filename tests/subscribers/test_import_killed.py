import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsletter.db import Table, open_engine
from subscribers.importing import CHUNK, import_csv
from tests.forked import Forked
from tests.newsroom import MONDAY

ROWS = 3 * CHUNK + 10


def killed(url: str, path: Path, after: int) -> int:
    process = Forked("tests.subscribers.importer", url, str(path), str(after), env=os.environ, cwd=path.parent)
    return process.wait(60)


def run(url: str, path: Path) -> None:
    engine = open_engine(url)
    import_csv(engine, path, None, MONDAY)
    engine.dispose()


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but the key of the fingerprints, which each database has for itself."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = {
            name: sorted(map(tuple, connection.execute(table.select())), key=repr)
            for name, table in Table.metadata.tables.items()
            if name not in ("salts", "suppressions")
        }
    engine.dispose()
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_import_that_was_killed_and_run_again_ends_like_one_that_was_not(
    new_database: Callable[[str], str], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "readers.csv"
    statuses = ["active", "unsubscribed", "bounced", "pending", "active"]
    rows = [f"reader{number % (ROWS - 7)}@example.com,{statuses[number % 5]},2025-01-14" for number in range(ROWS)]
    path.write_text("email,status,consented_at\n" + "\n".join(rows))
    dies = new_database(kind)
    never = dies if kind == "sqlite" else new_database(kind)
    if kind == "sqlite":
        shutil.copy(tmp_path / "newsletter.db", tmp_path / "whole.db")
        never = f"sqlite:///{tmp_path / 'whole.db'}"
    run(never, path)
    expected = everything(never)

    # The first chunk is three statements: readers, consents, suppressions. The fifth is the second chunk's consents.
    assert killed(dies, path, after=5) == -signal.SIGKILL
    assert len(everything(dies)["subscribers"]) == CHUNK
    run(dies, path)
    found = everything(dies)
    if kind == "postgresql":  # numbers that were given out before a kill are not used again there
        expected, found = _without_numbers(expected), _without_numbers(found)
    assert found == expected


def _without_numbers(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    keys = {row[0]: row[2] for row in tables["subscribers"]}
    return {
        "subscribers": sorted((row[1:] for row in tables["subscribers"]), key=repr),
        "consents": sorted(((keys[row[1]], *row[2:]) for row in tables["consents"]), key=repr),
    }

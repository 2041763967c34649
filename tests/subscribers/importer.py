"""An import as a process of its own, that dies in its midst: `python -m tests.subscribers.importer URL FILE AFTER`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event

from newsletter.db import open_engine
from subscribers.importing import import_csv
from tests.newsroom import MONDAY


def main() -> None:
    """Import, and die (as by `kill -9`) behind the AFTERth statement that writes."""
    url, path, after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    engine, written = open_engine(url), 0

    def die(_: Any, __: Any, statement: str, *___: Any) -> None:
        nonlocal written
        written += statement.startswith(("INSERT", "UPDATE"))
        if written == after:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "after_cursor_execute", die)
    import_csv(engine, path, None, MONDAY)


if __name__ == "__main__":
    main()

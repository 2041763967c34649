"""Where do the rows of a file go that were left out? Into a file of the same columns, with line and reason behind them.

Mended there, it can be imported as it is. No such file is ever written over: people may be at work in it.
"""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from subscribers.dialects import REJECTS
from subscribers.importing import BadRow

BLOCK = 64 * 1024  # bytes that are compared together


class Rejects:
    """Bad rows, gathered in a file without a name until they are saved: an import that dies leaves none behind."""

    def __init__(self, header: Sequence[str]) -> None:
        # Of rows that were rejected before, line and reason are of another file, and give way.
        again = tuple(name.strip().lower() for name in header[-len(REJECTS) :]) == REJECTS
        self._width = len(header) - len(REJECTS) if again else len(header)
        self._behind = len(header)
        self._bytes = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        # With a byte order mark: it is for spreadsheets, some of which take UTF-8 for something else without it.
        self._text = io.TextIOWrapper(self._bytes, encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow([*header[: self._width], *REJECTS])

    def add(self, row: BadRow) -> None:
        """Take a row in. Fields beyond the header's stand behind the reason: a comma too many loses nothing."""
        cells = row.cells[: self._width]
        cells += [""] * (self._width - len(cells))
        self._writer.writerow([*cells, str(row.line), row.reason, *row.cells[self._behind :]])

    def save(self, path: Path) -> None:
        """Write them all. Raises FileExistsError where there is such a file, or OSError."""
        self._text.flush()
        self._bytes.seek(0)
        # Nobody else on the machine may read it: there are addresses in it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            shutil.copyfileobj(self._bytes, file)

    def save_beside(self, name: str) -> Path:
        """Write them into the current folder as `NAME.rejected.csv`; return the path that it became.

        Where there is such a file, a number is added (`NAME.rejected.2.csv`), unless a file has the same rows.
        """
        for path in _names(name):
            if path.is_file() and self._is_in(path):
                return path
            try:
                self.save(path)
            except FileExistsError:
                continue
            return path
        raise AssertionError

    def pieces(self) -> Iterator[bytes]:
        """The file as it would be saved, for whoever hands it on; any number may read it at once."""
        self._text.flush()
        at = 0
        while block := os.pread(self._bytes.fileno(), BLOCK, at):
            at += len(block)
            yield block

    def close(self) -> None:
        """Forget them."""
        self._text.close()

    def _is_in(self, path: Path) -> bool:
        self._text.flush()
        self._bytes.seek(0)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                if block != self._bytes.read(BLOCK):
                    return False
        return not self._bytes.read(1)


def _names(name: str) -> Iterator[Path]:
    yield Path(f"{name}.rejected.csv")
    for number in count(2):
        yield Path(f"{name}.rejected.{number}.csv")

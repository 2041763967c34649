"""How is a CSV file read that somebody else wrote? Encoding and separator found out, row by row.

Pure but for the file. The whole file is gone through once before anything of it is used: so one that cannot be read
is refused as a whole, and it is known how many rows there are. Never more than a row and a block are in memory.
"""

import codecs
import csv
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

MAX_FIELD = 10_000  # characters; more in one field means that a quote was never closed
MAX_LINE = 1_000_000  # characters
MAX_COLUMNS = 1_000  # no service exports so many, and each row would be as long
BLOCK = 64 * 1024  # bytes that are looked at together
SAMPLE = 64 * 1024  # bytes by which an encoding is guessed

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}

WINDOWS = "cp1252"
PLAUSIBLE = [WINDOWS, "cp1250", "cp1251", "cp1253", "cp1254", "shift_jis", "gb18030", "big5", "euc_kr"]
"""What files still are that are not Unicode. Of all encodings there are, too many fit a few letters."""

BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class CannotRead(ValueError):  # noqa: N818  the name says what happened
    """The file as a whole cannot be read; nothing of it was stored."""


@dataclass(frozen=True)
class CsvFile:
    """An open file that has been gone through once."""

    path: Path
    encoding: str
    separator: str
    header: tuple[str, ...]
    """As written."""
    count: int
    """Rows that are not blank, without the header."""
    handle: BinaryIO

    @property
    def is_plain(self) -> bool:
        """Whether it is in UTF-8 and separated by commas."""
        return self.encoding in ("utf-8", "utf-8-sig") and self.separator == ","

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line, fields) of every row that is not blank; lines count from 1, the header included."""
        rows = _rows(self.path, self.handle, self.encoding, self.separator)
        next(rows, None)
        return ((line, cells) for line, cells in rows if any(map(str.strip, cells)))


@contextmanager
def open_csv(path: Path, encoding: str | None = None) -> Iterator[CsvFile]:
    """Open a CSV file for the length of the block. `encoding`: instead of finding out. Raises CannotRead."""
    try:
        opened = path.open("rb")
    except OSError as error:
        raise CannotRead(f"{path}: {error.strerror or error}") from None
    with opened, tempfile.TemporaryFile() as copied:
        handle: BinaryIO = opened
        if not opened.seekable():  # a pipe can be read once only
            shutil.copyfileobj(opened, copied)
            handle = copied
        yield look_through(path, handle, encoding)


def look_through(path: Path, handle: BinaryIO, encoding: str | None = None) -> CsvFile:
    """Go through an open file that can be sought; it stays the caller's to close. Raises CannotRead.

    `path`: what it is called; nothing need be there.
    """
    found = encoding or _encoding(handle)
    separator = _separator(path, handle, found)
    header, count = _gone_through(path, handle, found, separator)
    return CsvFile(path, found, separator, header, count, handle)


def _gone_through(path: Path, handle: BinaryIO, encoding: str, separator: str) -> tuple[tuple[str, ...], int]:
    rows = _rows(path, handle, encoding, separator)
    header = tuple(next(rows, (0, []))[1])
    return header, sum(1 for _, cells in rows if any(map(str.strip, cells)))


def _rows(path: Path, handle: BinaryIO, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    line = 1
    try:
        reader = csv.reader(_lines(path, handle, encoding), delimiter=separator, strict=True)
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise CannotRead(f"{path}:{line}: has {len(cells):,} columns, and at most {MAX_COLUMNS:,} are read")
            if max(map(len, cells), default=0) > MAX_FIELD:
                raise CannotRead(f"{path}:{line}: a quote is opened here and never closed")
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise CannotRead(f"{path}:{line}: {error}; is there a quote that is never closed?") from None
    except UnicodeError:
        raise CannotRead(
            f"{path}: somewhere after line {line} it is not {name_of(encoding)}; say what it is with --encoding, "
            "or save it as CSV in UTF-8"
        ) from None


def _lines(path: Path, handle: BinaryIO, encoding: str) -> Iterator[str]:
    """Lines with their ends as they are: CR, LF or both."""
    handle.seek(0)
    text = io.TextIOWrapper(handle, encoding=encoding, newline="")
    try:
        number = 0
        while line := text.readline(MAX_LINE):
            number += 1
            if "\0" in line:
                raise CannotRead(f"{path}: holds NUL bytes in line {number}; this is no text file")
            if len(line) == MAX_LINE:
                raise CannotRead(f"{path}:{number}: the line is longer than {MAX_LINE:,} characters")
            yield line
    finally:
        if not handle.closed:
            text.detach()  # or it would close the file, which is read once more


def _separator(path: Path, handle: BinaryIO, encoding: str) -> str:
    try:
        first = next(_lines(path, handle, encoding), "")
    except UnicodeError:
        return ","  # going through it will tell
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(SEPARATORS, key=unquoted.count)


def _encoding(handle: BinaryIO) -> str:
    """UTF-8 or UTF-16 where that is sure, else the likeliest of the plausible."""
    handle.seek(0)
    start = handle.read(4)
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    handle.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := handle.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _guessed(_odd_lines(handle))
    return "utf-8"


def _odd_lines(handle: BinaryIO) -> bytes:
    """Lines that are not ASCII: one letter in a million rows must be looked at, not the first thousand rows."""
    handle.seek(0)
    odd = bytearray()
    while len(odd) < SAMPLE and (block := handle.read(BLOCK)):
        if not block.isascii():
            odd += b"\n".join(re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", block)) + b"\n"
    return bytes(odd[:SAMPLE])


def _guessed(sample: bytes) -> str:
    matches = list(from_bytes(sample, cp_isolation=PLAUSIBLE))
    if not matches:
        return WINDOWS
    # A few letters fit many encodings equally well: then it is the one that most such files are in.
    clean = [match for match in matches if match.chaos <= min(one.chaos for one in matches)]
    likely = any(WINDOWS in match.could_be_from_charset for match in clean)
    return WINDOWS if likely else clean[0].encoding


def name_of(encoding: str) -> str:
    """An encoding's name as people write it."""
    name = codecs.lookup(encoding).name
    return {"utf-8-sig": "UTF-8", WINDOWS: "Windows-1252"}.get(name, name.upper())

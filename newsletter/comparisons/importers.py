"""How do files become comparisons in the store? Page text, JSON and JSON Lines, or a directory of them.

Promises: importing twice changes nothing; a bad file is named with line and reason and leaves nothing of itself, and
the good files still go in.

A directory stands for its own `.txt`, `.json` and `.jsonl` files, sorted by name; what else lies in it (a README,
hidden files, further directories) is passed over. A file that is named directly must have one of these endings.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError
from sqlmodel import Session

from newsletter.comparisons.comparison import Imported, save
from newsletter.comparisons.complaints import in_one_line
from newsletter.comparisons.page import PageError, parse_page
from newsletter.comparisons.record import Comparison, in_utc

SUFFIXES = (".txt", ".json", ".jsonl")
MAX_SIZE = 10 * 1024 * 1024  # bytes in a file


class ImportFileError(ValueError):
    """A file that cannot be read: the line, from 1 (None where it is the whole file), and how to mend it."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class GoodFile:
    """A file that went in, and what became of each comparison in it."""

    path: Path
    imported: tuple[Imported, ...]


@dataclass(frozen=True)
class BadFile:
    """A file of which nothing went in. `line` is from 1; None where it is the whole file."""

    path: Path
    line: int | None
    reason: str

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{self.path}: {where}{self.reason}"


@dataclass(frozen=True)
class Report:
    """What became of each file, in the order of reading."""

    files: tuple[GoodFile | BadFile, ...]

    @property
    def imported(self) -> list[Imported]:
        """Every comparison that was read, whether or not it changed anything."""
        return [each for file in self.files if isinstance(file, GoodFile) for each in file.imported]

    @property
    def bad(self) -> list[BadFile]:
        """The files that have to be mended."""
        return [file for file in self.files if isinstance(file, BadFile)]


def import_paths(
    session: Session,
    paths: Iterable[Path],
    published_at: datetime | None,
    now: datetime,
    watch: Callable[[Path], None] = lambda _: None,
) -> Report:
    """Store what the files and directories hold; the caller commits, bad files or not.

    `published_at` is given to comparisons that carry no date, as pages do; None leaves those that are already stored
    as they are, and new ones are published `now`. `watch` is told each file before it is read.

    Two files of one import may repeat a comparison, but not say different things of it: which of them is newer cannot
    be known, so the later file is bad.
    """
    files: list[GoodFile | BadFile] = []
    written: dict[str, Path] = {}
    for found in expand(paths):
        if isinstance(found, Path):
            watch(found)
            read = partial(read_file, found, published_at)
            files.append(_import_file(session, found, read, now, written))
        else:
            files.append(found)
    return Report(tuple(files))


def expand(paths: Iterable[Path]) -> Iterator[Path | BadFile]:
    """The files to read, directories expanded as the module says; BadFile for a path that leads to none."""
    for path in paths:
        try:
            inside = _files_in(path) if path.is_dir() else [path]
        except OSError as error:
            yield BadFile(path, None, f"cannot be read: {error.strerror}")
            continue
        if not inside:
            yield BadFile(path, None, f"this directory holds no {_choice(SUFFIXES)} file")
        yield from inside


def read_file(path: Path, published_at: datetime | None) -> list[Comparison]:
    """The comparisons in one file: one in a `.txt`, any number in a `.json` array or a `.jsonl`.

    Those that carry no date are given `published_at`. Raises ImportFileError.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        if not path.exists():
            raise ImportFileError(None, "there is no such file")
        raise ImportFileError(None, f"ends with none of {_choice(SUFFIXES)}, which say how to read it")
    return read_text(_text(path), suffix, published_at)


def read_text(text: str, suffix: str, published_at: datetime | None) -> list[Comparison]:
    """The same of what a file with such an ending holds. Raises ImportFileError."""
    if not text.strip():
        raise ImportFileError(1, "the file is empty")
    if suffix == ".txt":
        try:
            records = [parse_page(text)]
        except PageError as error:
            raise ImportFileError(error.line, error.reason) from None
    else:
        text = re.sub(r"\r\n?", "\n", text)
        items = _json_lines(text) if suffix == ".jsonl" else _json_items(text)
        records = [_record(item, line, place) for item, line, place in items]
    if published_at is None:
        return records
    try:
        moment = in_utc(published_at)
    except ValueError as error:
        raise ImportFileError(None, f"the date that was given for it {error}") from None
    return [record if record.published_at else record.model_copy(update={"published_at": moment}) for record in records]


def suffix_of(text: str) -> str:
    """Which of `SUFFIXES` a file with this text would have, as far as its beginning tells."""
    begins = text.lstrip()[:1]
    if begins not in ("{", "["):
        return ".txt"
    lines = [line for line in text.splitlines() if line.strip()]
    # One object over many lines is JSON; an object in each of several lines is JSON Lines.
    several = len(lines) > 1 and all(line.strip().startswith("{") and line.strip().endswith("}") for line in lines)
    return ".jsonl" if begins == "{" and several else ".json"


def import_data(
    session: Session, given: Iterable[tuple[Path, bytes]], published_at: datetime | None, now: datetime
) -> Report:
    """As `import_paths`, of files that somebody has handed over: what they are called, and what is in them."""
    files: list[GoodFile | BadFile] = []
    written: dict[str, Path] = {}
    for path, data in given:

        def read(path: Path = path, data: bytes = data) -> list[Comparison]:
            suffix = path.suffix.lower()
            if len(data) > MAX_SIZE:
                raise ImportFileError(None, f"is larger than {MAX_SIZE // 1024**2} MB: split it")
            text = _decoded(data)
            return read_text(text, suffix if suffix in SUFFIXES else suffix_of(text), published_at)

        files.append(_import_file(session, path, read, now, written))
    return Report(tuple(files))


def read_value(data: bytes) -> object:
    """The one value of a JSON document in UTF-8, read as strictly as a file. Raises ImportFileError."""
    text = re.sub(r"\r\n?", "\n", _decoded(data))
    if not text.strip():
        raise ImportFileError(None, "there is nothing in it")
    return _json_value(text, *_skip_space(text, 0, 1))


def _import_file(
    session: Session, path: Path, read: Callable[[], list[Comparison]], now: datetime, written: dict[str, Path]
) -> GoodFile | BadFile:
    """Store one file, or nothing of it. Notes in `written` which comparisons this import has seen, and where."""
    try:
        records = read()
        seen = dict(written)
        imported = []
        with session.begin_nested():
            for record in records:
                result = save(session, record, now)
                if result.change != "unchanged" and result.slug in seen:
                    raise ImportFileError(  # noqa: TRY301  # it must roll the savepoint back
                        None,
                        f"says otherwise of {record.title!r} than {seen[result.slug]} in the same import "
                        f"({', '.join(result.changes[:3])}): leave one of the two",
                    )
                seen[result.slug] = path
                imported.append(result)
    except ImportFileError as error:
        return BadFile(path, error.line, error.reason)
    except ValueError as error:  # save's own
        return BadFile(path, None, str(error))
    written.update(seen)
    return GoodFile(path, tuple(imported))


def _files_in(directory: Path) -> list[Path]:
    # A link that leads nowhere is kept, to be named: it was meant to be a file. Pipes and devices would hang.
    return sorted(
        path
        for path in directory.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and (path.is_file() or not path.exists())
    )


def _text(path: Path) -> str:
    try:
        is_special = path.exists() and not path.is_file()  # a pipe would hang
        data = b"" if is_special else _head(path)
    except FileNotFoundError:
        raise ImportFileError(None, "there is no such file") from None
    except OSError as error:
        raise ImportFileError(None, f"cannot be read: {error.strerror}") from None
    if is_special:
        raise ImportFileError(None, "is not a file")
    if len(data) > MAX_SIZE:
        raise ImportFileError(None, f"is larger than {MAX_SIZE // 1024**2} MB: split it")
    return _decoded(data)


def _decoded(data: bytes) -> str:
    if (nul := data.find(0)) >= 0:
        raise ImportFileError(_line_of(data, nul), "holds a NUL byte: this is no UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportFileError(
            _line_of(data, error.start), f"is not UTF-8 (byte 0x{data[error.start]:02X}): save it as UTF-8"
        ) from None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_SIZE + 1)


def _line_of(data: bytes, at: int) -> int:
    return 1 + len(re.findall(rb"\r\n?|\n", data[:at]))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:40]!r} stands twice in one object")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_SPACE = re.compile(r"[ \t\n\r]*")  # JSON's own, not all of Unicode's
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _decode(text: str, at: int, line: int) -> tuple[object, int]:
    """The JSON value that begins at an index of a text, and the index behind it; `line` is the index's line."""
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        broken = line + text.count("\n", at, error.pos)
        raise ImportFileError(broken, f"is not JSON: {error.msg} (column {_column(text, error.pos)})") from None
    except RecursionError:
        raise ImportFileError(line, "is nested too deeply") from None
    except ValueError as error:  # ours, and numbers of thousands of digits
        reason = str(error) if "digits" not in str(error) else "holds a number that is far too long"
        raise ImportFileError(line, reason) from None


def _column(text: str, at: int) -> int:
    return at - text.rfind("\n", 0, at)


def _json_lines(text: str) -> Iterator[tuple[object, int, str]]:
    """Each object of JSON Lines, its line, and its place, which the line says."""
    for number, content in enumerate(text.split("\n"), start=1):
        stripped = content.strip(" \t\r")
        if stripped:
            item, end = _decode(stripped, 0, number)
            if end < len(stripped):
                raise ImportFileError(number, f"is not JSON Lines: more follows the first value (column {end + 1})")
            yield item, number, ""


def _json_items(text: str) -> Iterator[tuple[object, int, str]]:
    """The object of a JSON document, or each item of its array, with the line it begins in and its place."""
    at, line = _skip_space(text, 0, 1)
    if text[at] != "[":
        yield _json_value(text, at, line), line, ""
        return
    at, line = _skip_space(text, at + 1, line)
    count = 0
    while count == 0 or text[at : at + 1] == ",":
        if count:
            at, line = _skip_space(text, at + 1, line)
        elif text[at : at + 1] == "]":
            break
        item, end = _decode(text, at, line)
        count += 1
        yield item, line, f"item {count}: "
        at, line = _skip_space(text, end, line + text.count("\n", at, end))
    if text[at : at + 1] != "]":
        raise ImportFileError(line, f"is not JSON: a comma or ] is missing (column {_column(text, at)})")
    _refuse_more(text, *_skip_space(text, at + 1, line))


def _json_value(text: str, at: int, line: int) -> object:
    """The value that begins at an index of a text, and that nothing follows."""
    item, end = _decode(text, at, line)
    _refuse_more(text, *_skip_space(text, end, line + text.count("\n", at, end)))
    return item


def _refuse_more(text: str, at: int, line: int) -> None:
    if at < len(text):
        raise ImportFileError(line, f"is not JSON: more follows the end (column {_column(text, at)})")


def _skip_space(text: str, at: int, line: int) -> tuple[int, int]:
    space = _SPACE.match(text, at)
    assert space is not None  # it matches nothing, too
    return space.end(), line + text.count("\n", at, space.end())


def _record(item: object, line: int, place: str) -> Comparison:
    try:
        return Comparison.model_validate(item)
    except ValidationError as error:
        raise ImportFileError(line, place + in_one_line(error)) from None


def _choice(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"

"""What do commands print, and where? Results on stdout, everything else on stderr.

With `--json` one document is all that stdout gets. A progress bar shows on a terminal, plain lines elsewhere. Texts of
others (a file's columns, a provider's words) do not work the terminal: what would change its colours is spelled out.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from newsletter.delivery.ledger import Accounting

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but the line feed and the tabulator

LINE_EVERY = 5.0  # seconds between plain progress lines

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_stderr = Console(stderr=True, highlight=False, soft_wrap=True)


class Failure(Exception):  # noqa: N818  the name says what happened
    """A command could not do what it was asked for; the text is shown as it is, and the exit status is 1."""


def say(text: str) -> None:
    """Print a result."""
    print(_harmless(text))


def tell(text: str) -> None:
    """Print a remark, which is no result."""
    _stderr.print(escape(_harmless(text)))


def fail(text: str) -> NoReturn:
    """End the command with exit status 1 and a line on stderr."""
    raise Failure(text)


def say_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(as_document(document))


def as_document(document: Any) -> str:
    """One JSON document as commands write it: indented, moments in ISO 8601 with a Z for UTC, and an end of line."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE).decode()


def say_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their headings. Where stdout is no terminal, nothing is cut to its width."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(_harmless(str(cell))) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=500)
        with console.capture() as captured:
            console.print(table)
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))
        return
    console.print(table)


@contextmanager
def progress(what: str) -> Iterator[Callable[[Accounting], None]]:
    """Show how a send gets on, for as long as the block runs; yields what to call with each new accounting."""
    with _shown(what) as show:
        yield lambda books: show(books.audience - books.unsettled, books.audience, f", {books.in_doubt} in doubt")


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far something got of a known number of steps; yields what to call with how many are done."""
    with _shown(what) as show:
        yield lambda done: show(done, total, "")


@contextmanager
def steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something got; yields what to call with how many steps are done, and of how many."""
    with _shown(what) as show:
        yield lambda done, total: show(done, total, "")


@contextmanager
def _shown(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show how far something is: so many, of so many, and on a plain line what else there is to say."""
    if not _stderr.is_terminal:
        yield _plain_lines(what)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_stderr, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, _: bar.update(task, total=total, completed=done)


def _plain_lines(what: str) -> Callable[[int, int, str], None]:
    last = time.monotonic()

    def show(done: int, total: int, more: str) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY:
            last = time.monotonic()
            tell(f"{what}: {done} of {total}{more}")

    return show


def _harmless(text: str) -> str:
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)

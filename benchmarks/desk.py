"""How fast are the editors' pages with a million readers? `python -m benchmarks.desk --keep DIR`.

A SQLite database with 1,000,000 readers and 200 issues (`benchmarks.big`; made once, and kept in DIR), the real
application over HTTP on loopback, and an editor who is signed in and asks for every page. Exits 1 where a page's median
is above the limit, where a page answers with an error, or where a statement of a page goes through a large table from
end to end (`benchmarks.plans`).
"""

import argparse
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import requests
import uvicorn
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine
from sqlmodel import select

from benchmarks import big, plans
from benchmarks.big import DRAFT, GOING, NOW, OUT, Size
from newsletter.assembly import Assembly, assemble
from newsletter.db import sqlite_file, writing
from newsletter.editors import sessions
from newsletter.editors.editor import PUBLISHER, Editor
from newsletter.sandbox.server import Sandbox
from newsletter.web.app import create_app
from newsletter.web.desk.cookies import cookie_name, signer

LIMIT: Final = 300  # milliseconds
PATIENCE: Final = 300.0  # seconds until what is counted beside the pages must be there
READY: Final = "READY"
SIGNATURE: Final = "desk benchmark"

LEFT_OUT: Final = re.compile(r"/desk/(files|login|invited|magic|readers/import/\{key\})(/|$|\{)")
"""Pages that nobody needs to be signed in for, and those that are there only once something was sent."""

VALUES: Final[dict[str, tuple[object, ...]]] = {
    "week": (DRAFT, GOING, OUT, OUT.before().before()),
    "number": (321,),
    "reader": (321,),
    "slug": ("ox-quill-vs-mendwell-0",),
    "kind": ("welcome",),
    "language": ("en",),
}
"""A part of an address -> what to put there."""

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "/desk/numbers": ("weeks=12", "weeks=26", "weeks=52"),
    "/desk/readers": ("status=active", "status=suppressed", "status=erased"),
    "/desk/comparisons": ("q=ox", "q=nothing-like-that"),
}
"""A page -> what it is asked with besides."""


SEARCHES: Final[dict[str, tuple[dict[str, str], ...]]] = {
    "/desk/readers": (
        {"words": "reader4321"},
        {"words": "r"},
        {"words": "Reader4321@gmail.com"},
        {"words": "nobody-at-all"},
        {"words": "reader", "status": "suppressed"},
        {"words": "nobody-at-all", "status": "suppressed"},
    ),
}
"""A page -> the forms by which something is looked for there; the time is that to the page that shows it."""

CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True)
class Timed:
    """How one page did."""

    page: str
    status: int
    milliseconds: tuple[float, ...]
    size: int
    """Bytes of the answer."""
    cpu: float = 0.0
    """Milliseconds of CPU of one answer, on average, of pages and browser together."""

    @property
    def median(self) -> float:
        """Milliseconds."""
        return median(self.milliseconds)


@dataclass(frozen=True)
class Found:
    """What a run has found."""

    pages: list[Timed]
    scans: list[str]
    """Page, table and statement, a line each."""
    slow: list[str]
    """Of the pages above the limit: page, milliseconds and statement, a line each."""

    def wrong(self, limit: float) -> list[str]:
        """What is not as it must be, a line each."""
        slow = [
            f"{one.page}: {one.median:.0f} ms at the median, the limit is {limit:.0f}"
            for one in self.pages
            if one.median > limit
        ]
        odd = [f"{one.page}: answered with {one.status}" for one in self.pages if one.status >= 400]
        return [*slow, *self.slow, *odd, *self.scans]


def main() -> None:
    """Measure, print a table, and say what is wrong."""
    given = _arguments()
    console, size = Console(width=150), Size(given.readers, given.issues)
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name, Sandbox() as sandbox:
        folder = big.folder_of(Path(given.keep or name), size)
        with closing(_assembly(folder, sandbox)) as assembly:
            _make_once(assembly, folder, size, console)
            file = sqlite_file(assembly.engine)
            assert file is not None
            console.print(f"{file}: {file.stat().st_size / 2**20:,.0f} MiB")
            found = measure(assembly, given.times, given.only, given.limit, console=console)
    console.print(_table(found.pages, size))
    wrong = found.wrong(given.limit)
    for line in wrong:
        console.print(line, markup=False)
    sys.exit(1 if wrong else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the editors' pages on a large database.")
    parser.add_argument("--readers", type=int, default=Size.readers)
    parser.add_argument("--issues", type=int, default=Size.issues)
    parser.add_argument("--keep", metavar="DIR", help="make the database once, and keep it there")
    parser.add_argument("--times", type=int, default=7, help="how often each page is asked for")
    parser.add_argument("--limit", type=float, default=LIMIT, help="milliseconds")
    parser.add_argument("--only", default="", help="only pages whose address has this in it")
    return parser.parse_args()


def _assembly(folder: Path, sandbox: Sandbox) -> Assembly:
    folder.mkdir(parents=True, exist_ok=True)
    return assemble(
        database_url=f"sqlite:///{folder / 'newsletter.db'}",
        base_url="http://127.0.0.1:8000",
        provider="postmark",
        postmark_api_url=sandbox.url,
        postmark_server_token=sandbox.token,
        track_opens="true",
        track_clicks="true",
        timezone="UTC",
    )


def _make_once(assembly: Assembly, folder: Path, size: Size, console: Console) -> None:
    if (folder / READY).exists():
        return
    file = sqlite_file(assembly.bare_engine)
    assert file is not None
    for half_made in file.parent.glob(f"{file.name}*"):
        half_made.unlink()
    big.make(assembly, size, console)
    (folder / READY).touch()


def measure(
    assembly: Assembly,
    times: int,
    only: str = "",
    limit: float = LIMIT,
    large: int = plans.LARGE,
    console: Console | None = None,
) -> Found:
    """Ask for every page so often, and look at the plans of what they ask of the database."""
    app = create_app(assembly, clock=lambda: NOW)
    engine: Engine = app.state.site.engine
    with _served(app) as address, requests.Session() as browser, plans.watching(engine) as watch:
        browser.cookies.set(cookie_name(app.state.site), _signed_in(assembly, app))
        pages = [page for page in pages_of(app) if only in page]
        waited = _until_counted(browser, address, pages)
        if console and waited > 1:
            console.print(f"figures were being counted for {waited:.1f} s beside the pages")
        timed = []
        for page in pages:
            watch.page = page
            timed.append(_ask(browser, address, page, times))
        for page, forms in SEARCHES.items():
            for form in forms if page in pages else ():
                watch.page = f"{page} for {' '.join(form.values())}"
                timed.append(_search(browser, address, page, form, watch.page, times))
        watch.page = None
    rows = plans.sizes(engine)
    scans = [
        f"{page}: goes through {line}\n    {' '.join(statement.split())}"
        for page, statements in watch.asked.items()
        for statement, parameters in statements.items()
        for line in plans.scans(engine, statement, parameters, rows, large)
    ]
    slow = [
        f"{page}: {took:.0f} ms of it are {' '.join(statement.split())}"
        for page in (one.page for one in timed if one.median > limit)
        for statement, parameters in watch.asked.get(page, {}).items()
        if (took := plans.milliseconds(engine, statement, parameters)) > limit / 10
    ]
    return Found(timed, scans, slow)


def pages_of(app: FastAPI) -> list[str]:
    """Every page behind the door that may be asked for, with real weeks and readers in its address."""
    pages: list[str] = []
    for context in iter_route_contexts(app.routes):
        path = context.path or ""
        if "GET" not in (context.methods or ()) or not re.match(r"/desk\b", path) or LEFT_OUT.match(path):
            continue
        filled = [path]
        for part in re.findall(r"\{(\w+)(?::\w+)?\}", path):
            if part not in VALUES:
                sys.exit(f"{path}: say in VALUES what to put in the place of {part}")
            whole = re.compile(rf"\{{{part}(:\w+)?\}}")
            filled = [whole.sub(str(value), one) for one in filled for value in VALUES[part]]
        pages += filled
        pages += [f"{path}?{question}" for question in QUESTIONS.get(path, ())]
    return sorted(set(pages))


def _signed_in(assembly: Assembly, app: FastAPI) -> str:
    """The cookie of a publisher's session."""
    with writing(assembly.engine) as session:
        editor = session.exec(select(Editor).where(Editor.name == SIGNATURE)).first()
        if editor is None:
            address = "desk-benchmark@example.com"
            editor = Editor(email=address, address_key=address, name=SIGNATURE, role=PUBLISHER, created_at=NOW)
            session.add(editor)
            session.flush()
        secret = sessions.begin(session, editor, NOW)
        session.commit()
    return signer(app.state.site).sign(secret).decode()


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    """The application on a free port of this machine, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    # Not on the socket that was found: answers on it would wait for the browser's word, 40 ms each.
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, name="desk pages")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "it could not be started"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _until_counted(browser: requests.Session, address: str, pages: Sequence[str]) -> float:
    """Wait until no page of figures says that it is being counted; the seconds that this took."""
    begun = time.perf_counter()
    for page in pages:
        while "/numbers" in page and _is_being_counted(browser, address + page):
            assert time.perf_counter() - begun < PATIENCE, f"{page} is still being counted"
            time.sleep(0.1)
    return time.perf_counter() - begun


def _is_being_counted(browser: requests.Session, url: str) -> bool:
    return "being counted" in browser.get(url, allow_redirects=False).text.lower()


def _ask(browser: requests.Session, address: str, page: str, times: int) -> Timed:
    taken, size, status, spent = [], 0, 0, time.process_time()
    for _ in range(times):
        # What leads elsewhere is a part of a page, which only a script asks for.
        headers = {"HX-Request": "true"} if status == 303 else {}
        begun = time.perf_counter()
        try:
            with browser.get(address + page, allow_redirects=False, stream=True, headers=headers) as answer:
                streams = answer.headers.get("content-type", "").startswith("text/event-stream")  # it never ends
                content = next(answer.iter_lines(), b"") if streams else answer.content
                size, status = len(content), answer.status_code
        except requests.ConnectionError:  # it broke down in the midst of its answer
            size, status = 0, 500
        taken.append((time.perf_counter() - begun) * 1000)
    return Timed(page, status, tuple(taken), size, (time.process_time() - spent) * 1000 / times)


def _search(browser: requests.Session, address: str, page: str, form: dict[str, str], name: str, times: int) -> Timed:
    taken, size, status, spent = [], 0, 0, time.process_time()
    found = CSRF.search(browser.get(address + page).text)
    for _ in range(times):
        begun = time.perf_counter()
        with browser.post(address + page, data={**form, "csrf": found[1] if found else ""}) as answer:
            size, status = len(answer.content), answer.status_code
        taken.append((time.perf_counter() - begun) * 1000)
    return Timed(name, status, tuple(taken), size, (time.process_time() - spent) * 1000 / times)


def _table(pages: Sequence[Timed], size: Size) -> Table:
    title = f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, SQLite, "
    title += f"{size.readers:,} readers, {size.issues} issues"
    table = Table("page", "answer", "median ms", "worst ms", "CPU ms", "bytes", title=title)
    for one in sorted(pages, key=lambda each: -each.median):
        cells = (f"{one.median:.0f}", f"{max(one.milliseconds):.0f}", f"{one.cpu:.0f}", f"{one.size:,}")
        table.add_row(one.page, str(one.status), *cells)
    return table


if __name__ == "__main__":
    main()

"""A desk that is served, with somebody of each role signed in: for whoever looks at all pages in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import BrowserContext

from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.editors import accounts
from newsletter.editors.editor import EDITOR, PUBLISHER
from newsletter.settings import load
from newsletter.web.app import create_app
from tests.desk import busy, pages
from tests.desk.pages import STRANGER, Shown
from tests.desk.world import At, sign_in
from tests.web.serving import serving
from tests.web.world import NOW

READERS = b"email,name\nnew@example.com,New\nsuppressed@example.com,Who complained\nno address,X\n"
PATIENCE = 20.0  # seconds


@dataclass(frozen=True)
class Visit:
    """The desk as it is served: `pages` may be opened below `url`."""

    app: FastAPI
    url: str
    pages: list[Shown]
    cookies: dict[str, list[Any]]

    def enter(self, context: BrowserContext, who: str) -> None:
        """Let a browser be that of somebody."""
        context.clear_cookies()
        context.add_cookies(self.cookies[who])


@contextmanager
def visiting(database_url: str, folder: Path, *, filled: bool) -> Iterator[Visit]:
    """Serve a desk at `NOW` for as long as the block runs: that of a busy newsletter, or of an empty one.

    The database is at the newest migration, and empty.
    """
    assembly = Assembly(load(_env_file=None, outbox_dir=str(folder / "outbox"), database_url=database_url))
    try:
        app = create_app(assembly, clock=lambda: NOW)
        clients = {who: TestClient(app, follow_redirects=False) for who in (PUBLISHER, EDITOR)}
        at = {who: sign_in(assembly, client, who) for who, client in clients.items()}
        shown = pages.empty_pages()
        if filled:
            found = busy.fill(assembly, at[PUBLISHER].editor_id, at[EDITOR].editor_id)
            with writing(assembly.engine) as session:
                _, invitation = accounts.add(session, "nora@example.com", "Nora New", EDITOR, NOW)
                session.commit()
            shown = pages.pages(found, invitation, _bring(at[PUBLISHER]))
        with serving(app) as port:
            url = f"http://127.0.0.1:{port}"
            cookies: dict[str, list[Any]] = {STRANGER: []}
            for who, client in clients.items():
                cookies[who] = [{"name": name, "value": value, "url": url} for name, value in client.cookies.items()]
            yield Visit(app, url, shown, cookies)
        app.state.porter.stop()
    finally:
        assembly.close()


def _bring(publisher: At) -> str:
    """Bring a file of readers in as far as the look at what would happen; the path of that page."""
    answer = publisher.post("/desk/readers/import", files={"file": ("readers.csv", READERS)})
    path = str(answer.headers["location"])
    porter = publisher.client.app.state.porter  # type: ignore[attr-defined]
    assert porter.find(path.rpartition("/")[2], publisher.editor_id).settled.wait(PATIENCE)
    return path

"""A send as it is watched in a real browser: the page renews itself, and loads anew where it offers other acts."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from newsletter.assembly import Assembly
from newsletter.editors.editor import PUBLISHER
from newsletter.sandbox.server import Sandbox
from newsletter.web.app import create_app
from tests.delivery.readers import add_readers
from tests.desk.world import sign_in
from tests.web.conftest import browser
from tests.web.serving import serving
from tests.web.world import NOW, MakeAssembly, a_comparison, approve, draft, keep

READERS = 16
A_SECOND = 2
PATIENCE = 30_000  # milliseconds


@pytest.fixture
def assembly(new_database: Callable[[str], str], make_assembly: MakeAssembly, sandbox: Sandbox) -> Assembly:
    made = make_assembly(
        database_url=new_database("sqlite"),
        provider="postmark",
        postmark_server_token=sandbox.token,
        postmark_api_url=sandbox.url,
        rate_limit=str(A_SECOND),
    )
    keep(made, a_comparison())
    add_readers(made.engine, READERS)
    draft(made)
    approve(made)
    return made


@pytest.fixture
def page(assembly: Assembly, chromium: Browser) -> Iterator[Page]:
    """A publisher's browser; what it complains of fails the test."""
    begun = time.monotonic()

    def clock() -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - begun)

    signed_in = sign_in(assembly, browser(assembly), PUBLISHER).client.cookies
    with serving(create_app(assembly, clock), lifespan="on") as port:
        address = f"http://127.0.0.1:{port}"
        context = chromium.new_context(base_url=address)
        context.add_cookies([{"name": name, "value": value, "url": address} for name, value in signed_in.items()])
        opened = context.new_page()
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        context.close()
    assert complaints == []


def test_a_publisher_sends_pauses_and_watches_it_to_the_end_without_loading_the_page(
    page: Page, sandbox: Sandbox
) -> None:
    page.goto("/desk/issues/2026-W47/send")
    page.get_by_label("Date and time in").fill("2026-12-01T09:00")
    expect(page.locator("#choices")).to_contain_text(
        "Send it Tue 01 Dec 2026, 09:00", timeout=PATIENCE
    )  # without a click

    page.get_by_label("Type how many readers get it").fill(str(READERS))
    page.get_by_role("button", name="Send now").click()
    progress = page.locator("#progress")
    expect(progress).to_contain_text("waiting", timeout=PATIENCE)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("h1 .state")).to_have_text("paused", timeout=PATIENCE)
    expect(progress).to_contain_text("waiting", timeout=PATIENCE)
    page.get_by_role("button", name="Let it go on").click()

    counts = set()
    looks = []
    page.on("request", lambda request: looks.append(request.url) if "/progress?" in request.url else None)
    while page.locator("h1 .state.sending").count():
        counts.add(progress.locator("ul.sum").inner_text() if progress.locator("ul.sum").count() else "")
        page.wait_for_timeout(100)
    expect(page.locator("h1 .state")).to_have_text("sent", timeout=PATIENCE)
    expect(progress).to_contain_text(f"{READERS} accepted by the provider", timeout=PATIENCE)
    assert len(counts) > 1
    assert looks
    assert len(sandbox.messages) == READERS
    before = len(looks)
    page.wait_for_timeout(2_500)
    assert len(looks) == before  # it is settled: nobody looks any more

"""A newsletter at work, for its pages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page

from newsletter.assembly import Assembly
from newsletter.settings import load
from newsletter.web.app import create_app
from tests.web.world import NOW


@pytest.fixture
def assembly(new_database: Callable[[str], str], tmp_path: Path) -> Iterator[Assembly]:
    made = Assembly(load(_env_file=None, outbox_dir=str(tmp_path / "outbox"), database_url=new_database("sqlite")))
    yield made
    made.close()


@pytest.fixture
def client(assembly: Assembly) -> TestClient:
    return TestClient(create_app(assembly, clock=lambda: NOW), follow_redirects=False)


@pytest.fixture(scope="session")
def page(chromium: Browser) -> Iterator[Page]:
    """One page of one browser for all letters, and nothing from elsewhere."""
    context = chromium.new_context()
    context.route("**/*", lambda route: route.continue_() if "//127.0.0.1:" in route.request.url else route.abort())
    yield context.new_page()
    context.close()

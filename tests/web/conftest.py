"""A newsletter at work, and a browser at its pages. A test that is to run on both databases overrides `kind`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from newsletter.settings import load
from newsletter.web.app import create_app
from tests.web.world import NOW, MakeAssembly


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def make_assembly(tmp_path: Path) -> Iterator[MakeAssembly]:
    made: list[Assembly] = []

    def make(**given: Any) -> Assembly:
        made.append(Assembly(load(_env_file=None, outbox_dir=str(tmp_path / "outbox"), **given)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def assembly(kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly) -> Assembly:
    return make_assembly(database_url=new_database(kind))


@pytest.fixture
def client(assembly: Assembly) -> TestClient:
    return browser(assembly)


def browser(assembly: Assembly) -> TestClient:
    """Follows no redirects, and sees errors as a reader would."""
    return TestClient(create_app(assembly, clock=lambda: NOW), raise_server_exceptions=False, follow_redirects=False)

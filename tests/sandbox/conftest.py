"""One sandbox for all tests of a file, emptied before each."""

import logging
from collections.abc import Iterator

import pytest
import requests
from postmarker.core import PostmarkClient

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with requests.Session() as session:
        session.trust_env = False
        session.delete(f"{sandbox.url}inbox").raise_for_status()
        yield Api(sandbox.url, sandbox.token, session)


@pytest.fixture
def client(sandbox: Sandbox, api: Api) -> Iterator[PostmarkClient]:
    made = PostmarkClient(server_token=sandbox.token, root_api_url=sandbox.url, timeout=10)
    made.session.max_redirects = 0
    yield made
    made.session.close()
    logging.getLogger("Postmarker").handlers.clear()

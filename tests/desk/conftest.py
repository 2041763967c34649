"""A newsletter at work, and people signed in at its desk. A test that is to run on both databases overrides `kind`."""

from collections.abc import Callable

import pytest

from newsletter.assembly import Assembly
from newsletter.editors.editor import EDITOR, PUBLISHER
from tests.desk.world import At, sign_in
from tests.web.conftest import assembly, browser, client, kind, make_assembly

__all__ = ["assembly", "client", "kind", "make_assembly"]


@pytest.fixture
def sign_in_as(assembly: Assembly) -> Callable[..., At]:
    """Sign somebody of a role in, in a browser of their own."""
    return lambda role=PUBLISHER, email=None: sign_in(assembly, browser(assembly), role, email)


@pytest.fixture
def publisher(sign_in_as: Callable[..., At]) -> At:
    return sign_in_as(PUBLISHER)


@pytest.fixture
def editor(sign_in_as: Callable[..., At]) -> At:
    return sign_in_as(EDITOR)

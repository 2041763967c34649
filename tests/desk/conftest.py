"""A newsletter at work, and people signed in at its desk. A test that is to run on both databases overrides `kind`."""

from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import jinja2
import pytest

from newsletter.assembly import Assembly
from newsletter.editors import password
from newsletter.editors.editor import EDITOR, PUBLISHER
from tests.desk.door import QUICK
from tests.desk.world import At, sign_in
from tests.web.conftest import assembly, browser, client, kind, make_assembly

__all__ = ["assembly", "client", "kind", "make_assembly"]


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once() -> Iterator[None]:
    """As in a program, which reads them when it starts; each test starts one, and compiling was half of that."""
    compiled: dict[tuple[Any, ...], CodeType] = {}
    compile_ = jinja2.Environment.compile

    def once(
        self: jinja2.Environment, source: Any, name: Any = None, filename: Any = None, *more: Any, **rest: Any
    ) -> Any:
        if more or rest or not isinstance(source, str):
            return compile_(self, source, name, filename, *more, **rest)
        key = (source, name, filename, self.trim_blocks, self.lstrip_blocks, bool(self.autoescape))
        if key not in compiled:
            compiled[key] = compile_(self, source, name, filename)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinja2.Environment, "compile", once)
        yield


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed by rules that take no time, for tests that try often."""
    monkeypatch.setattr(password, "_HASHER", QUICK)
    monkeypatch.setattr(password, "_NOBODYS", QUICK.hash("nobody's"))


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

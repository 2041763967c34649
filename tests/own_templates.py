"""Templates of letters that a test may change."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from newsletter import approving
from newsletter.places import TEMPLATES
from newsletter.rendering import letter


@contextmanager
def own_templates(folder: Path) -> Iterator[Path]:
    """Render letters by a copy of their templates, in a folder that this makes, until the block ends; yield it."""
    shutil.copytree(TEMPLATES, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letter, "TEMPLATES", folder)
        begin_anew()
        yield folder / "letters"
    begin_anew()


def begin_anew() -> None:
    """Render by the templates that are there now, as a program does that has just begun."""
    letter.templates.cache_clear()
    letter.environment.cache_clear()
    approving._findings.cache_clear()
    approving._rendered.cache_clear()

"""The command line, run inside of the tests' own process: starting Python anew takes a second and a half."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from newsletter.cli.app import main
from tests.cli.running import Done

Newsletter = Callable[..., Done]


@pytest.fixture
def bare_newsletter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Newsletter]:
    """Run `newsletter …` in an empty folder with the default settings; returns status, stdout and stderr."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["newsletter", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        shown = capsys.readouterr()
        return Done(code if isinstance(code, int) else int(code is not None), shown.out, shown.err)

    yield run
    structlog.reset_defaults()  # the command set up its logs for a stderr that is gone


@pytest.fixture
def newsletter(
    bare_newsletter: Newsletter, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Newsletter:
    """The same, with a SQLite database that is there already."""
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", new_database("sqlite"))
    return bare_newsletter

"""Forked commands are commands, with words, a status and a folder; and they do not start from nothing."""

import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.forked import Forked, forks


def test_whatever_folder_a_test_is_in_the_program_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours, theirs = forks().Pipe(duplex=False)
    process = forks().Process(target=say_what_is_in_memory, args=(theirs,))
    process.start()
    theirs.close()
    assert {"newsletter.cli.app", "newsletter.web.app", "scheduler", "tests.journeys.mortal"} <= ours.recv()
    process.join()
    ours.close()


def say_what_is_in_memory(line: Connection) -> None:
    line.send({*sys.modules})


def test_a_command_has_its_own_folder_environment_words_and_status(
    tmp_path: Path, new_database: Callable[[str], str]
) -> None:
    ours = {"NEWSLETTER_DATABASE_URL": new_database("sqlite")}
    done = Forked("newsletter", "db", "check", env=os.environ | ours, cwd=tmp_path, errors_apart=True)
    assert done.communicate(timeout=60) == ("every invariant holds\n", "")
    assert done.returncode == 0
    wrong = Forked("newsletter", "issues", "show", "x", env=os.environ | ours, cwd=tmp_path, errors_apart=True)
    out, err = wrong.communicate(timeout=60)
    assert (out, wrong.returncode) == ("", 2)
    assert "Usage: newsletter issues show" in err
    (tmp_path / ".env").write_text(f"NEWSLETTER_DATABASE_URL=sqlite:///{tmp_path / 'another.db'}")
    elsewhere = Forked("newsletter", "db", "check", env=os.environ, cwd=tmp_path)
    assert elsewhere.wait(60) == 0
    assert (tmp_path / "another.db").exists()


def test_a_command_dies_of_the_signal_that_it_is_sent(tmp_path: Path) -> None:
    process = Forked("newsletter", "sandbox", "--port", "0", env=os.environ, cwd=tmp_path)
    while not process.said:
        assert process.poll() is None
    process.send_signal(SIGKILL)
    assert process.wait(30) == -SIGKILL

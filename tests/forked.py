"""Commands in processes of their own, without a second and a half of CPU for each one's start.

Each is forked from a server of forks that has the program in memory (`preloaded`), and then goes the way of
`python -m MODULE …`: a process with an environment, a folder, output and signals of its own, that may be killed.
"""

import os
import runpy
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import chdir
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path

ROOT = Path(__file__).parents[1]

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])


def forks() -> ForkServerContext:
    """Where processes come from, which have the program in memory.

    Its server is started where it finds what it is to read: elsewhere it would have nothing in memory, and not say so.
    """
    with chdir(ROOT):
        ensure_running()
    return _CONTEXT


class Forked:
    """A process at work, with the words of `subprocess.Popen`. What it says can be read once it has ended."""

    def __init__(
        self, module: str, *arguments: str, env: Mapping[str, str], cwd: Path, errors_apart: bool = False
    ) -> None:
        self._out = _Said(self)
        self._err = _Said(self) if errors_apart else self._out
        said = (self._out.line, self._err.line)
        self._process = forks().Process(target=_live, args=(module, arguments, dict(env), str(cwd), said), daemon=True)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """The exit status; a signal's number below zero; None while it is at work."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end, for so many seconds at most."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout, self._out.text)
        return self._process.exitcode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end; what it wrote to stdout, and to stderr where that is kept apart."""
        self.wait(timeout)
        return self._out.text, "" if self._err is self._out else self._err.text

    @property
    def said(self) -> str:
        """What it has written so far, to stderr where that is kept apart."""
        return self._err.text

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class _Said:
    """Words for as long as their process is of interest: a file without a name. It never fills up, as a pipe does."""

    def __init__(self, process: Forked) -> None:
        # Processes hand each other what multiprocessing calls a connection; this one is only ever written to.
        with tempfile.TemporaryFile() as file:
            self.line = Connection(os.dup(file.fileno()), readable=False)
        weakref.finalize(process, self.line.close)

    @property
    def text(self) -> str:
        written = self.line.fileno()
        return os.pread(written, os.fstat(written).st_size, 0).decode()


def _live(
    module: str, arguments: tuple[str, ...], env: dict[str, str], cwd: str, said: tuple[Connection, Connection]
) -> None:
    for number, line in enumerate(said, 1):
        os.dup2(line.fileno(), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

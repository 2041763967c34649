"""A PostgreSQL cluster for the tests: made, started on a free port, thrown away."""

import os
import pwd
import shutil
import socket
import subprocess
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import create_engine

START_TIMEOUT = 30  # seconds


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`: from PATH, else where Debian keeps them."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next(
        (folder for folder in candidates if (folder / "postgres").exists() and (folder / "initdb").exists()), None
    )


class Cluster:
    """A running server; without `durable`, what it has committed does not outlast a power cut.

    `settings` are PostgreSQL's own, by their names. It refuses to run as root, so root hands it over to the `postgres`
    or `nobody` user.
    """

    def __init__(self, programs: Path, directory: Path, *, durable: bool = False, **settings: str) -> None:
        self._programs = programs
        self._data = directory / "data"
        self._settings = {"fsync": "on" if durable else "off", **settings}
        self._names = (f"test_{number}" for number in count())
        self._user = _other_user() if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(directory, self._user)
            directory.chmod(0o755)

    def __enter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._run(
            "initdb", "-D", str(self._data), "-U", "newsletter", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"
        )
        self.start()
        self._server = create_engine(self._url("postgres", "postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.dispose()
        self.stop()

    def start(self) -> None:
        """Start the server, on the port that it had before."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        options += "".join(f" -c {name}={value}" for name, value in self._settings.items())
        log = str(self._data / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", str(START_TIMEOUT), "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Let the server die: every session breaks, and what was committed is there when it starts again."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")

    def set(self, database: str, parameter: str, value: str) -> None:
        """Set a parameter of a database; new sessions go by it."""
        with self._server.connect() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{database}" SET {parameter} = {value}')

    def create(self, name: str | None = None, template: str = "template1") -> str:
        """Make a database, a copy of `template`; return its URL."""
        name = name or next(self._names)
        with self._server.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._url(name)

    def _url(self, name: str, scheme: str = "postgresql") -> str:
        return f"{scheme}://newsletter@127.0.0.1:{self._port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        # pg_ctl's server would keep a pipe open for ever, so only initdb's words are read.
        output = subprocess.PIPE if program == "initdb" else subprocess.DEVNULL
        done = subprocess.run(
            command, user=self._user, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr!r}")


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)

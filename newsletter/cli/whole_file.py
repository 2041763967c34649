"""How does a command write a file that somebody named? Whole or not at all; complaints name it as they wrote it.

Promises: whoever reads the file, also after a crash, finds the old one or the new one; nobody else on the machine may
read a new one, for it holds addresses. A link stays one, and its target is replaced. What is no file (a pipe, a device,
`/dev/stdout`) is written to as it is, and never replaced by one.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISREG
from typing import IO

from newsletter.cli.console import fail

MOST_LINKS = 40  # that lead to one another; Linux follows as many

OPEN_FILES = re.compile(r"/proc/\d+/fd|/dev/fd")  # where the files stand that this process has open
OF_THE_NAME = 40  # letters of a file's name that its temporary one shows; names end at 255 bytes


@contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[IO[str]]:
    """Write a text file in UTF-8, line ends as they are given; it takes its place when the block ends well.

    A file that was there hands its owner and mode on; `private`: it is its owner's alone, whatever it was. Raises
    Failure, with the path, where it cannot be written.
    """
    try:
        number = _opened_already(path)
        before = _status(path)
        if number is not None:
            with _text(os.dup(number)) as file:  # opened anew, it might be emptied, or begun again at its start
                yield file
        elif before is not None and not S_ISREG(before.st_mode):
            with _text(os.open(path, os.O_WRONLY)) as file:
                yield file
        else:
            with _replacing(path.resolve(), None if private else before) as file:
                yield file
    except OSError as error:
        fail(f"{path}: {error.strerror or error}")


def goes_to_stdout(path: Path) -> bool:
    """Whether what is written there comes out where results do."""
    return _opened_already(path) == 1


def require_new(path: Path) -> None:
    """Raise Failure where no new file could be made at a path; nothing is left there."""
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        fail(f"{path}: {error.strerror or error}")
    else:
        fail(f"{path}: is there already; remove it, or name another file")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        fail(f"{path}: {error.strerror or error}; the folder {path.parent} must be there, and let files be made in it")


def _opened_already(path: Path) -> int | None:
    """The number of the open file that a path such as `/dev/stdout` stands for; None for any other path."""
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if OPEN_FILES.fullmatch(folder) and path.name.isdecimal():
            return int(path.name) if folder in ("/dev/fd", f"/proc/{os.getpid()}/fd") else None
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def _status(path: Path) -> os.stat_result | None:
    """What is there, behind all links. Raises OSError for what cannot be written."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(path, os.W_OK):  # replacing it would ask its folder alone
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return found


@contextmanager
def _replacing(path: Path, before: os.stat_result | None) -> Iterator[IO[str]]:
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:OF_THE_NAME]}.")
    try:
        with _text(number) as file:
            if before:
                _hand_on(before, number)
            yield file
            file.flush()
            os.fsync(number)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _hand_on(before: os.stat_result, number: int) -> None:
    try:
        os.fchown(number, before.st_uid, before.st_gid)
    except PermissionError:
        return  # the group that might read the old file is not the new one's: it stays its owner's alone
    os.fchmod(number, S_IMODE(before.st_mode))


def _text(number: int) -> IO[str]:
    return os.fdopen(number, "w", encoding="utf-8", newline="")

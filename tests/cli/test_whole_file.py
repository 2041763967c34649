"""Files that commands write: whole or not at all, and what is no file is not replaced by one."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from stat import S_IMODE, S_ISFIFO

import pytest

from newsletter.cli.console import Failure
from newsletter.cli.whole_file import goes_to_stdout, require_new, whole_file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names() -> list[str]:
    return sorted(path.name for path in Path.cwd().iterdir())


def write(path: str, text: str = "new\n", *, private: bool = False) -> None:
    with whole_file(Path(path), private=private) as file:
        file.write(text)


def break_off(error: BaseException) -> None:
    """Write half of `out`."""
    with whole_file(Path("out")) as file:
        file.write("half")
        file.flush()
        raise error


def mode(path: str) -> int:
    return S_IMODE(Path(path).stat().st_mode)


def existing(path: str, mode: int) -> None:
    Path(path).write_text("old\n")
    Path(path).chmod(mode)


@pytest.mark.parametrize("before", [None, 0o640, 0o644, 0o600])
@pytest.mark.parametrize("private", [True, False])
def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode_unless_it_is_private(
    before: int | None, private: bool
) -> None:
    if before:
        existing("out", before)
    write("out", private=private)
    assert Path("out").read_text() == "new\n"
    assert mode("out") == (before if before and not private else 0o600)
    assert names() == ["out"]


@pytest.mark.parametrize("was_there", [True, False])
def test_what_breaks_off_leaves_what_was_there(was_there: bool) -> None:
    if was_there:
        existing("out", 0o644)
    with pytest.raises(KeyboardInterrupt):
        break_off(KeyboardInterrupt())
    assert names() == (["out"] if was_there else [])
    assert not was_there or Path("out").read_text() == "old\n"


def test_until_it_is_whole_the_old_one_is_there() -> None:
    existing("out", 0o600)
    with whole_file(Path("out")) as file:
        file.write("new\n")
        file.flush()
        assert Path("out").read_text() == "old\n"
    assert Path("out").read_text() == "new\n"


@pytest.mark.parametrize("was_there", [True, False])
def test_a_link_stays_and_its_target_is_replaced(was_there: bool) -> None:
    Path("there").mkdir()
    if was_there:
        existing("there/target", 0o640)
    Path("out").symlink_to("there/target")
    write("out")
    assert Path("out").is_symlink()
    assert Path("there/target").read_text() == "new\n"
    assert mode("there/target") == (0o640 if was_there else 0o600)
    assert [path.name for path in Path("there").iterdir()] == ["target"]


def test_a_pipe_is_written_to_and_stays_one() -> None:
    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    write("pipe", private=True)
    reader.join()
    assert read == ["new\n"]
    assert S_ISFIFO(Path("pipe").stat().st_mode)
    assert names() == ["pipe"]


def test_a_device_is_written_to_and_stays_one() -> None:
    Path("nothing").symlink_to("/dev/null")
    write("nothing")
    assert Path("nothing").is_symlink()
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_stdout_under_any_name_is_gone_on_with_where_it_stands(name: str, folder: Path) -> None:
    """Opened anew, a file that stdout goes to would be emptied; replaced, the shell's would be another."""
    Path("link").symlink_to("/dev/stdout")
    Path("all").write_text("old\n")
    program = (
        "import sys; from pathlib import Path; from newsletter.cli.whole_file import *\n"
        "with whole_file(Path(sys.argv[1])) as file: file.write('new\\n')\n"
        "assert goes_to_stdout(Path(sys.argv[1]))"
    )
    with Path("all").open("a") as appended:
        subprocess.run(
            [sys.executable, "-c", program, name],
            stdout=appended,
            check=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert Path("all").read_text() == "old\nnew\n"
    assert names() == ["all", "link"]


def test_a_file_is_not_stdout() -> None:
    existing("1", 0o600)
    Path("round").symlink_to("round")
    assert not any(goes_to_stdout(Path(name)) for name in ("1", "none", "/dev/null", "/dev/stderr", "round"))


def test_every_complaint_names_the_path_as_it_was_written() -> None:
    Path("folder").mkdir()
    existing("file", 0o600)
    Path("round").symlink_to("round")
    long = "x" * 300
    for name, number in (
        ("none/out", errno.ENOENT),
        ("folder", errno.EISDIR),
        ("./file/out", errno.ENOTDIR),
        ("round", errno.ELOOP),
        (long, errno.ENAMETOOLONG),
    ):
        with pytest.raises(Failure) as refused:
            write(name)
        assert str(refused.value) == f"{Path(name)}: {os.strerror(number)}"
    assert names() == ["file", "folder", "round"]


def test_a_full_disk_is_named_by_the_path_and_leaves_no_half_file() -> None:
    Path("full").symlink_to("/dev/full")
    with pytest.raises(Failure) as refused:
        write("full")
    assert str(refused.value) == f"full: {os.strerror(errno.ENOSPC)}"
    with pytest.raises(Failure) as refused:
        break_off(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a temporary name"))
    assert str(refused.value) == f"out: {os.strerror(errno.ENOSPC)}"
    assert names() == ["full"]


@pytest.mark.parametrize("name", ["x" * 250, "ü" * 120])
def test_a_long_name_is_no_trouble(name: str) -> None:
    write(name)
    assert names() == [name]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_may_not_be_written_is_not_replaced() -> None:
    existing("out", 0o400)
    with pytest.raises(Failure, match="out: Permission denied"):
        write("out")
    assert Path("out").read_text() == "old\n"


def test_a_place_for_a_new_file_is_asked_for_and_nothing_is_left_there() -> None:
    require_new(Path("new"))
    assert names() == []
    existing("file", 0o600)
    Path("loose").symlink_to("none")
    for name, why in (
        ("file", "file: is there already; remove it, or name another file"),
        ("loose", "loose: is there already; remove it, or name another file"),
        ("none/new", "none/new: No such file or directory; the folder none must be there, and let files be made in it"),
        ("file/new", "file/new: Not a directory"),
        ("x" * 300, f"{'x' * 300}: File name too long"),
    ):
        with pytest.raises(Failure) as refused:
            require_new(Path(name))
        assert str(refused.value) == why
    assert names() == ["file", "loose"]

"""Is the house in order? Who may import whom, refused names, lengths, docstrings, no hosts, a whole lock file."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("newsletter", "subscribers")
REFUSED = {"util", "utils", "helper", "helpers", "common", "base", "core", "kit", "lib", "misc", "manager", "service"}
REFUSED |= {"handler", "types"}
MOST_LINES = 400
MOST_BYTES = 2_000_000  # of a tracked file that is looked into

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PYTHON = [*MODULES, ROOT / "scheduler.py", *sorted((ROOT / "tests").rglob("*.py"))]
INITS = [path for path in MODULES if path.name == "__init__.py"]

# In parts, so that this file does not name them.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))]
HOSTS += [".".join(parts) for parts in (("crates", "io"), ("rubygems", "org"), ("proxy", "golang", "org"))]
HOSTS += [".".join(parts) for parts in (("files", "pythonhosted"), ("conda", "anaconda"), ("registry", "yarnpkg"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    """Every file of the checkout that is, or may be, committed. Skips the test outside a checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [path for each in sorted(set(listing.split("\0"))) if each and (path := ROOT / each).is_file()]


def text_of(path: Path) -> str | None:
    """A file's text; None for pictures and the like."""
    data = path.read_bytes()
    if b"\0" in data or len(data) > MOST_BYTES:
        return None
    return data.decode("utf-8", "replace")


def test_who_may_import_whom() -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_the_list_of_who_may_import_whom_is_exhaustive(package: str) -> None:
    contracts = (ROOT / ".importlinter").read_text(encoding="utf-8").split("[importlinter:contract:")
    layered = [each for each in contracts if re.search(rf"containers =\s+{package}\n", each)]
    assert any("exhaustive = True" in each for each in layered)


def test_refused_names_are_absent() -> None:
    found = [name(path) for path in PYTHON if {path.stem, *path.relative_to(ROOT).parts} & REFUSED]
    assert not found


def test_no_file_is_too_long() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    assert not {file: lines for file, lines in lengths.items() if lines > MOST_LINES}


@pytest.mark.parametrize("path", INITS, ids=name)
def test_a_package_says_what_is_in_it_and_holds_nothing(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(module)
    assert len(module.body) == 1


def test_every_module_has_a_docstring() -> None:
    paths = [*MODULES, ROOT / "scheduler.py"]
    assert not [name(path) for path in paths if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("path", INITS, ids=name)
def test_a_packages_table_of_contents_names_what_is_there(path: Path) -> None:
    contents = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    named = {
        word for bullet in re.findall(r"^\* (.*?): ", contents, re.MULTILINE) for word in re.findall(r"`(\w+)`", bullet)
    }
    there = {each.stem for each in path.parent.glob("*.py")} | {each.parent.name for each in path.parent.glob("*/*.py")}
    assert named <= there


def test_no_file_names_a_registry() -> None:
    found = [
        (name(path), host)
        for path in tracked()
        if (text := text_of(path)) is not None
        for host in HOSTS
        if host in text.lower()
    ]
    assert not found


def test_no_file_ends_a_line_with_blanks() -> None:
    found = [
        f"{name(path)}:{number}"
        for path in tracked()
        if (
            path.suffix in {".py", ".md", ".toml", ".mjml", ".css", ".mako"}
            or path.name in {"Makefile", ".importlinter"}
        )
        and (text := text_of(path)) is not None
        for number, line in enumerate(text.split("\n"), 1)
        if line != line.rstrip()
    ]
    assert not found


def requirements() -> list[str]:
    """Every requirement of the lock with its hashes, on one line."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_every_requirement_is_pinned_and_has_a_hash() -> None:
    assert len(requirements()) > 20
    for line in requirements():
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+-]+ ", line), line[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", line), line[:80]


def test_the_lock_names_no_address() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-{1,2}(i|f|e|index|extra-index|find-links|trusted-host|editable)\b", text, re.MULTILINE)


def test_exact_pins_agree_with_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = dict(re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;\\]+)", "\n".join(requirements()), re.MULTILINE))
    pins = dict(each.split("==") for each in project["dependencies"] if "==" in each)
    assert "mjml-python" in pins  # another compiler makes other bytes, and so another digest
    assert {each: locked[each] for each in pins} == pins


def test_everything_that_is_declared_is_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = [
        *declared["project"]["dependencies"],
        *declared["project"]["optional-dependencies"]["postgres"],
        *declared["dependency-groups"]["dev"],
    ]
    locked = {re.split(r"[\[=]", line)[0].lower() for line in requirements()}
    assert not {re.split(r"[\[<>=!~]", each)[0].lower() for each in names} - locked

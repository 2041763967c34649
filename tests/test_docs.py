"""Do the documents say what the program does? Commands, options, settings, routes, links, targets, command lines."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import pytest
import typer.main
from fastapi.routing import iter_route_contexts

from newsletter.assembly import Assembly
from newsletter.cli.app import app
from newsletter.settings import PREFIX, Settings
from newsletter.web.app import create_app

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
COMMANDS, SETTINGS, PAGES, DESK = (ROOT / "docs" / f"{name}.md" for name in ("commands", "settings", "pages", "desk"))

SHELLS = ("console", "sh", "bash", "cron", "ini", "")
"""Languages of fenced blocks whose lines are looked at for commands."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


def tree() -> dict[str, Any]:
    """Every command and group by its words, `newsletter` itself as the empty string."""

    def walk(command: Any, words: str) -> Iterator[tuple[str, Any]]:
        yield words, command
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, f"{words} {name}".strip())

    return dict(walk(typer.main.get_command(app), ""))


TREE = tree()
LEAVES = {words: command for words, command in TREE.items() if not hasattr(command, "commands")}


def options(command: Any) -> dict[str, bool]:
    """A command's options -> whether a value follows."""
    found = {"--help": False}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            found |= dict.fromkeys([*parameter.opts, *parameter.secondary_opts], not parameter.is_flag)
    return found


def sections(document: Path) -> dict[str, str]:
    """The text under each heading that names a command."""
    parts = re.split(r"^#{1,6} (.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        heading.strip("`").removeprefix("newsletter "): text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        if heading.startswith("`newsletter ")
    }


def fenced(text: str) -> Iterator[tuple[str, str]]:
    """(language, content) of every fenced block."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `newsletter` of every command line: in fenced blocks, and as code within sentences."""
    lines = [line for language, block in fenced(text) if language in SHELLS for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose) if code.startswith("newsletter ")]
    for line in lines:
        words = shlex.split(line, comments=True)
        for before, word in zip(["", *words], words, strict=False):
            # Also behind settings, `cd …;`, a path, cron's five columns and a unit's ExecStart.
            if before != "cd" and re.fullmatch(r"(ExecStart=)?(\S*/)?newsletter", word) and "://" not in word:
                rest = words[words.index(word) + 1 :]
                if rest[:1] not in ([], ["…"]):
                    yield list(takewhile(lambda each: each not in (">", ">>", "|", "&&"), rest))
                break


def complaint(words: list[str]) -> str | None:
    """What is wrong with a command line, or None. The command line is not run."""
    path, rest = "", list(words)
    known = options(TREE[""])
    while rest and f"{path} {rest[0]}".strip() in TREE:
        path = f"{path} {rest.pop(0)}".strip()
    command = TREE[path]
    if path not in LEAVES and rest and rest[0] not in known:
        return f"there is no command `newsletter {' '.join(words)}`"
    known = options(command)
    places = [p for p in command.params if p.param_type_name == "argument"]
    given = 0
    while rest:
        word = rest.pop(0)
        if word == "…":
            continue
        if not word.startswith("--"):
            given += 1
        elif word.partition("=")[0] not in known:
            return f"`newsletter {path}` has no option {word}"
        elif known[word.partition("=")[0]] and "=" not in word:
            if not rest:
                return f"{word} of `newsletter {path}` wants a value"
            rest.pop(0)
    if given > len(places) and not any(place.nargs == -1 for place in places):
        return f"`newsletter {path}` takes {len(places)} arguments, not {given}"
    return None


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_and_option_is_documented(words: str) -> None:
    documented = sections(COMMANDS)
    assert words in documented, f"docs/commands.md has no heading `newsletter {words}`"
    missing = [
        option
        for option in options(LEAVES[words])
        if option not in ("--help", "--json", "--no-wait") and f"`{option}" not in documented[words]
    ]
    assert not missing
    assert "--json" not in options(LEAVES[words]) or "--json" in documented[words]


def test_no_documented_command_is_missing() -> None:
    assert set(sections(COMMANDS)) <= set(TREE)


def test_the_options_before_a_command_are_documented() -> None:
    assert all(option in COMMANDS.read_text(encoding="utf-8") for option in options(TREE[""]))


@each_document
def test_command_lines_parse(document: Path) -> None:
    found = [trouble for words in command_lines(document.read_text(encoding="utf-8")) if (trouble := complaint(words))]
    assert not found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("newsletter issues draft", "issues draft"),
        ("newsletter sandbox  # on the newsletter's own port", "sandbox"),
        ("*/5 * * * *   cd /srv/newsletter && .venv/bin/newsletter issues send --due >> log", "issues send --due"),
        ("ExecStart=/srv/newsletter/.venv/bin/newsletter serve --port 8000", "serve --port 8000"),
        ("NEWSLETTER_DATABASE_URL=postgresql://newsletter:p@h/newsletter newsletter db upgrade", "db upgrade"),
    ],
)
def test_command_lines_are_found(line: str, words: str) -> None:
    assert list(command_lines(f"```console\n{line}\n```\n")) == [words.split()]


@pytest.mark.parametrize("line", ["issue draft", "issues draft --weak W", "serve --port", "db check now", "nothing"])
def test_wrong_command_lines_are_noticed(line: str) -> None:
    assert complaint(line.split())


def setting_names() -> list[str]:
    return [PREFIX + name.rstrip("_").upper() for name in Settings.model_fields]


def setting_rows() -> dict[str, str]:
    """Every setting in the table of docs/settings.md -> its default as it is printed there."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", SETTINGS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting is there twice"
    return dict(rows)


def test_every_setting_is_documented_and_no_other() -> None:
    assert sorted(setting_rows()) == sorted(setting_names())


def test_choices_of_a_setting_are_documented() -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        for choice in get_args(field.annotation):
            assert not isinstance(choice, str) or f"`{choice}`" in text, f"{name}: {choice}"


def test_the_example_and_the_documents_name_the_same_defaults() -> None:
    example = dict(
        re.findall(r"^(NEWSLETTER_\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    documented = setting_rows()
    assert sorted(example) == sorted(documented)
    for name, value in example.items():
        if value:
            assert documented[name] == f"`{value}`", name
        else:
            assert documented[name].startswith("none"), name


@each_document
def test_no_document_names_a_setting_that_is_not_there(document: Path) -> None:
    named = set(re.findall(r"\bNEWSLETTER_[A-Z_]*[A-Z]\b", document.read_text(encoding="utf-8")))
    assert named <= set(setting_names())


def routes(assembly: Assembly) -> set[str]:
    """Every route as docs/pages.md writes it; HEAD goes without saying."""
    return {
        f"{method} {context.path}"
        for context in iter_route_contexts(create_app(assembly).routes)
        for method in (context.methods or set()) - {"HEAD"}
    }


def test_every_route_is_documented_and_no_other(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'none.db'}")
    told = PAGES.read_text(encoding="utf-8") + DESK.read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z]+ /.*?)` \|", told, re.MULTILINE)
    assert sorted(documented) == sorted(routes(Assembly(settings)))


def slug(heading: str) -> str:
    """A heading's anchor."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@each_document
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        there = (document.parent / path).resolve() if path else document
        assert there.is_relative_to(ROOT), target
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#{1,6} (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        for target in re.findall(r"\]\(([^)\s#:]+)[^)]*\)", document.read_text(encoding="utf-8")):
            waiting.append((document.parent / target).resolve())
    assert set(DOCUMENTS) <= reached


@each_document
def test_make_targets_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`", text))
    named |= {target for _, block in fenced(text) for target in re.findall(r"^make ([a-z]+)", block, re.MULTILINE)}
    assert named <= targets


@each_document
def test_tests_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    missing = [name for name in re.findall(r"`(test_\w+)`", text) if f"def {name}(" not in code]
    assert not missing


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:newsletter|subscribers|templates|tests|docs|migrations)/[\w./-]*\w(?:\.\w+|/))`", text)
    missing = [name for name in named if not (ROOT / name).exists() and not name.endswith("/yours.py")]
    assert not missing


def test_each_attack_that_is_written_down_has_tests_that_exist() -> None:
    """What is tried has a paragraph that begins in bold, and the tests that try it are the list below it."""
    told = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("## What is left to you")[0]
    attacks = re.split(r"^\*\*(.+?)\*\*", told, flags=re.MULTILINE)
    assert len(attacks) > 2 * 12
    for name, text in zip(attacks[1::2], attacks[2::2], strict=True):
        named = re.findall(r"^\* `(tests/[\w/]+\.py)::(test_\w+)`$", text, re.MULTILINE)
        assert named, name
        assert len(named) == text.count("::"), name
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{name} {file}::{test}"

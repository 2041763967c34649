import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from newsletter.cli.app import app
from tests.cli.conftest import Newsletter

PROGRAM = Path(sys.executable).with_name("newsletter")

CONTRACT = {
    "demo",
    "serve",
    "sandbox",
    "tidy",
    "worker",
    "db upgrade",
    "db check",
    *(f"editors {name}" for name in ("add", "list", "invite", "disable", "enable", "role")),
    *(f"events {name}" for name in ("backfill", "list")),
    *(f"keys {name}" for name in ("add", "list", "revoke")),
    *(f"stats {name}" for name in ("issues", "growth", "comparisons", "label")),
    "comparisons import",
    "comparisons list",
    "letters preview",
    *(f"issues {name}" for name in ("draft", "list", "show", "preview", "approve", "unapprove", "schedule")),
    "issues test",
    *(f"issues {name}" for name in ("edit", "send", "pause", "resume", "cancel", "retry", "status", "reconcile")),
    *(f"subscribers {name}" for name in ("add", "show", "list", "import", "export", "unsubscribe", "sync")),
    *(f"subscribers {name}" for name in ("erase", "suppress", "lift", "proof")),
}

PRINTS_DATA = {
    "comparisons list",
    "editors add",
    "editors invite",
    "editors list",
    "events backfill",
    "events list",
    "issues list",
    "issues show",
    "issues status",
    "keys add",
    "keys list",
    "stats comparisons",
    "stats growth",
    "stats issues",
    "subscribers export",
    "subscribers list",
    "subscribers show",
    "subscribers sync",
}


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def every_command() -> dict[str, Any]:
    return dict(commands(typer.main.get_command(app)))


def test_the_commands_are_those_that_people_and_cron_lines_rely_on() -> None:
    assert set(every_command()) == CONTRACT


@pytest.mark.parametrize(
    "path",
    [
        "",
        "comparisons",
        "issues",
        "letters",
        "subscribers",
        "keys",
        "editors",
        "stats",
        "events",
        "db",
        *sorted(CONTRACT),
    ],
)
def test_every_command_explains_itself(bare_newsletter: Newsletter, path: str) -> None:
    shown = bare_newsletter(*path.split(), "--help").ok()
    assert f"Usage: newsletter {path}".strip() in shown
    assert not list(Path.cwd().iterdir())


def test_commands_that_print_data_take_json_and_each_option_is_explained() -> None:
    for path, command in every_command().items():
        assert command.help, path
        names = {name for one in command.params for name in one.opts}
        assert ("--json" in names) == (path in PRINTS_DATA), path
        for one in command.params:
            assert getattr(one, "help", None), f"{path} {one.name}"


def test_the_module_is_the_same_as_the_command() -> None:
    environment = os.environ | {"COLUMNS": "100"}
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for command in ([str(PROGRAM), "--help"], [sys.executable, "-X", "importtime", "-m", "newsletter", "--help"])
    ]
    (script, errors), (module, other_errors) = (process.communicate(timeout=60) for process in started)
    assert script == module
    assert "Usage: newsletter [OPTIONS] COMMAND" in script
    assert errors == ""
    assert [process.returncode for process in started] == [0, 0]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in other_errors.splitlines()}
    assert all(line.startswith("import time:") for line in other_errors.splitlines())
    assert "typer" in imported
    assert "babel" not in imported, "no command is to wait for what few of them need"


@pytest.mark.parametrize(
    "wrong",
    [
        ("dance",),
        ("issues", "dance"),
        ("issues", "show"),
        ("issues", "show", "2026-W47", "--yaml"),
        ("issues", "show", "2025-W53"),
        ("issues", "draft", "--week", "last"),
        ("issues", "schedule", "2026-W47", "--at", "tomorrow"),
        ("issues", "schedule", "2026-W47", "--at", "0001-01-01T00:00:00+14:00"),
        ("issues", "send"),
        ("issues", "send", "2026-W47", "--due"),
        ("issues", "pause"),
        ("issues", "retry", "--due"),
        ("issues", "reconcile", "2026-W47", "--resend", "--give-up"),
        ("issues", "preview", "2026-W47"),
        ("letters", "preview", "--out", "look", "--language", "tlh"),
        ("comparisons", "import"),
        ("comparisons", "import", "x.txt", "--published-at", "2026-13-01"),
        ("subscribers", "list", "--status", "enthusiastic"),
        ("subscribers", "export", "--status", "erased"),
        ("subscribers", "import", "x.csv", "--map", "email"),
        ("subscribers", "import", "x.csv", "--map", "mail=address"),
        ("subscribers", "import", "x.csv", "--encoding", "klingon"),
        ("subscribers", "import", "x.csv", "--encoding", "base64"),
        ("sandbox", "--port", "many"),
        ("sandbox", "--port", "65536"),
        ("serve", "--port", "-1"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_status_2_and_touches_nothing(
    bare_newsletter: Newsletter, wrong: tuple[str, ...]
) -> None:
    assert "Usage: newsletter" in bare_newsletter(*wrong).misused()
    assert not list(Path.cwd().iterdir())


def test_a_text_that_is_no_unicode_is_refused_in_a_line(bare_newsletter: Newsletter) -> None:
    said = bare_newsletter("subscribers", "add", "ana@example.com", "--source", "caf\udcff").refused()
    assert said == "newsletter: a text in the command is not UTF-8; write it in UTF-8"


def test_ctrl_c_says_how_to_go_on(bare_newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("newsletter.cli.issues.assemble", interrupted)
    done = bare_newsletter("issues", "list")
    assert (done.status, done.out) == (130, "")
    assert done.err.strip() == "newsletter: interrupted; run the same command again to go on"


def test_a_wrong_week_is_named_with_how_to_write_it(bare_newsletter: Newsletter) -> None:
    assert (
        "'2026-W54' is no ISO week; write it like 2026-W47" in bare_newsletter("issues", "show", "2026-W54").misused()
    )


def test_a_wrong_setting_stops_the_start_with_its_name(
    bare_newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("NEWSLETTER_SETTLE", "soon")
    for command in (("issues", "list"), ("db", "check"), ("serve",)):
        assert bare_newsletter(*command).refused() == (
            "newsletter: NEWSLETTER_TIMEZONE: wants an IANA time zone, like Europe/Berlin\n"
            "NEWSLETTER_SETTLE: wants a number and a unit: 90s, 10m, 6h or 2d"
        )
    assert not list(Path.cwd().iterdir())

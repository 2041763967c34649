"""All commands together, and how errors end: one clear line on stderr, exit status 1, no traceback."""

import sys
from typing import Annotated

import typer
from sqlalchemy.exc import DatabaseError, OperationalError

from newsletter.cli import (
    comparisons,
    editors,
    events,
    issues,
    keys,
    letters,
    numbers,
    provider_list,
    readers,
    steering,
    system,
    transfer,
    work,
)
from newsletter.cli.console import Failure, tell
from newsletter.settings import SettingsError
from newsletter.weekly import CannotDo

INTERRUPTED = 130  # the exit status that Ctrl-C ends with, as shells have it

app = typer.Typer(
    help="Makes and sends the weekly letter of AI tool verdicts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(comparisons.app, name="comparisons")
for command in (steering.send, steering.pause, steering.resume, steering.cancel):
    issues.app.command()(command)
for command in (steering.retry, steering.reconcile, steering.status):
    issues.app.command()(command)
app.add_typer(issues.app, name="issues")
app.add_typer(letters.app, name="letters")
readers.app.command()(provider_list.sync)
app.add_typer(readers.app, name="subscribers")
app.add_typer(events.app, name="events")
app.add_typer(numbers.app, name="stats")
readers.app.command("import")(transfer.import_)
readers.app.command("export")(transfer.export)
app.add_typer(keys.app, name="keys")
app.add_typer(editors.app, name="editors")
app.add_typer(system.database, name="db")
app.command()(system.demo)
app.command()(system.serve)
app.command()(work.worker)
app.command()(system.tidy)
app.command()(system.sandbox)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an unexpected error came from.")] = False,
) -> None:
    _State.debug = debug


class _State:
    """What the options before the command said."""

    debug = False


def main() -> None:
    """Run the command line. Exit status 0: done; 1: it could not be done; 2: wrong usage; 130: Ctrl-C."""
    try:
        app(prog_name="newsletter", standalone_mode=True)
    except (CannotDo, Failure, SettingsError) as error:
        _end(str(error))
    except (OperationalError, DatabaseError) as error:
        if _State.debug:
            raise
        words = " ".join(str(error.orig).split())
        if "locked" in words:
            _end(f"the database says: {words}; another process keeps it busy: run the command again, a send goes on")
        _end(f"the database says: {words} (NEWSLETTER_DATABASE_URL names it)")
    except OSError as error:
        if _State.debug:
            raise
        _end(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except UnicodeEncodeError as error:
        if error.encoding.lower().replace("-", "") == "utf8":
            _end("a text in the command is not UTF-8; write it in UTF-8")
        _end(f"this output cannot show every letter ({error.encoding}); set PYTHONIOENCODING=utf-8")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            tell("newsletter: interrupted; run the same command again to go on")
        raise
    except Exception as error:  # a user is owed a line, not a traceback
        if _State.debug:
            raise
        _end(f"unexpected error, a defect of ours: {type(error).__name__}: {error} (`newsletter --debug …` says where)")


def _end(text: str) -> None:
    tell(f"newsletter: {text}")
    sys.exit(1)

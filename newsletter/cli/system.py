"""`newsletter demo`, `serve`, `sandbox` and `db …`: the program itself.

What only these need is imported when they run: other commands start without a web server in their baggage.
"""

import errno
import os
import socket
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from alembic.util import CommandError

from newsletter import housekeeping, migrations
from newsletter.assembly import assemble
from newsletter.cli.console import fail, say, say_table, tell
from newsletter.cli.steering import equation
from newsletter.db import reading
from newsletter.invariants import violations

LAST_ANSWERS = 4  # seconds that pages under way are given at the end; the postman has as long as it takes after it

database = typer.Typer(help="The database.", no_args_is_help=True)


@database.command()
def upgrade() -> None:
    """Bring the database to the newest migration."""
    with closing(assemble()) as assembly:
        before = migrations.current(assembly.bare_engine)
        try:
            migrations.upgrade(assembly.bare_engine)
        except CommandError as error:
            fail(f"the database is at migration {before}, unknown to this program ({error}): install a newer one")
    newest = migrations.newest()
    say(f"the database is at migration {newest}" + ("; nothing to do" if before == newest else f" (was {before})"))


@database.command()
def check() -> None:
    """Say whether every invariant holds."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        wrong = violations(session)
    for line in wrong:
        tell(line)
    if wrong:
        fail(f"{len(wrong)} things are wrong with the database; stop sending until they are understood")
    say("every invariant holds")


def tidy() -> None:
    """Let go of what has had its time: once a day, where `scheduler.py` does not run."""
    with closing(assemble()) as assembly:
        done = housekeeping.tidy(assembly.engine, datetime.now(UTC))
    say(
        f"forgotten, never confirmed: {done.forgotten}; rests that are over: {done.woken}; "
        f"steps of consent shortened: {done.shortened}; events that are no longer kept word for word: {done.faded}; "
        f"counts of attempts removed: {done.counts}; sessions of the desk that are over: {done.sessions}"
    )
    if not done.clean:
        tell(
            "the database's file could not be tidied, since others are using it, and may hold old bytes of whoever was "
            "erased: run `newsletter tidy` again when they let go"
        )


def demo(
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where the demo's database and letters go; made anew.")
    ] = Path("demo-week"),
    serve_: Annotated[bool, typer.Option("--serve", help="Stay, with the inbox and the pages open.")] = False,
) -> None:
    """Run the main job from nothing: three weeks of sample comparisons, 40 readers, the bundled sandbox."""
    from newsletter.demo import run_demo

    with run_demo(directory) as shown:
        say_table(
            ["issue", "state", "accounting"],
            [(week.week, week.state, equation(week.accounting)) for week in shown.weeks],
        )
        say(f"\nThe sandbox received {shown.received} letters; readers who had an issue twice: {shown.twice}.")
        say(f"The letters lie in {shown.letters}/ as .eml files, which mail programs open.")
        if serve_:
            os.environ.update(shown.environment)
            tell(f"inbox on {shown.inbox}, pages on http://127.0.0.1:8000/ (Ctrl-C ends both)")
            _serve_pages("127.0.0.1", 8000)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
) -> None:
    """Serve the web pages."""
    assemble().close()  # wrong settings end here, with a line
    _require_free(host, port)
    tell(f"serving on http://{host}:{port}/ (Ctrl-C ends it)")
    _serve_pages(host, port)


def _serve_pages(host: str, port: int) -> None:
    """Serve until interrupted. Without an access log: it would hold the tokens of readers' links."""
    import uvicorn

    uvicorn.run(
        "newsletter.web.app:create_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )


def _require_free(host: str, port: int) -> None:
    """End with a line where the web server could not listen; its own words for it are a log line and status 3."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(f"port {port} on {host} is in use: choose another with --port")
        fail(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1 to listen on.")] = 8025,
    token: Annotated[str, typer.Option(help="The server token that it accepts.")] = "sandbox-token",  # noqa: S107
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Where to post what becomes of messages.")] = None,
    unsubscribe: Annotated[
        bool,
        typer.Option("--unsubscribe", help="Put its own List-Unsubscribe into broadcast messages without one."),
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,…]",
            help="Let something go wrong, such as accept-then-drop:share=0.1; may be given again. "
            "docs/sandbox.md has them all.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw which calls the faults strike from this number.")
    ] = None,
) -> None:
    """Run a Postmark-compatible provider on loopback, with an inbox page. Nothing leaves this machine."""
    from newsletter.sandbox import faults
    from newsletter.sandbox.server import Sandbox, serve

    wanted = fault or []
    for text in wanted:
        try:
            faults.parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--fault") from None

    def announce(running: Sandbox) -> None:
        tell(f"sandbox on {running.url} with server token {running.token} (Ctrl-C ends it)")
        if wanted:
            tell(f"faults are on, drawn from seed {running.faults.seed}: {'; '.join(wanted)}")

    serve(
        port=port,
        token=token,
        webhook_url=webhook,
        on_ready=announce,
        owns_way_out=unsubscribe,
        faults=wanted,
        seed=seed,
    )

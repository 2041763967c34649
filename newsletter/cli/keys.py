"""`newsletter keys …`: which programs may use the interface for machines."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from newsletter import keys
from newsletter.assembly import assemble
from newsletter.cli.console import AsJson, fail, say, say_json, say_table, tell
from newsletter.db import reading, writing

app = typer.Typer(help="Keys of programs that use the API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, such as the program's name.")]


@app.command()
def add(name: Name, as_json: AsJson = False) -> None:
    """Make a key and print it, this once: it is kept nowhere."""
    now = datetime.now(UTC)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        try:
            secret = keys.make(session, name, now)
        except ValueError as error:
            fail(str(error))
        session.commit()
    if as_json:
        say_json({"name": " ".join(name.split()), "key": secret, "created_at": now})
    else:
        say(secret)
    tell("this is shown once and kept nowhere: hand it to the program now, and to nobody else")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All keys by name, the oldest first; never the keys themselves."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        found = keys.every(session)
    if as_json:
        say_json([key.model_dump(include={"name", "created_at", "used_at", "revoked_at"}) for key in found])
        return
    say_table(
        ["name", "made (UTC)", "last used", "revoked"],
        [
            (
                key.name,
                f"{key.created_at:%Y-%m-%d %H:%M}",
                f"{key.used_at:%Y-%m-%d}" if key.used_at else "—",
                f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else "—",
            )
            for key in found
        ],
    )


@app.command()
def revoke(name: Name) -> None:
    """Let a key be good for nothing any more, from now on and for ever."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        done = keys.revoke(session, name, datetime.now(UTC))
        session.commit()
    if done is None:
        fail(f"there is no key called {name!r}; `newsletter keys list` names those that there are")
    say(f"the key {name} is revoked" if done else f"the key {name} was revoked before; nothing to do")

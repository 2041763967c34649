"""`newsletter editors …`: who may work at the desk. Nothing else makes accounts."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from sqlmodel import Session

from newsletter.assembly import Assembly, assemble
from newsletter.cli.console import AsJson, fail, say, say_json, say_table, tell
from newsletter.db import reading, writing
from newsletter.editors import accounts, editor
from newsletter.editors.accounts import Refused
from newsletter.editors.editor import EDITOR, Editor

T = TypeVar("T")

app = typer.Typer(help="Accounts for the desk.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The address that the account signs in with.")]
WHAT_ROLES = "editor (writes, tests) or publisher (approves and sends, too)."


@app.command()
def add(
    address: Address,
    name: Annotated[str | None, typer.Option("--name", help="How the others see who did something.")] = None,
    role: Annotated[str, typer.Option("--role", help=WHAT_ROLES)] = EDITOR,
    as_json: AsJson = False,
) -> None:
    """Make an account and print its invitation, this once: a link that is good once, for three days."""
    now = datetime.now(UTC)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        made, token = _or_fail(lambda: accounts.add(session, address, name, role, now))
        session.commit()
        _hand_over(assembly, made, token, as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All accounts by their addresses, those that are disabled among them."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        found = editor.every(session)
    now = datetime.now(UTC)
    if as_json:
        shown = {"email", "name", "role", "created_at", "disabled_at", "invited_until"}
        say_json([one.model_dump(include=shown) | {"state": _state(one, now)} for one in found])
        return
    say_table(
        ["address", "name", "role", "state", "made (UTC)"],
        [(one.email, one.name, one.role, _state(one, now), f"{one.created_at:%Y-%m-%d %H:%M}") for one in found],
    )


@app.command()
def invite(address: Address, as_json: AsJson = False) -> None:
    """Print a new invitation, for a forgotten password or a lost phone; it replaces one that is open."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        known = _known(session, address)
        token = _or_fail(lambda: accounts.invite(session, known, datetime.now(UTC)))
        session.commit()
        _hand_over(assembly, known, token, as_json)


@app.command()
def disable(address: Address) -> None:
    """Let nobody in by an account any more; whoever is signed in by it is out at once."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        known = _known(session, address)
        done = accounts.disable(session, known, datetime.now(UTC))
        session.commit()
    say(f"{known.email} is disabled" if done else f"{known.email} was disabled before; nothing to do")


@app.command()
def enable(address: Address) -> None:
    """Let somebody in again by the password that they had."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        known = _known(session, address)
        done = accounts.enable(session, known, datetime.now(UTC))
        session.commit()
    say(f"{known.email} may sign in again" if done else f"{known.email} is not disabled; nothing to do")


@app.command()
def role(
    address: Address, role: Annotated[str, typer.Argument(metavar="ROLE", help=f"The new role: {WHAT_ROLES}")]
) -> None:
    """Let somebody do more, or less, from their next click on."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        known = _known(session, address)
        done = _or_fail(lambda: accounts.give_role(session, known, role, datetime.now(UTC)))
        session.commit()
    say(f"{known.email} is {role} now" if done else f"{known.email} is {role} already; nothing to do")


def _known(session: Session, address: str) -> Editor:
    found = accounts.find(session, address)
    if found is None:
        fail(f"there is no account of {address!r}; `newsletter editors list` names those that there are")
    return found


def _or_fail(act: Callable[[], T]) -> T:
    try:
        return act()
    except Refused as error:
        fail(str(error))


def _hand_over(assembly: Assembly, invited: Editor, token: str, as_json: bool) -> None:
    link = assembly.links.invited(token)
    if as_json:
        until = invited.invited_until
        say_json(
            {"email": invited.email, "name": invited.name, "role": invited.role, "link": link, "good_until": until}
        )
    else:
        say(link)
    tell("this is shown once and kept nowhere: whoever opens it first has the account; it is good for three days")


def _state(one: Editor, now: datetime) -> str:
    if one.disabled_at is not None:
        return "disabled"
    if one.password is not None:
        return "active"
    return "invited" if one.invited_until is not None and now < one.invited_until else "invitation over"

"""`newsletter subscribers …`: who reads us."""

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from sqlmodel import Session

from newsletter.assembly import assemble
from newsletter.cli.console import AsJson, as_document, fail, say, say_json, say_table, tell
from newsletter.cli.languages import Spoken
from newsletter.cli.whole_file import goes_to_stdout, whole_file
from newsletter.db import leave_no_copies, reading, writing
from newsletter.dossier import dossier
from newsletter.farewell import forget
from newsletter.language import available, own_name
from newsletter.tracking.newest import newest
from subscribers import consent, subscriber, suppression
from subscribers.address import Address, parse_address
from subscribers.fingerprint import Fingerprints, kept_from_files
from subscribers.subscriber import ACTIVE, FINAL, PAUSED, STATUSES, SUPPRESSED, Subscriber
from subscribers.suppression import REASONS, Suppression
from subscribers.unsubscribe import unsubscribe as take_off

EVENTS = 10
"""How many of what came back `show` shows."""

app = typer.Typer(help="Who reads us.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


def _known_status(status: str | None) -> str | None:
    if status is not None and status not in STATUSES:
        raise typer.BadParameter(f"{status!r} is none of {', '.join(STATUSES)}")
    return status


OfStatus = Annotated[
    str | None, typer.Option("--status", callback=_known_status, help=f"Only these: {', '.join(STATUSES)}.")
]


@app.command()
def add(
    address: Email,
    source: Annotated[str, typer.Option(help="Where and how they agreed.")] = "added by an editor",
    language: Spoken = None,
) -> None:
    """Add one reader who has agreed elsewhere."""
    parsed, now = _parsed(address, to_write=True), datetime.now(UTC)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        known = subscriber.find_locked(session, parsed)
        suppressed = suppression.in_force(session, parsed)
        if suppressed:
            fail(
                f"{parsed.email} is suppressed since {suppressed.at:%Y-%m-%d} ({REASONS[suppressed.reason]}); "
                "`newsletter subscribers lift` lets it be written to again"
            )
        if not known and kept_from_files(session, [Fingerprints(session).of(parsed)]):
            fail(f"{parsed.email} was forgotten at the reader's wish, and only they themselves can come back")
        if known and known.status in FINAL:
            fail(f"{known.email} is {known.status}, and only they themselves can come back")
        if known and known.status == PAUSED:
            fail(f"{known.email} is paused, which was their wish; they come back when they say so")
        if known and known.status == ACTIVE:
            say(f"{known.email} is on the list already")
            return
        reader = known or subscriber.add(session, parsed, ACTIVE, now, language=language)
        subscriber.move(reader, ACTIVE, now)
        assert reader.id is not None  # it has been stored
        consent.note(session, reader.id, consent.ADDED, source, now)
        session.add(reader)
        session.commit()
    say(f"{parsed.email} is on the list")


@app.command()
def show(address: Email, as_json: AsJson = False) -> None:
    """One reader: status, choices, consent, whether the address is suppressed and why, and what came back last."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        reader = _known(session, address)
        assert reader.id is not None  # it was read from the database
        steps = consent.history(session, reader.id)
        suppressed = suppression.in_force(session, Address(reader.email, reader.address_key))
        events = newest(session, EVENTS, subscriber_id=reader.id)
    if as_json:
        say_json(
            {
                **reader.model_dump(include={"email", "status", "since", "paused_until", "language"}),
                "muted_categories": reader.muted_categories,
                "consent": [step.model_dump(exclude={"id", "subscriber_id"}) for step in steps],
                "suppression": suppressed and suppressed.model_dump(include={"reason", "source", "at"}),
                "events": [asdict(each) for each in events],
            }
        )
        return
    say(f"{reader.email}: {reader.status} since {reader.since:%Y-%m-%d %H:%M} UTC ({STATUSES[reader.status]})")
    if reader.paused_until:
        say(f"paused until {reader.paused_until:%Y-%m-%d %H:%M} UTC")
    if reader.language:
        say(f"reads: {_named(reader.language)}")
    if reader.muted_categories:
        say(f"muted: {', '.join(reader.muted_categories)}")
    if suppressed:
        say(f"suppressed since {_why(suppressed)}")
    columns = ["consent", "source", "at (UTC)", "words", "network", "user agent"]
    say_table(
        columns,
        [(s.kind, s.source, f"{s.at:%Y-%m-%d %H:%M}", s.words_version, s.network, s.user_agent) for s in steps],
    )
    if events:
        say_table(
            ["came back", "detail", "at (UTC)", "letter", "link", "machine"],
            [(e.kind, e.detail, f"{e.at:%Y-%m-%d %H:%M}", e.letter, e.link, e.machine) for e in events],
        )


@app.command()
def proof(
    address: Email,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where it goes; default: printed.")] = None,
) -> None:
    """All that we hold of one reader, with the proof of their consent, as one JSON document."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        document = dossier(session, _known(session, address).id or 0)
    if out is None:
        say_json(document)
        return
    with whole_file(out, private=True) as file:
        file.write(as_document(document))
    (tell if goes_to_stdout(out) else say)(f"wrote {out}")


@app.command("list")
def list_(status: OfStatus = None, as_json: AsJson = False) -> None:
    """Everybody on the list."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        readers = [(one.email, one.status, one.since) for one in subscriber.every(session, status)]
    if as_json:
        say_json([{"email": email, "status": state, "since": since} for email, state, since in readers])
        return
    say_table(
        ["email", "status", "since (UTC)"], [(e, state, f"{since:%Y-%m-%d %H:%M}") for e, state, since in readers]
    )


@app.command()
def unsubscribe(address: Email) -> None:
    """Take a reader off the list, at their wish."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        reader = _known(session, address, subscriber.find_locked)
        left = take_off(session, reader, "an editor, at the reader's wish", datetime.now(UTC))
        session.commit()
    say(f"{reader.email} has left the list" if left else f"{reader.email} had left before; nothing to do")


@app.command()
def erase(address: Email, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Forget a reader: no trace of the person stays in any table, and the counts do. On a terminal it asks first."""
    with closing(assemble()) as assembly:
        with reading(assembly.engine) as session:
            _known(session, address)
        if not yes and sys.stdin.isatty() and not typer.confirm(f"Forget {address} for ever?", err=True):
            fail("nothing was changed")
        with writing(assembly.engine) as session:
            reader = _known(session, address)
            in_force = suppression.in_force(session, Address(reader.email, reader.address_key))
            suppressed = in_force is not None or reader.status == SUPPRESSED
            gone = forget(session, reader, datetime.now(UTC))
            session.commit()
        clean = leave_no_copies(assembly.engine, gone)
    stays = "; a hash of the address stays, since it must not be written to" if suppressed else ""
    say(f"{address} is forgotten{stays}")
    if not clean:
        tell(
            "old bytes may lie in the database's file until its other users let go: run `newsletter tidy` then, "
            "as the scheduler does every day"
        )


@app.command()
def suppress(
    address: Email,
    reason: Annotated[
        Literal["manual", "complaint", "hard_bounce"], typer.Option(help="Why it must not be written to.")
    ] = "manual",
    note: Annotated[str, typer.Option(metavar="TEXT", help="Who says so, and where.")] = "an editor",
) -> None:
    """See to it that an address is not written to, whether its reader is on the list or not."""
    parsed = _parsed(address)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        before = suppression.in_force(session, parsed)
        was = before and before.reason  # the row may become another's word
        is_new = suppression.suppress(session, parsed, reason, note, datetime.now(UTC))
        after = suppression.in_force(session, parsed)
        session.commit()
    if is_new:
        say(f"{parsed.email} is suppressed")
    elif was and after and after.reason != was:
        say(f"{parsed.email} had been suppressed before ({REASONS[was]}); from now on: {REASONS[after.reason]}")
    else:
        say(f"{parsed.email} had been suppressed before")


@app.command()
def lift(
    address: Email, because: Annotated[str, typer.Option(metavar="TEXT", help="Why it may be written to again.")]
) -> None:
    """Let a suppressed address be written to again; its reader is where their own words had left them."""
    parsed = _parsed(address)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        before = suppression.in_force(session, parsed)
        try:
            lifted = suppression.lift(session, parsed, because, datetime.now(UTC))
        except ValueError as error:
            fail(str(error))
        reader = subscriber.find(session, parsed)
        session.commit()
    if not lifted:
        say(f"{parsed.email} is not suppressed; nothing to do")
        return
    say(f"{parsed.email} may be written to again; " + (f"now {reader.status}" if reader else "not on the list"))
    if before and before.reason not in (suppression.MANUAL, suppression.SOFT_BOUNCE):
        tell("the provider may keep a list of its own: take the address off that, too, or it goes on refusing it")


def _named(language: str) -> str:
    return f"{own_name(language)} ({language})" if language in available() else f"{language}, which there is not"


def _why(suppressed: Suppression) -> str:
    return f"{suppressed.at:%Y-%m-%d %H:%M} UTC: {REASONS[suppressed.reason]} ({suppressed.source})"


def _known(
    session: Session, address: str, find: Callable[[Session, Address], Subscriber | None] = subscriber.find
) -> Subscriber:
    parsed = _parsed(address)
    if reader := find(session, parsed):
        return reader
    suppressed = suppression.in_force(session, parsed)
    return fail(f"{address}: unknown address" + (f"; it is suppressed since {_why(suppressed)}" if suppressed else ""))


def _parsed(address: str, *, to_write: bool = False) -> Address:
    try:
        return parse_address(address, to_write=to_write)
    except ValueError as error:
        return fail(f"{address}: {error}")

"""`newsletter issues …`: the week's issue, from draft to inbox."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from newsletter import outgoing, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.cli.comparisons import as_document, moment
from newsletter.cli.console import AsJson, Failure, fail, progress, say, say_json, say_table, tell
from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.delivery.mime import filler_for
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.message import Filler, Letter
from newsletter.outgoing import Outcome, Run
from newsletter.rendering.letter import render
from subscribers import audience

app = typer.Typer(help="The week's issue, from draft to inbox.", no_args_is_help=True)


def week(written: str) -> Week:
    """A week from the command line."""
    try:
        return Week.parse(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ISO_WEEK = Annotated[Week, typer.Argument(metavar="W", parser=week, help="ISO week, like 2026-W47.")]


@app.command()
def draft(
    of_week: Annotated[
        Week | None,
        typer.Option("--week", metavar="W", parser=week, help="Default: the newest week that has ended."),
    ] = None,
) -> None:
    """Collect what no issue has had yet into the week's draft; again: refresh it."""
    now = datetime.now(UTC)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        chosen = of_week or Week.newest_ended(now, assembly.rules.zone)
        drafted = weekly.draft(session, assembly.rules, chosen, now)
        session.commit()
        if drafted.issue is None:
            say(f"nothing new was published up to the end of {chosen}: no issue")
            return
        say(f"draft {chosen}: {drafted.taken} comparisons; {drafted.issue.subject_line}")
        if drafted.rolled_on:
            say(f"{drafted.rolled_on} did not fit and wait for the next issue")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All issues, the newest first."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        zone = assembly.rules.zone
        rows: list[dict[str, Any]] = [
            {"week": one.week, "state": one.state, "send_at": one.send_at, "subject": one.subject_line}
            for one in issues.every(session)
        ]
    if as_json:
        say_json(rows)
        return
    headings = ["week", "state", f"goes out ({zone})", "subject"]
    say_table(headings, [(r["week"], r["state"], _local(r["send_at"], assembly), r["subject"]) for r in rows])


@app.command()
def show(of_week: ISO_WEEK, as_json: AsJson = False) -> None:
    """An issue: state, subject, digest and comparisons."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        issue = weekly.require(session, of_week)
        records = weekly.comparisons_of(session, issue)
        document: dict[str, Any] = {
            "week": issue.week,
            "state": issue.state,
            "subject": issue.subject_line,
            "preheader": issue.preheader_line,
            "digest": _digest(session, assembly, issue),
            "send_at": issue.send_at,
            "held_because": issue.held_because,
            "comparisons": [as_document(record, issue.week) for record in records],
        }
    if as_json:
        say_json(document)
        return
    say(f"{issue.week}: {issue.state}; goes out {_local(issue.send_at, assembly)} ({assembly.rules.zone})")
    if issue.held_because:
        say(f"held because {issue.held_because}")
    say(f"subject:   {issue.subject_line}\npreheader: {issue.preheader_line}\ndigest:    {document['digest']}")
    for place, record in enumerate(records, 1):
        say(f"{place:>2}. {record.title}")


@app.command()
def preview(
    of_week: ISO_WEEK,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the three files go; made where it is missing.")],
    muted: Annotated[
        list[str] | None,
        typer.Option("--muted", metavar="CATEGORY", help="As a reader gets it who has muted this; may be repeated."),
    ] = None,
) -> None:
    """Write letter.html, letter.txt and letter.eml: byte for byte what the sample reader would be sent."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            letter = _letter_of(session, assembly, of_week, muted or [])
            date = weekly.require(session, of_week).send_at
            session.commit()
        reader = assembly.post.sample_recipient(date)
        page, text = Filler(letter).fill(reader.values)
        source = filler_for(letter, assembly.post.envelope(str(of_week))).fill(reader, "0" * 32, date)
        out.mkdir(parents=True, exist_ok=True)
        (out / "letter.html").write_bytes(page.encode())
        (out / "letter.txt").write_bytes(text.encode())
        (out / "letter.eml").write_bytes(source)
    say(f"{letter.subject}\n{letter.preheader}\ndigest {letter.digest}")
    say(f"{out / 'letter.html'} ({len(page.encode()) / 1024:.1f} KiB), {out / 'letter.txt'}, {out / 'letter.eml'}")


@app.command()
def edit(
    of_week: ISO_WEEK,
    subject: Annotated[str | None, typer.Option(help="At most 60 characters; empty: the made one again.")] = None,
    preheader: Annotated[str | None, typer.Option(help="At most 110 characters; empty: the made one again.")] = None,
) -> None:
    """Overrule the subject or the preheader of a draft."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        issue = weekly.edit(session, of_week, subject, preheader)
        session.commit()
        say(f"subject:   {issue.subject_line}\npreheader: {issue.preheader_line}")


@app.command()
def approve(of_week: ISO_WEEK) -> None:
    """Bind your approval to the letter that was previewed; nothing else will be sent."""
    with closing(assemble()) as assembly:
        with reading(assembly.engine) as session:
            weekly.look_over(session, assembly.rules, of_week)
        with writing(assembly.engine) as session:
            issue = weekly.approve(session, assembly.rules, of_week, datetime.now(UTC))
            left_out = weekly.readership(session, weekly.comparisons_of(session, issue)).left_out
            readers = audience.size(session) - left_out
            session.commit()
        say(f"approved {of_week}: digest {issue.digest}; goes out {_local(issue.send_at, assembly)}")
        say(f"it would go to {readers} readers now{f'; {_left_out(left_out)}' if left_out else ''}")


@app.command()
def unapprove(of_week: ISO_WEEK) -> None:
    """Take an approval back; the issue is a draft again."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        weekly.unapprove(session, of_week)
        session.commit()
    say(f"{of_week} is a draft again")


@app.command()
def schedule(
    of_week: ISO_WEEK,
    at: Annotated[
        datetime, typer.Option(metavar="ISO", parser=moment, help="When it goes out; without an offset: UTC.")
    ],
) -> None:
    """Give an issue another time to go out."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        issue = weekly.schedule(session, of_week, at)
        session.commit()
        say(f"{of_week} ({issue.state}) goes out {_local(issue.send_at, assembly)}")


@app.command()
def send(
    of_week: Annotated[Week | None, typer.Argument(metavar="[W]", parser=week, help="ISO week, like 2026-W47.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Whatever is due, and nothing else: for cron.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Stay until unknown outcomes have settled, and decide them.")
    ] = True,
) -> None:
    """Send an approved issue, or go on with one that was interrupted. Safe to run twice, at once, late."""
    if due == (of_week is not None):
        raise typer.BadParameter("name either a week or --due")
    with closing(assemble()) as assembly:
        with progress("sending") as on_progress:
            run = Run(clock=_now, on_progress=on_progress, on_wait=_tell_wait, wait=wait)
            if of_week:
                outcomes = [outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, of_week, run)]
            else:
                outcomes = outgoing.send_due(assembly.engine, assembly.rules, assembly.post, run)
        if not outcomes:
            say("nothing is due")
        troubles = [trouble for outcome in outcomes if (trouble := _say_outcome(outcome, assembly))]
    if troubles:
        raise Failure("\n".join(troubles))


@app.command()
def status(of_week: ISO_WEEK, as_json: AsJson = False) -> None:
    """The accounting: where every reader of the audience stands."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        issue = weekly.require(session, of_week)
        document = outgoing.status(session, issue, _digest(session, assembly, issue))
        books = ledger.accounting(session, issue.letter_id)
        refusals = ledger.refusals(session, issue.letter_id) if issue.letter_id else {}
    if as_json:
        say_json(document)
        return
    say(f"{issue.week}: {issue.state}\n{equation(books)}")
    if books.left_out:
        say(_left_out(books.left_out))
    for words, count in refusals.items():
        say(f"refused {count}: {words}")


@app.command()
def reconcile(of_week: ISO_WEEK) -> None:
    """Ask the provider about what is in doubt."""
    with closing(assemble()) as assembly:
        asked, state = outgoing.reconcile_issue(assembly.engine, assembly.post, of_week, _now)
    say(f"{of_week}: {state}; found {asked.accepted}, queued again {asked.requeued}, in doubt {asked.in_doubt}")
    if asked.in_doubt:
        when = f"; more can be decided after {asked.settles_at:%H:%M:%S} UTC" if asked.settles_at else ""
        fail(f"{asked.in_doubt} are still in doubt{f': {asked.why}' if asked.why else ''}{when}")


def equation(books: ledger.Accounting) -> str:
    """The accounting as one line that adds up."""
    parts = [f"{getattr(books, state)} {state.replace('_', ' ')}" for state in ledger.MOVES]
    return f"audience {books.audience} = " + " + ".join(parts)


def _left_out(readers: int) -> str:
    return f"{readers} left out (they have muted everything in it)"


def _say_outcome(outcome: Outcome, assembly: Assembly) -> str | None:
    """Print how one issue's send ended; return what is wrong with it, if anything is."""
    if outcome.sent is None:
        if outcome.state in (issues.DRAFT, issues.HELD):
            return f"{outcome.week} is {outcome.note}"
        say(f"{outcome.week} ({outcome.state}): {outcome.note}")
        return None
    sent = outcome.sent
    say(f"{outcome.week} ({outcome.state}): {equation(sent.accounting)}")
    if sent.accounting.left_out:
        say(_left_out(sent.accounting.left_out))
    again = f"`newsletter issues send {outcome.week}` goes on from here"
    if sent.accounting.refused:
        tell(f"{sent.accounting.refused} readers were refused: `newsletter issues status {outcome.week}` says why")
    if sent.stopped:
        return f"{outcome.week} stopped: {sent.stopped}; {again}"
    if sent.accounting.in_doubt:
        after = f" after {_local(sent.settles_at, assembly)}" if sent.settles_at else ""
        why = f": {sent.in_doubt_because}" if sent.in_doubt_because else ""
        return f"{outcome.week}: {sent.accounting.in_doubt} readers are in doubt{why}; {again}{after}"
    return None


def _tell_wait(readers: int, until: datetime) -> None:
    tell(f"{readers} readers are in doubt: the provider is asked again at {until:%H:%M:%S} UTC, and then it is decided")


def _letter_of(session: Session, assembly: Assembly, of_week: Week, muted: list[str]) -> Letter:
    """What a reader gets who has muted these categories: frozen where it is, else as it would be frozen now."""
    issue = weekly.require(session, of_week)
    without = weekly.left_without(weekly.comparisons_of(session, issue), muted, of_week)
    if issue.letter_id is None:
        if without:
            return render(weekly.manuscript(session, assembly.rules, issue), without)
        return weekly.preview(session, assembly.rules, of_week)
    stored = session.get_one(ledger.StoredLetter, issue.letter_id)
    letter = variants.find(session, stored, without) if without else stored.letter()
    if letter is None:
        raise weekly.CannotDo(f"issue {of_week} went out, and nobody had muted just that: no such letter was made")
    return letter


def _digest(session: Session, assembly: Assembly, issue: Issue) -> str:
    """The digest that was approved, else that of the letter as it stands."""
    return issue.digest or weekly.compose(session, assembly.rules, issue).digest


def _local(at: datetime, assembly: Assembly) -> str:
    return f"{at.astimezone(assembly.rules.zone):%a %Y-%m-%d %H:%M}"


def _now() -> datetime:
    return datetime.now(UTC)

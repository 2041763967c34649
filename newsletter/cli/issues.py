"""`newsletter issues …`: the week's issue, until it goes out. (`steering` has the commands from there on.)"""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from newsletter import weekly
from newsletter.assembly import Assembly, assemble
from newsletter.cli.comparisons import as_document, moment
from newsletter.cli.console import AsJson, say, say_json, say_table
from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.delivery.mime import filler_for
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.message import Filler, Letter
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
    say_table(headings, [(r["week"], r["state"], local(r["send_at"], assembly), r["subject"]) for r in rows])


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
            "digest": digest_of(session, assembly, issue),
            "send_at": issue.send_at,
            "held_because": issue.held_because,
            "comparisons": [as_document(record, issue.week) for record in records],
        }
    if as_json:
        say_json(document)
        return
    say(f"{issue.week}: {issue.state}; goes out {local(issue.send_at, assembly)} ({assembly.rules.zone})")
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
        say(f"approved {of_week}: digest {issue.digest}; goes out {local(issue.send_at, assembly)}")
        say(f"it would go to {readers} readers now{f'; {without_anything(left_out)}' if left_out else ''}")


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
        issue = weekly.schedule(session, of_week, at, datetime.now(UTC))
        session.commit()
        say(f"{of_week} ({issue.state}) goes out {local(issue.send_at, assembly)}")


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


def digest_of(session: Session, assembly: Assembly, issue: Issue) -> str | None:
    """The approved digest, else that of the letter as it stands; None of one that was called off before it began."""
    if issue.digest is None and issue.state == issues.CANCELLED:
        return None
    return issue.digest or weekly.compose(session, assembly.rules, issue).digest


def without_anything(readers: int) -> str:
    """Why so many readers are not in an issue's audience."""
    return f"{readers} left out (they have muted everything in it)"


def local(at: datetime, assembly: Assembly) -> str:
    """A moment as people read it, in the newsletter's own time zone."""
    return f"{at.astimezone(assembly.rules.zone):%a %Y-%m-%d %H:%M}"

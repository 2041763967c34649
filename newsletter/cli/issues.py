"""`newsletter issues …`: the week's issue, until it goes out. (`steering` has the commands from there on.)"""

import sys
import textwrap
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from newsletter import approving, editing, previewing, trial, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.cli.comparisons import as_document, moment
from newsletter.cli.console import AsJson, fail, say, say_json, say_table
from newsletter.cli.languages import OfReader
from newsletter.db import reading, writing
from newsletter.editors import log
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.variants import Selection
from newsletter.issues.week import Week
from newsletter.rendering.markdown import MOST_CHARACTERS
from subscribers import audience

app = typer.Typer(help="The week's issue, from draft to inbox.", no_args_is_help=True)


def week(written: str) -> Week:
    """A week from the command line."""
    try:
        return Week.parse(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ISO_WEEK = Annotated[Week, typer.Argument(metavar="W", parser=week, help="ISO week, like 2026-W47.")]

Muted = Annotated[
    list[str] | None,
    typer.Option("--muted", metavar="CATEGORY", help="As a reader gets it who has muted this; may be repeated."),
]


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
        drafted = editing.refresh(session, assembly.rules, chosen, None, None, now)
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
            "note": issue.note,
            "comparisons": [as_document(record, issue.week) for record in records],
        }
    if as_json:
        say_json(document)
        return
    say(f"{issue.week}: {issue.state}; goes out {local(issue.send_at, assembly)} ({assembly.rules.zone})")
    if issue.held_because:
        say(f"held because {issue.held_because}")
    say(f"subject:   {issue.subject_line}\npreheader: {issue.preheader_line}\ndigest:    {document['digest']}")
    if issue.note:
        say(f"note:\n{textwrap.indent(issue.note, '    ')}")
    for place, record in enumerate(records, 1):
        say(f"{place:>2}. {record.title}")


@app.command()
def preview(
    of_week: ISO_WEEK,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the three files go; made where it is missing.")],
    muted: Muted = None,
    language: OfReader = None,
) -> None:
    """Write letter.html, letter.txt and letter.eml: byte for byte what the sample reader would be sent."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            issue = weekly.require(session, of_week)
            selection = _selection(session, assembly, of_week, muted or [], language)
            if selection == previewing.WHOLE and issue.letter_id is None:
                approving.preview(session, assembly.rules, of_week)
            look = previewing.Look(session, assembly.rules, assembly.post, issue)
            copy = previewing.sample(look, selection)
            source = previewing.source_of(look, copy)
            session.commit()
        out.mkdir(parents=True, exist_ok=True)
        (out / "letter.html").write_bytes(copy.html.encode())
        (out / "letter.txt").write_bytes(copy.text.encode())
        (out / "letter.eml").write_bytes(source)
    say(f"{copy.letter.subject}\n{copy.letter.preheader}\ndigest {copy.letter.digest}")
    say(f"{out / 'letter.html'} ({copy.size / 1024:.1f} KiB), {out / 'letter.txt'}, {out / 'letter.eml'}")


@app.command("test")
def try_out(
    of_week: ISO_WEEK,
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Who gets it; may be repeated.")],
    muted: Muted = None,
    language: OfReader = None,
) -> None:
    """Send the real letter to yourself and others, outside the audience: its own links lead to nobody."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            issue = weekly.require(session, of_week)
            selection = _selection(session, assembly, of_week, muted or [], language)
            letter = previewing.letter_of(previewing.Look(session, assembly.rules, assembly.post, issue), selection)
            test = trial.prepare(session, assembly.rules, assembly.post, issue, letter, to, datetime.now(UTC))
            log.write(session, datetime.now(UTC), None, "sent a test", week=issue.week, detail=test.detail)
            session.commit()
        outcomes = trial.send(assembly.post, test)
    for each in outcomes:
        say(f"{each.email}: {each.words}")
    if missed := sum(not each.went for each in outcomes):
        fail(f"{missed} of {len(outcomes)} tests did not go; nothing is tried again by itself")


@app.command()
def edit(
    of_week: ISO_WEEK,
    subject: Annotated[str | None, typer.Option(help="At most 60 characters; empty: the made one again.")] = None,
    preheader: Annotated[str | None, typer.Option(help="At most 110 characters; empty: the made one again.")] = None,
    note_file: Annotated[
        Path | None,
        typer.Option(
            "--note-file",
            metavar="FILE",
            help=f"Your words above the comparisons: Markdown, at most {MOST_CHARACTERS:,} characters; "
            "-: from stdin; an empty file: none.",
        ),
    ] = None,
) -> None:
    """Overrule the subject or the preheader of a draft, or put a note of your own above its comparisons."""
    note = None if note_file is None else _read_note(note_file)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        written = {"subject": subject, "preheader": preheader, "note": note}
        issue = editing.write(session, assembly.rules, of_week, None, None, datetime.now(UTC), **written)
        session.commit()
        say(f"subject:   {issue.subject_line}\npreheader: {issue.preheader_line}")
        if note is not None:
            say(f"note:      {len(issue.note):,} characters" if issue.note else "note:      none")


@app.command()
def approve(of_week: ISO_WEEK) -> None:
    """Bind your approval to the letter that was previewed; nothing else will be sent."""
    with closing(assemble()) as assembly:
        with reading(assembly.engine) as session:
            approving.look_over(session, assembly.rules, of_week)
        with writing(assembly.engine) as session:
            issue = approving.approve(session, assembly.rules, of_week, datetime.now(UTC))
            left_out = approving.readership(session, assembly.rules, weekly.comparisons_of(session, issue)).left_out
            readers = audience.size(session) - left_out
            session.commit()
        say(f"approved {of_week}: digest {issue.digest}; goes out {local(issue.send_at, assembly)}")
        say(f"it would go to {readers} readers now{f'; {without_anything(left_out)}' if left_out else ''}")


@app.command()
def unapprove(of_week: ISO_WEEK) -> None:
    """Take an approval back; the issue is a draft again."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        approving.unapprove(session, of_week)
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


def _selection(
    session: Session, assembly: Assembly, of_week: Week, muted: list[str], language: str | None
) -> Selection:
    """The variant of who has muted these categories and reads this language."""
    issue = weekly.require(session, of_week)
    without = approving.left_without(weekly.comparisons_of(session, issue), muted, of_week)
    other = None if language == assembly.rules.masthead.language else language
    return Selection(without, tuple(muted) if without else (), other)


def _read_note(file: Path) -> str:
    """An editor's note from a file, or from stdin."""
    try:
        written = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
        return written.decode("utf-8")
    except OSError as error:
        return fail(f"{file}: {error.strerror}")
    except UnicodeDecodeError as error:
        line = written.count(b"\n", 0, error.start) + 1
        return fail(f"{file}:{line}: this is not UTF-8; save the note in that encoding")


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

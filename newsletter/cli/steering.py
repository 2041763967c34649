"""`newsletter issues send`, `pause`, `resume`, `cancel`, `retry`, `reconcile`, `status`: an issue on its way out.

How a command ends: with 0 where it is done, there was nothing to do, or an editor has stopped it meanwhile; with 1, and
one line on stderr, where the issue was held, its send had to stop, or readers are left in doubt.
"""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from newsletter import approving, asking, outgoing, steering, weekly
from newsletter.asking import Decided, Decision
from newsletter.assembly import Assembly, assemble
from newsletter.cli.came_back import came_back_lines, judged
from newsletter.cli.console import AsJson, Failure, fail, progress, say, say_json, tell
from newsletter.cli.ending import until_signalled
from newsletter.cli.issues import ISO_WEEK, digest_of, local, week, without_anything
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.stillness import wait_until_still
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.outgoing import Outcome, Run

STATES = ("queued", "sending", "in_doubt", "accepted", "refused", "suppressed", "left")
"""As the accounting equation has them."""

PATIENCE = 10.0  # seconds that `pause` and `cancel` wait beyond PROVIDER_TIMEOUT for what is under way

MOST_BATCHES = 10  # of those in doubt that `status` names, the newest
MOST_ROWS = 3  # in doubt of one batch that `status` names each by its key

Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Stay until unknown outcomes have settled, or leave them.")
]


def send(
    of_week: Annotated[Week | None, typer.Argument(metavar="[W]", parser=week, help="ISO week, like 2026-W47.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Whatever is due, and nothing else: for cron.")] = False,
    wait: Wait = True,
) -> None:
    """Send an approved issue, or go on with one that was interrupted. Safe to run twice, at once, late."""
    if due == (of_week is not None):
        raise typer.BadParameter("name either a week or --due")
    with closing(assemble()) as assembly:
        if of_week:
            _send_one(assembly, of_week, wait)
            return

        def send_due(run: Run) -> list[Outcome]:
            return outgoing.send_due(assembly.engine, assembly.rules, assembly.post, run)

        if not _run(assembly, wait, send_due):
            say("nothing is due")


def pause(of_week: ISO_WEEK) -> None:
    """Stop an issue in its midst, in whatever process it is being sent; `resume` lets it go on."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            issue = steering.pause(session, of_week)
            session.commit()
        _stand_still(assembly, issue.letter_id)
        with writing(assembly.engine) as session:
            issue = steering.close(session, of_week, _now())  # where what was under way was the rest of it
            books = ledger.accounting(session, issue.letter_id)  # anew: somebody may have asked about it meanwhile
            session.commit()
    say(f"{of_week} ({issue.state}): {equation(books)}")
    if issue.state == issues.SENT:
        say("what was under way was the rest of it: nothing is left to be paused")
    else:
        say(f"nothing more of it goes out until `newsletter issues resume {of_week}`")


def resume(of_week: ISO_WEEK, wait: Wait = True) -> None:
    """Let a paused issue, or one that was held in its midst, go on, and send the rest of it."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            steering.resume(session, of_week)
            session.commit()
        _send_one(assembly, of_week, wait)


def cancel(of_week: ISO_WEEK) -> None:
    """Call an issue off, or the rest of it: for good, and without asking."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            before = weekly.require(session, of_week)
            begun, comparisons = before.letter_id, weekly.comparisons_of(session, before)
            steering.cancel(session, of_week)
            session.commit()
        if begun is None:
            waiting = "; its comparisons wait for the next issue" if comparisons else ""
            say(f"{of_week} (cancelled): nobody has had it{waiting}")
            return
        books = _stand_still(assembly, begun)
    say(f"{of_week} (cancelled): {equation(books)}")
    never = books.audience - books.accepted - books.sending - books.in_doubt
    unknown = f"; of {books.in_doubt + books.sending} it is not known" if books.in_doubt + books.sending else ""
    say(f"{books.accepted} readers have it, {never} never will{unknown}")


def retry(of_week: ISO_WEEK, wait: Wait = True) -> None:
    """Send again to those who were refused for a passing reason, and to nobody else."""
    with closing(assemble()) as assembly:
        with writing(assembly.engine) as session:
            count = steering.retry(session, of_week)
            state = weekly.require(session, of_week).state
            session.commit()
        if not count:
            say(f"{of_week} ({state}): nobody was refused for a passing reason; nothing to do")
            return
        say(f"{of_week} ({state}): {count} are queued again")
        if state == issues.SENDING:
            _send_one(assembly, of_week, wait)
        else:
            say(f"it is {state}: `newsletter issues resume {of_week}` lets it go on")


def reconcile(
    of_week: ISO_WEEK,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send again to who is still in doubt: whoever has it gets it twice.")
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Never send to who is still in doubt: some of them may have nothing.")
    ] = False,
) -> None:
    """Ask the provider about what is in doubt; then, if you say so, decide what it cannot tell."""
    if resend and give_up:
        raise typer.BadParameter("decide for either --resend or --give-up")
    decision = Decision.RESEND if resend else Decision.GIVE_UP if give_up else None
    with closing(assemble()) as assembly:
        decided = asking.decide(assembly.engine, assembly.post, of_week, _now, decision)
    asked = decided.asked
    say(
        f"{of_week} ({decided.state}): found {asked.accepted}, queued again {asked.requeued}, in doubt {asked.in_doubt}"
    )
    _say_decision(of_week, decided)
    if asked.in_doubt and not decided.resent and not decided.given_up:
        when = f"; more can be decided after {asked.settles_at:%H:%M:%S} UTC" if asked.settles_at else ""
        why = f": {asked.why}" if asked.why else ""
        fail(f"{asked.in_doubt} readers of {of_week} are still in doubt{why}{when}{_look_at(of_week, decided.state)}")


def status(of_week: ISO_WEEK, as_json: AsJson = False) -> None:
    """The accounting: where every reader of the audience stands, what came back, and what you can decide."""
    with closing(assemble()) as assembly, judged(assembly.engine) as session:
        issue = weekly.require(session, of_week)
        changes = approving.changes_since_approval(session, assembly.rules, issue)
        told = assembly.provider.keeps_history
        document = outgoing.status(session, issue, digest_of(session, assembly, issue), changes, told=told)
        books = ledger.accounting(session, issue.letter_id)
        refused = ledger.refusals(session, issue.letter_id) if issue.letter_id else {}
        passing = ledger.refusals(session, issue.letter_id, passing=True) if issue.letter_id else {}
    if as_json:
        say_json(document)
        return
    say(f"{issue.week}: {issue.state}\n{equation(books)}")
    if books.left_out:
        say(without_anything(books.left_out))
    for words, count in sorted(refused.items(), key=lambda each: (-each[1], each[0])):
        say(f"refused {count}: {words}{_of_them(passing.get(words, 0), count)}")
    if books.in_doubt:
        say(f"in doubt {books.in_doubt}: the provider may have taken these or not")
        _say_batches(document["doubts"])
    if issue.held_because:
        say(f"held because {issue.held_because}")
    for change in changes:
        say(f"since it was approved, {change}")
    for line in came_back_lines(document):
        say(line)
    _say_remedies(steering.remedies(issue, books, sum(passing.values()), changed=bool(changes)))


def equation(books: Accounting) -> str:
    """The accounting as one line that adds up."""
    return f"audience {books.audience} = " + " + ".join(f"{getattr(books, s)} {s.replace('_', ' ')}" for s in STATES)


def _send_one(assembly: Assembly, of_week: Week, wait: bool) -> None:
    def send_it(run: Run) -> list[Outcome]:
        return [outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, of_week, run)]

    _run(assembly, wait, send_it)


def _run(assembly: Assembly, wait: bool, sender: Callable[[Run], list[Outcome]]) -> bool:
    """Send, until it is done or a signal ends it, and say what came of it; False where there was nothing to do."""
    with until_signalled() as stop, progress("sending") as on_progress:
        run = Run(clock=_now, on_progress=on_progress, on_wait=_tell_wait, wait=wait, stop=stop)
        outcomes = sender(run)
    if troubles := [trouble for outcome in outcomes if (trouble := _say_outcome(outcome, assembly))]:
        raise Failure("\n".join(troubles))
    return bool(outcomes)


def _say_outcome(outcome: Outcome, assembly: Assembly) -> str | None:
    """Print how one issue's send ended; return what is wrong with it, if anything is."""
    of_week, state, sent = outcome.week, outcome.state, outcome.sent
    if sent is None:
        if (outcome.note or "").startswith("held: "):
            return f"{of_week} is {outcome.note}"
        say(f"{of_week} ({state}): {outcome.note}")
        return None
    say(f"{of_week} ({state}): {equation(sent.accounting)}")
    if sent.accounting.left_out:
        say(without_anything(sent.accounting.left_out))
    if sent.accounting.refused:
        tell(f"{sent.accounting.refused} readers were refused: `newsletter issues status {of_week}` says why")
    if state == issues.PAUSED:
        say(f"it was paused meanwhile: `newsletter issues resume {of_week}` lets it go on")
        return None
    if state == issues.CANCELLED:
        say("the rest of it was called off meanwhile")
        return None
    if state == issues.HELD:
        with reading(assembly.engine) as session:
            issue = weekly.require(session, Week.parse(of_week))
            _say_remedies(steering.remedies(issue, sent.accounting))
        of_whom = f", with {sent.accounting.in_doubt} readers in doubt" if sent.accounting.in_doubt else ""
        return f"{of_week} is held{of_whom}: {issue.held_because or sent.needs_editor}{_look_at(of_week, state)}"
    again = f"`newsletter issues send {of_week}` goes on from here"
    if sent.stopped:
        return f"{of_week} stopped: {sent.stopped}; {again}"
    if sent.accounting.in_doubt:
        after = f" after {local(sent.settles_at, assembly)}" if sent.settles_at else ""
        why = f": {sent.in_doubt_because}" if sent.in_doubt_because else ""
        return f"{of_week}: {sent.accounting.in_doubt} readers are in doubt{why}; {again}{after}"
    return None


def _say_decision(of_week: Week, decided: Decided) -> None:
    if decided.resent:
        how = "sends them" if decided.state == issues.SENDING else "is to come first"
        command = "send" if decided.state == issues.SENDING else "resume"
        say(f"{decided.resent} are queued again: `newsletter issues {command} {of_week}` {how}")
    if decided.given_up:
        say(f"{decided.given_up} are given up: nothing is sent to them again")


def _say_batches(in_doubt: list[dict[str, Any]]) -> None:
    """Name what is in doubt as the provider has it, the newest first, so that its pages or its log can be searched."""
    for one in in_doubt[: -MOST_BATCHES - 1 : -1]:
        rows = one["rows"]
        which = f": {', '.join(rows)}" if len(rows) <= MOST_ROWS else ""
        say(f"  batch {one['batch']}, of {one['claimed_at']:%Y-%m-%d %H:%M:%S} UTC: {len(rows)}{which}")
    if len(in_doubt) > MOST_BATCHES:
        say(f"  and {len(in_doubt) - MOST_BATCHES} batches before these: --json names all")


def _say_remedies(remedies: list[steering.Remedy]) -> None:
    if remedies:
        say("you can decide:")
    for remedy in remedies:
        say(f"  {remedy}")


def _stand_still(assembly: Assembly, letter_id: int | None) -> Accounting:
    """Wait until nothing of a letter that was just closed is under way, and say where that takes too long."""
    assert letter_id is not None  # only what has begun to go out is paused, or called off in its midst
    patience = assembly.settings.provider_timeout.total_seconds() + PATIENCE
    books = wait_until_still(assembly.engine, letter_id, patience, _now, assembly.post.stopwatch, _tell_under_way)
    if books.sending:
        tell(
            f"{books.sending} are still under way after {patience:.0f} seconds: `issues status` tells what comes of it"
        )
    return books


def _tell_under_way(readers: int) -> None:
    tell(f"nothing more is begun; waiting for {readers} who are just being sent to")


def _tell_wait(readers: int, until: datetime) -> None:
    tell(f"{readers} readers are in doubt: the provider is asked again at {until:%H:%M:%S} UTC, and then it is decided")


def _look_at(of_week: Week | str, state: str) -> str:
    return f"; `newsletter issues status {of_week}` says what you can decide" if state == issues.HELD else ""


def _of_them(may_be_retried: int, of: int) -> str:
    if not may_be_retried:
        return ""
    who = "may" if may_be_retried == of else f"{may_be_retried} of them may"
    return f" ({who} be tried again)"


def _now() -> datetime:
    return datetime.now(UTC)

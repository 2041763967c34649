"""What is to be done now? Each issue that waits for somebody, or is on its way, as a card; the most urgent first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, select

from newsletter import weekly
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.delivery.ledger import StoredLetter
from newsletter.editors.editor import Editor
from newsletter.issues import issue as issues
from newsletter.issues import versions
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.queues import Queue
from newsletter.rendering.ingredients import changes, in_short, ingredients
from newsletter.weekly import Rules
from subscribers.subscriber import Subscriber

URGENT: Final = "urgent"
NOW: Final = "now"
CALM: Final = "calm"
URGENCIES: Final = (URGENT, NOW, CALM)
"""Somebody must decide something, somebody has something to do, it goes its way."""

APPROVE: Final = "Approve"
"""The link to what only some may do."""

FRESH: Final = timedelta(days=8)
"""How long after it was sent an issue is still spoken of."""

Local = Callable[[datetime], str]
"""Writes a moment in the newsletter's zone."""


@dataclass(frozen=True)
class Card:
    """One thing on the first page. `links` are names and paths behind the issue's own."""

    title: str
    urgency: str
    said: tuple[str, ...]
    week: str | None = None
    state: str | None = None
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Beginning:
    """What a new installation has of what it takes."""

    comparisons: bool
    readers: bool
    issues: bool


def beginning(session: Session) -> Beginning:
    """What is there at all."""
    there = (session.exec(select(each).limit(1)).first() for each in (ComparisonRow.id, Subscriber.id, Issue.id))
    return Beginning(*(each is not None for each in there))


def cards(session: Session, rules: Rules, now: datetime, left: Sequence[Queue], local: Local) -> list[Card]:
    """What is to be done; `left` is what is left of issues on their way (`queues.left`)."""
    queues = {each.what: each for each in left if each.state}
    waiting = (issues.DRAFT, *weekly.NOT_BEGUN, issues.SENDING, issues.PAUSED)
    found = [_card(session, rules, issue, queues, now, local) for issue in issues.in_state(session, *waiting)]
    for issue in issues.in_state(session, issues.CANCELLED):
        if (queue := queues.get(issue.week)) and queue.in_doubt:
            found.append(_in_doubt(issue, queue))
    found += _last_sent(session, now, local)
    if missing := _missing(session, rules, now, local):
        found.append(missing)
    # The newest week first among those that are alike.
    found.sort(key=lambda card: card.week or "", reverse=True)
    return sorted(found, key=lambda card: URGENCIES.index(card.urgency))


def _card(
    session: Session, rules: Rules, issue: Issue, queues: Mapping[str, Queue], now: datetime, local: Local
) -> Card:
    queue = queues.get(issue.week) or Queue(issue.week, issue.state, 0, 0, 0, None)
    if issue.state == issues.DRAFT:
        return _draft(session, rules, issue, now, local)
    if issue.state == issues.SENDING:
        return _of(issue, CALM, "is going out", _progress(session, issue, queue), links=(("Watch it", "send"),))
    if issue.state == issues.PAUSED:
        said = [_progress(session, issue, queue), "Nothing more of it goes out until somebody lets it go on."]
        return _of(issue, URGENT, "rests", *said, *_doubts(queue), links=(("Let it go on, or call it off", "send"),))
    if issue.state == issues.HELD:
        said = [f"Why: {issue.held_because}"]
        if issue.letter_id is not None:
            said.append(_progress(session, issue, queue))
        return _of(issue, URGENT, "is held", *said, *_doubts(queue), links=(("Decide", "send"),))
    return _approved(session, rules, issue, now, local)


def _draft(session: Session, rules: Rules, issue: Issue, now: datetime, local: Local) -> Card:
    late = issue.send_at <= now
    newest = versions.newest(session, issue)
    writer = session.get(Editor, newest.editor_id) if newest and newest.editor_id is not None else None
    said = [_contents(session, issue)]
    if newest is None:
        title = "waits to be written"
        said.append(f"Nobody has changed it since it was drafted, {local(issue.created_at)}.")
    else:
        title = "waits for approval"
        said.append(f"Last changed {local(newest.at)}{f' by {writer.name}' if writer else ''}: {newest.what}.")
    if rules.approval == "automatic":
        said.append(f"It goes out as it stands {local(issue.send_at)}; nobody has to approve it.")
    else:
        who = f"A publisher other than {writer.name}" if writer and rules.approver == "other" else "A publisher"
        by_when = f"its time, {local(issue.send_at)}, has passed" if late else f"before {local(issue.send_at)}"
        said.append(f"{who} is to approve it{': ' if late else ' '}{by_when}.")
    links = (("Write", "write"), ("Preview", "preview"), (APPROVE, "send"))
    return _of(issue, URGENT if late else NOW, title, *said, links=links)


def _approved(session: Session, rules: Rules, issue: Issue, now: datetime, local: Local) -> Card:
    # What it is made of, not the letter: to render that takes longer than anybody waits for this page.
    of_now = ingredients(weekly.manuscript(session, rules, issue), rules.shown)
    if issue.approved_of is not None and (changed := changes(issue.approved_of, of_now)):
        said = f"It has changed since it was approved: {in_short(changed)}."
        held = "It will be held, unless somebody approves it as it stands now."
        return _of(issue, URGENT, "was approved, and has changed", said, held, links=(("Look at it", "send"),))
    when = "is due, and goes out at the clock's next look" if issue.send_at <= now else "is approved"
    said = f"It goes out {local(issue.send_at)}." if issue.send_at > now else f"It was due {local(issue.send_at)}."
    return _of(issue, CALM, when, _contents(session, issue), said, links=(("Preview", "preview"), ("Send", "send")))


def _in_doubt(issue: Issue, queue: Queue) -> Card:
    return _of(issue, URGENT, "was called off", *_doubts(queue), links=(("Decide", "send"),))


def _last_sent(session: Session, now: datetime, local: Local) -> list[Card]:
    newest = next((issue for issue in issues.begun(session, 2) if issue.state == issues.SENT), None)
    if newest is None or newest.sent_at is None or now - newest.sent_at > FRESH:
        return []
    stored = session.get_one(StoredLetter, newest.letter_id)
    said = f"To {_so_many(stored.audience or 0, 'reader')}, {local(newest.sent_at)}."
    links = (("Numbers", f"/desk/numbers/{newest.week}"), ("How it was sent", "send"))
    return [_of(newest, CALM, "was sent", said, links=links)]


def _missing(session: Session, rules: Rules, now: datetime, local: Local) -> Card | None:
    """Where the week that has ended has no issue: why, and what comes of it."""
    week = Week.newest_ended(now, rules.zone)
    if issues.find(session, week):
        return None
    begins, ends = week.drafting(rules.draft_at, rules.send_at, rules.zone)
    waiting = len(issues.available(session, week.end(rules.zone), None))
    if not waiting:
        said = "No comparison that no issue has had was published before the week's end: there is no issue."
        links = (("Bring comparisons in", "/desk/import-comparisons"),)
        return Card(f"Nothing new in {week}", CALM, (said,), links=links)
    what = f"{_so_many(waiting, 'comparison')} to tell of"
    if now < begins:
        return Card(f"{week} is to be drafted", CALM, (f"The clock drafts it {local(begins)}; there is {what}.",))
    when = "at its next look" if now < ends else "no more by itself, since its slot to be sent has passed"
    said = f"There is {what}, and no draft. The clock makes one {when}."
    return Card(f"{week} has no draft", NOW, (said,), links=(("Draft it", "/desk/issues"),))


def _of(issue: Issue, urgency: str, what: str, *said: str, links: tuple[tuple[str, str], ...] = ()) -> Card:
    own = tuple((name, to if to.startswith("/") else f"/desk/issues/{issue.week}/{to}") for name, to in links)
    return Card(f"{issue.week} {what}", urgency, tuple(filter(None, said)), issue.week, issue.state, own)


def _contents(session: Session, issue: Issue) -> str:
    assert issue.id is not None  # it was read from the database
    count = len(issues.comparison_ids(session, issue.id))
    return f"“{issue.subject_line}”, {_so_many(count, 'comparison')}."


def _so_many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _progress(session: Session, issue: Issue, queue: Queue) -> str:
    audience = session.get_one(StoredLetter, issue.letter_id).audience or 0
    done = audience - queue.queued - queue.sending - queue.in_doubt
    return f"{done:,} of {audience:,} readers are done, {queue.queued + queue.sending:,} wait or are under way."


def _doubts(queue: Queue) -> list[str]:
    return [f"Of {queue.in_doubt:,} it is not known whether they have it."] if queue.in_doubt else []


def new_comparisons(session: Session, now: datetime, most: int) -> tuple[int, list[int]]:
    """How many comparisons no issue has had, and the ids of the newest of them."""
    waiting = sorted(issues.available(session, now, None), key=lambda each: each[1], reverse=True)
    return len(waiting), [number for number, _ in waiting[:most]]

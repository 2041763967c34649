"""Is all well with the newsletter? What its clock did and will do, its queues, what comes back, and what is alarming.

Every function looks at what is there in a moment, also with a million readers: what takes long to count is counted by
`examine`, by the clock once a day and after each issue, or when somebody asks for it, and kept with its moment.
Promise: each finding says in words whether it is fine, and what to do where it is not.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter import figures, invariants, numbers
from newsletter.backfill import RIPE
from newsletter.db import reading, writing
from newsletter.delivery.ledger import ACCEPTED, REFUSED, Delivery, StoredLetter
from newsletter.figures import Counted
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.jobs import Job
from newsletter.numbers import Alarm
from newsletter.storage import Storage
from newsletter.tracking.event import WEBHOOK
from newsletter.tracking.store import PENDING, StoredEvent
from newsletter.tracking.unheard import OUTCOMES
from newsletter.weekly import Rules

FINE: Final = "fine"
LOOK: Final = "look"
WRONG: Final = "wrong"
LEVELS: Final = (FINE, LOOK, WRONG)
"""How grave a finding is: nothing to do, look at it when there is time, see to it now."""

SENDING: Final = "Sending"
"""What findings about one issue are about; the first page of the desk has a card of that issue besides."""

EXAMINED: Final = "health"
"""What `examine` has found is kept under this name."""
OLD: Final = timedelta(days=2)
"""An examination that is older than this says little: the clock makes one a day."""

NO_ROOM: Final = 200 * 1024**2  # bytes
LITTLE_ROOM: Final = 1024**3  # bytes

RECENT: Final = 500  # of the newest events, and of what was refused, so many are looked through
OFF: Final = timedelta(seconds=10)
"""By how much a clock may be off before it is said."""
HELD_UP: Final = timedelta(hours=1)
"""How long an event may wait for what comes of it."""

_BY_INDEX: Final = (col(Delivery.variant), col(Delivery.subscriber_id))
"""The order of the index on states: without it SQLite goes through all rows of a letter for some of one state."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `do` is what to do about it, empty where it is fine."""

    what: str
    level: str
    said: str
    do: str = ""
    at: datetime | None = None
    """The moment that it speaks of."""


@dataclass(frozen=True)
class Examined:
    """What takes long to find out."""

    wrong: list[str]
    """The invariants that do not hold, a line each."""
    alarms: list[Alarm]
    complaints: str | None
    """What is to be said where too many call the newest issue spam."""


@dataclass(frozen=True)
class Slots:
    """When the clock drafts next, and when the weekly slot to send comes round next, UTC."""

    draft: datetime
    drafted: Week
    send: datetime
    sent: Week


def examine(engine: Engine, now: datetime) -> Examined:
    """Look at what must always be true, and whether letters come back; keep what is found. It may take minutes."""
    with reading(engine) as session:
        wrong = invariants.violations(session)
    with reading(engine) as session:
        found = Examined(wrong, numbers.alarms(session, now), numbers.complaints_alarm(session))
    with writing(engine) as session:
        figures.keep(session, EXAMINED, asdict(found), now)
        session.commit()
    return found


def examined(session: Session) -> tuple[datetime, Examined] | None:
    """What the last examination found, and when it was; None where there was none."""
    kept: Counted | None = figures.find(session, EXAMINED)
    if kept is None:
        return None
    alarms = [Alarm(**each) for each in kept.content["alarms"]]
    return kept.at, Examined(kept.content["wrong"], alarms, kept.content["complaints"])


def of_examination(session: Session, now: datetime) -> list[Finding]:
    """What the last examination says, and whether it is old."""
    last = examined(session)
    if last is None:
        what = "Nobody has looked through the database yet."
        return [Finding("Invariants", LOOK, what, "Count now, or start the clock: it looks once a day.")]
    at, found = last
    if found.wrong:
        ways = "one way" if len(found.wrong) == 1 else f"{len(found.wrong)} ways"
        said = f"The database is not as it must be, in {ways}."
        findings = [Finding("Invariants", WRONG, said, "Send nothing until it is understood.", at)]
    elif now - at > OLD:
        findings = [Finding("Invariants", LOOK, "All held when they were last looked at.", "Count now.", at)]
    else:
        findings = [Finding("Invariants", FINE, "All hold.", at=at)]
    for alarm in found.alarms:
        said = f"Letters come back for a trouble of our own: {alarm.detail}, {alarm.count} times in a week."
        findings.append(Finding("Returned letters", WRONG, said, alarm.what, at))
    if found.complaints:
        do = "Send to fewer, and ask why: who are they, and did an imported list really agree?"
        findings.append(Finding("Complaints", WRONG, f"{found.complaints}.", do, at))
    return findings


def clock(known: Sequence[Job], now: datetime, busy: Collection[str] = ()) -> list[Finding]:
    """Whether the clock runs, and how its jobs fare; `busy`: those whose work is seen to be done, for hours maybe."""
    if not known:
        said = "No clock has written here yet."
        do = "Start `python scheduler.py`. Where cron is the clock nothing of it is seen here."
        return [Finding("Clock", LOOK, said, do)]
    newest = max(known, key=lambda job: job.ran_at)
    # By the job that runs most often: those that run once a day say nothing for days.
    if now - newest.ran_at > min(job.patience for job in known):
        do = "Start `python scheduler.py`: nothing is drafted, sent or asked about without it."
        return [Finding("Clock", WRONG, "No clock has been seen since then.", do, newest.ran_at)]
    findings = [Finding("Clock", FINE, "It runs.", at=newest.ran_at)]
    for job in known:
        called = f"Job {job.name.replace('_', ' ')}"
        if job.error:
            do = "It is tried again at each alarm; the log of the clock has more."
            findings.append(Finding(called, LOOK, f"It fails: {job.error}", do, job.failed_at))
        elif job.is_silent(now) and job.name not in busy:
            said = "It is at work since then, or hangs."
            findings.append(Finding(called, LOOK, said, "Look at what it does; restart the clock.", job.ran_at))
    return findings


def slots(rules: Rules, now: datetime) -> Slots:
    """When the clock drafts next, and when the weekly slot to send comes round next, whatever the clocks are set to."""
    ended = Week.newest_ended(now, rules.zone)
    weeks = (ended.before(), ended, ended.after(), ended.after().after())
    drafts = {week: week.drafting(rules.draft_at, rules.send_at, rules.zone)[0] for week in weeks}
    sends = {week: week.slot_after(rules.send_at, rules.zone) for week in weeks}
    drafted = next(week for week in weeks if drafts[week] > now)
    sent = next(week for week in weeks if sends[week] > now)
    return Slots(drafts[drafted], drafted, sends[sent], sent)


def came_back(session: Session, now: datetime, provider: str, *, told: bool, listens: bool) -> list[Finding]:
    """Whether we hear what becomes of letters. `told`: whether the provider tells; `listens`: whether by a webhook."""
    if not told:
        return [Finding("What comes back", FINE, f"{provider} tells nothing of what becomes of letters.")]
    findings = []
    last = _last_told(session)
    if last is None and not listens:
        said = "No webhook is set up: what comes back is asked for once a day."
        do = "Set NEWSLETTER_WEBHOOK_USERNAME and _PASSWORD, and tell the provider the address."
        findings.append(Finding("Webhook", LOOK, said, do))
    elif week := _overdue(session, now):
        said = f"Nothing has come back of issue {week}, which went out over an hour ago."
        do = "See whether the webhook reaches the pages; `newsletter events backfill` asks for what was missed."
        findings.append(Finding("Webhook", WRONG if listens else LOOK, said, do, last))
    elif last is None:
        findings.append(Finding("Webhook", FINE, "It is set up, and has told nothing yet."))
    else:
        findings.append(Finding("Webhook", FINE, "The newest event came then, and none is overdue.", at=last))
    waiting = session.exec(
        select(StoredEvent.received_at).where(PENDING).order_by(col(StoredEvent.id)).limit(1)
    ).first()
    if waiting and now - waiting > HELD_UP:
        said = "What an event says has waited to be done since then."
        findings.append(Finding("Events", WRONG, said, "The job finish does it: see whether it fails.", waiting))
    return findings


def provider(session: Session) -> list[Finding]:
    """Whether the provider lets us send: issues that are held in their midst, and what it refused of the newest one."""
    findings = []
    for issue in issues.in_state(session, issues.HELD):
        if issue.letter_id is not None:
            said = f"Issue {issue.week} is held in its midst: {issue.held_because}"
            findings.append(Finding(SENDING, WRONG, said, "Mend it, then let the issue go on, on its page Send."))
    newest = next(iter(issues.begun(session, 1)), None)
    if newest and newest.letter_id is not None:
        of_it = (Delivery.letter_id == newest.letter_id, Delivery.state == REFUSED)
        rows = select(Delivery.reason, Delivery.settled_at).where(*of_it).order_by(*_BY_INDEX)
        refused = session.exec(rows.limit(RECENT)).all()
        if refused:
            reason, count = Counter(why or "" for why, _ in refused).most_common(1)[0]
            said = f"Of issue {newest.week} it refused {_so_many(len(refused))}, most often: {reason} ({count})"
            at = max((at for _, at in refused if at), default=None)
            findings.append(Finding("Refusals", LOOK, said, "Its page Send shows them, and may try again.", at))
    if behind := _behind(session):
        said = f"The provider's events are up to {behind} seconds ahead of this machine's clock."
        findings.append(Finding("Time", LOOK, said, "Let the machine keep its time by NTP."))
    return findings or [Finding("Provider", FINE, "It has refused nothing of the newest issue.")]


def room(storage: Storage) -> list[Finding]:
    """Whether the database has room to grow."""
    if storage.free is None:
        return []
    level = WRONG if storage.free < NO_ROOM else LOOK if storage.free < max(LITTLE_ROOM, storage.size) else FINE
    do = "" if level == FINE else "Make room: a full disk stops everything, and a tidying needs as much as the file."
    return [Finding("Disk", level, f"{storage.free / 1024**3:,.1f} GB are free.", do)]


def suppressions(known: Sequence[Job], now: datetime, *, asks: bool) -> list[Finding]:
    """When the provider's own list of those who left there was last asked for; `asks`: whether it keeps one."""
    if not asks:
        return []
    asked = next((job for job in known if job.name == "sync"), None)
    if asked is None or asked.did_at is None:
        do = "`newsletter subscribers sync` asks; the clock does so once a day."
        return [Finding("Provider's list", LOOK, "Nobody has asked for those who left there yet.", do)]
    level, do = (FINE, "") if now - asked.did_at <= OLD else (LOOK, "`newsletter subscribers sync` asks at once.")
    return [Finding("Provider's list", level, f"Last: {asked.did}.", do, asked.did_at)]


def worst(findings: Sequence[Finding]) -> str:
    """How grave the gravest of them is."""
    return max((each.level for each in findings), key=LEVELS.index, default=FINE)


def _so_many(count: int) -> str:
    return f"{RECENT} or more readers" if count == RECENT else f"{count} reader{'' if count == 1 else 's'}"


def _behind(session: Session) -> int | None:
    """By how many seconds our clock is behind the provider's at least; None where nothing shows that."""
    # An event cannot be heard of before it has happened. That ours is ahead looks like a slow webhook.
    recent = select(StoredEvent.source, StoredEvent.received_at, StoredEvent.at).order_by(col(StoredEvent.id).desc())
    lags = [heard - at for source, heard, at in session.exec(recent.limit(RECENT)) if source == WEBHOOK]
    ahead = -min(lags, default=timedelta(0))
    return round(ahead.total_seconds()) if ahead > OFF else None


def _last_told(session: Session) -> datetime | None:
    """When the provider has last told us something, as far as the newest events show it."""
    # Not all of them: where nobody listens, a million clicks on our own pages would be gone through.
    recent = select(StoredEvent.source, StoredEvent.received_at).order_by(col(StoredEvent.id).desc()).limit(RECENT)
    return max((at for source, at in session.exec(recent) if source == WEBHOOK), default=None)


def _overdue(session: Session, now: datetime) -> str | None:
    """The newest issue, where nothing is known of any copy that the provider took over an hour ago; else None."""
    issue = next(iter(issues.begun(session, 1)), None)
    if issue is None or issue.letter_id is None:
        return None
    began_at = session.get_one(StoredLetter, issue.letter_id).created_at
    if now - began_at <= RIPE:
        return None
    copies = select(Delivery.settled_at).where(Delivery.letter_id == issue.letter_id, Delivery.state == ACCEPTED)
    taken = session.exec(
        copies.order_by(*_BY_INDEX).limit(1)
    ).first()  # one of the first: they are taken in their order
    heard = select(StoredEvent.id).where(StoredEvent.letter_id == issue.letter_id, col(StoredEvent.kind).in_(OUTCOMES))
    if taken is None or now - taken <= RIPE or session.exec(heard.limit(1)).first() is not None:
        return None
    return issue.week

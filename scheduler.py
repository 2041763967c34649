"""The clock: which job runs when. No logic: an alarm only makes a job look at the database, which says what is due.

So a missed, late or doubled alarm, a restart or a second scheduler does no harm. Run it with `python scheduler.py`.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.job import Job as Alarm
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DatabaseError

from newsletter import arrivals, backfill, departures, health, housekeeping, outgoing, weekly, welcome
from newsletter.assembly import Assembly, assemble
from newsletter.chronicle import Did, Notes, counts, of_sends
from newsletter.cli.ending import until_signalled
from newsletter.db import in_a_line
from newsletter.issues import issue as issues
from newsletter.outgoing import Run
from newsletter.settings import SettingsError
from newsletter.tracking import labelling
from newsletter.weekly import CannotDo

TICK = 20  # seconds between two looks at what is due
SOON = 5 * 60  # seconds, for what nobody waits for
DAY = 24 * 60 * 60  # seconds

Clock = Callable[[], datetime]
Job = Callable[..., Sequence[Did]]
"""It looks at what is due, does it, and returns what of that is worth telling."""

NEVER = threading.Event()
"""Nobody sets it: what ends a job early that nobody ends."""

log = structlog.get_logger()


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


def draft(assembly: Assembly, clock: Clock) -> list[Did]:
    """Draft the week that has ended, from DRAFT_AT on."""
    issue = weekly.draft_due(assembly.engine, assembly.rules, clock())
    if issue:
        log.info("drafted", week=issue.week, subject=issue.subject_line)
    return [Did("drafted the issue", issue.week)] if issue else []


def send(assembly: Assembly, clock: Clock, stop: threading.Event = NEVER) -> list[Did]:
    """Send what is due, and go on with what was interrupted; what is in doubt is asked about on the way."""
    run = Run(clock=clock, wait=False, stop=stop)
    outcomes = outgoing.send_due(assembly.engine, assembly.rules, assembly.post, run)
    for outcome in outcomes:
        log.info("sent", week=outcome.week, state=outcome.state, note=outcome.note, outcome=outcome.sent)
    if any(outcome.sent and outcome.state == issues.SENT for outcome in outcomes) and not stop.is_set():
        check(assembly, clock)
    return of_sends(outcomes)


def carry(assembly: Assembly, clock: Clock, stop: threading.Event = NEVER) -> list[Did]:
    """Carry letters to one person: those that the pages have left, or whose sender died."""
    carried = welcome.carry(assembly.engine, assembly.welcome_desk, clock, stop)
    if carried.sign_ups or carried.letters:
        log.info("carried", sign_ups=carried.sign_ups, letters=carried.letters, stopped=carried.stopped)
    waits = [Did(f"letters wait, {carried.stopped}")] if carried.stopped else []
    return counts(sign_ups_attended_to=carried.sign_ups, kinds_of_letters_carried=carried.letters) + waits


def clean_up(assembly: Assembly, clock: Clock) -> list[Did]:
    """Let us forget what has had its time, and the provider what it needs no more for letters of weeks ago."""
    tidied = housekeeping.tidy(assembly.engine, clock())
    removed = assembly.provider.tidy((clock() - timedelta(weeks=6)).date())
    log.info("cleaned up", removed=removed, **asdict(tidied))
    if not tidied.clean:
        log.warning("the database's file may hold old bytes of whoever was erased; tried again tomorrow")
    return [Did("tidied"), *counts(addresses_never_confirmed=tidied.forgotten, readers_woken=tidied.woken)]


def check(assembly: Assembly, clock: Clock) -> list[Did]:
    """Look at what must always be true of the database, and whether letters arrive; say what is wrong, a line each."""
    found = health.examine(assembly.engine, clock())
    for line in found.wrong:
        log.error("the database is not as it must be: stop sending until it is understood", wrong=line)
    for alarm in found.alarms:
        log.error("letters come back for a trouble of our own", type=alarm.detail, events=alarm.count, do=alarm.what)
    if found.complaints:
        log.error("too many readers call the letter spam: send to fewer, and ask why", said=found.complaints)
    troubles = counts(invariants_broken=len(found.wrong), alarms=len(found.alarms) + bool(found.complaints))
    return troubles or [Did("looked at everything, and all is well")]


def sync(assembly: Assembly, clock: Clock) -> list[Did]:
    """Ask the provider who has left there, or must not be written to, in case an event of that was lost."""
    polled = departures.poll(assembly.engine, assembly.post, clock())
    log.info("asked the provider for its list", listed=polled.listed, **polled.outcomes)
    return [Did(f"asked the provider for its list, {polled.listed} entries")]


def ask_back(assembly: Assembly, clock: Clock, stop: threading.Event = NEVER) -> list[Did]:
    """Ask the provider for what came back and was never told to us."""
    filled = backfill.run(assembly.engine, assembly.post, clock(), stop=stop)
    if filled.asked:
        log.info("asked the provider what came back", messages=filled.messages, more=filled.more, new=dict(filled.new))
    if filled.stopped:
        log.warning("the provider could not be asked all that came back; tried again tomorrow", why=filled.stopped)
    cut_short = [Did(f"stopped early, {filled.stopped}")] if filled.stopped else []
    return counts(messages_asked_about=filled.messages, events_we_had_missed=filled.new.total()) + cut_short


def finish(assembly: Assembly, clock: Clock) -> list[Did]:
    """Do what events say, and whoever stored them died before it was done."""
    if count := arrivals.finish(assembly.engine, assembly.post.stream, clock()):
        log.info("finished what events say", events=count)
    return counts(events_finished=count)


def label(assembly: Assembly, _: Clock) -> list[Did]:
    """Judge which openings and clicks were machines'."""
    if copies := labelling.run(assembly.engine):
        log.info("judged openings and clicks", copies=copies)
    return counts(copies_judged=copies)


def start(assembly: Assembly, clock: Clock = now, stop: threading.Event = NEVER) -> BackgroundScheduler:
    """Start the alarms in the background; `shutdown()` on what is returned stops them after the jobs under way.

    `clock` is what the jobs go by; the alarms themselves ring by the wall clock. `stop` lets the jobs that send end
    after the batches under way.
    """
    scheduler = BackgroundScheduler(timezone=UTC, jobstores={"default": _Alarms()})
    ends_early: dict[Job, list[threading.Event]] = {job: [stop] for job in (send, carry, ask_back)}
    every_tick, daily = (draft, send, carry, finish), (clean_up, sync, ask_back, check)
    alarms = [*((job, TICK) for job in every_tick), (label, SOON), *((job, DAY) for job in daily)]
    for job, seconds in alarms:
        scheduler.add_job(
            _logged(job, seconds),
            "interval",
            args=[assembly, clock, *ends_early.get(job, [])],
            seconds=seconds,
            next_run_time=now(),
            id=job.__name__,
            coalesce=True,  # alarms that were missed, while the machine slept, ring once
            max_instances=1,
            misfire_grace_time=None,  # and however late
        )
    scheduler.start()
    return scheduler


class _Alarms(MemoryJobStore):  # type: ignore[misc]  # it has no types
    """Alarms that no jump of the wall clock silences.

    APScheduler waits for a time of day: put back by an hour, it would ring no more for an hour; put back by a year
    (a machine that starts with a wrong clock), for a year. And put on, it counts all that it has missed, one by one.
    """

    def get_due_jobs(self, now: datetime) -> list[Alarm]:
        """Those whose time has come. One that is further away than its interval, either way, rings now."""
        for job in self.get_all_jobs():
            if abs(job.next_run_time - now) > job.trigger.interval:
                job.modify(next_run_time=now)
        due: list[Alarm] = super().get_due_jobs(now)
        return due


def _logged(job: Job, seconds: float) -> Callable[..., None]:
    """A job of which it is written down that it ran, and whose trouble is logged and tried again at the next alarm."""
    notes = Notes(job.__name__, seconds)

    def run(assembly: Assembly, clock: Clock, *ends: threading.Event) -> None:
        try:
            done = job(assembly, clock, *ends)
            notes.ran(assembly.engine, clock(), done)
        except Exception as error:  # noqa: BLE001  whatever it was, the clock goes on
            trouble = in_a_line(error)
            log.error("job failed", job=job.__name__, error=trouble)  # noqa: TRY400
            notes.failed(assembly.engine, clock(), trouble)

    return run


def main() -> None:
    """Run until SIGTERM or Ctrl-C; the batches under way are written down first, and the other jobs finished."""
    try:
        with closing(assemble()) as assembly, until_signalled(log.info) as stop:
            log.info("started", database=repr(assembly.engine.url), provider=assembly.post.provider.name)
            scheduler = start(assembly, stop=stop)
            stop.wait()
            scheduler.shutdown(wait=True)  # `until_signalled` sees to it that this does not last for ever
    except (SettingsError, CannotDo) as error:
        sys.exit(f"scheduler: {error}")
    except DatabaseError as error:
        sys.exit(f"scheduler: the database says: {' '.join(str(error.orig).split())}")


if __name__ == "__main__":
    main()

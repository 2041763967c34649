"""The clock: which job runs when. No logic: an alarm only makes a job look at the database, which says what is due.

So a missed, late or doubled alarm, a restart or a second scheduler does no harm. Run it with `python scheduler.py`.
"""

import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DatabaseError

from newsletter import departures, housekeeping, outgoing, weekly, welcome
from newsletter.assembly import Assembly, assemble
from newsletter.outgoing import Run
from newsletter.settings import SettingsError
from newsletter.weekly import CannotDo

TICK = 20  # seconds between two looks at what is due
DAY = 24 * 60 * 60  # seconds

Clock = Callable[[], datetime]

log = structlog.get_logger()


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


def draft(assembly: Assembly, clock: Clock) -> None:
    """Draft the week that has ended, from DRAFT_AT on."""
    issue = weekly.draft_due(assembly.engine, assembly.rules, clock())
    if issue:
        log.info("drafted", week=issue.week, subject=issue.subject_line)


def send(assembly: Assembly, clock: Clock) -> None:
    """Send what is due, and go on with what was interrupted; what is in doubt is asked about on the way."""
    for outcome in outgoing.send_due(assembly.engine, assembly.rules, assembly.post, Run(clock=clock, wait=False)):
        log.info("sent", week=outcome.week, state=outcome.state, note=outcome.note, outcome=outcome.sent)


def carry(assembly: Assembly, clock: Clock) -> None:
    """Carry letters to one person: those that the pages have left, or whose sender died."""
    carried = welcome.carry(assembly.engine, assembly.welcome_desk, clock)
    if carried.sign_ups or carried.letters:
        log.info("carried", sign_ups=carried.sign_ups, letters=carried.letters, stopped=carried.stopped)


def clean_up(assembly: Assembly, clock: Clock) -> None:
    """Let us forget what has had its time, and the provider what it needs no more for letters of weeks ago."""
    tidied = housekeeping.tidy(assembly.engine, clock())
    removed = assembly.provider.tidy((clock() - timedelta(weeks=6)).date())
    log.info("cleaned up", removed=removed, **asdict(tidied))
    if not tidied.clean:
        log.warning("the database's file may hold old bytes of whoever was erased; tried again tomorrow")


def sync(assembly: Assembly, clock: Clock) -> None:
    """Ask the provider who has left there, or must not be written to, in case an event of that was lost."""
    polled = departures.poll(assembly.engine, assembly.post, clock())
    log.info("asked the provider for its list", listed=polled.listed, **polled.outcomes)


def start(assembly: Assembly, clock: Clock = now) -> BackgroundScheduler:
    """Start the alarms in the background; `shutdown()` on what is returned stops them after the job under way.

    `clock` is what the jobs go by; the alarms themselves ring by the wall clock.
    """
    scheduler = BackgroundScheduler(timezone=UTC)
    for job, seconds in ((draft, TICK), (send, TICK), (carry, TICK), (clean_up, DAY), (sync, DAY)):
        scheduler.add_job(
            _logged(job),
            "interval",
            args=[assembly, clock],
            seconds=seconds,
            next_run_time=now(),
            id=job.__name__,
            coalesce=True,  # alarms that were missed, while the machine slept, ring once
            max_instances=1,
            misfire_grace_time=None,  # and however late
        )
    scheduler.start()
    return scheduler


def _logged(job: Callable[[Assembly, Clock], None]) -> Callable[[Assembly, Clock], None]:
    """A job whose trouble is written down and tried again at the next alarm."""

    def run(assembly: Assembly, clock: Clock) -> None:
        try:
            job(assembly, clock)
        except Exception as error:  # noqa: BLE001  whatever it was, the clock goes on
            # The first line: a database names addresses in the others.
            said = str(error).partition("\n")[0]
            log.error("job failed", job=job.__name__, error=f"{type(error).__name__}: {said}")  # noqa: TRY400

    return run


def main() -> None:
    """Run until SIGTERM or Ctrl-C; the job under way is finished first."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        with closing(assemble()) as assembly:
            log.info("started", database=repr(assembly.engine.url), provider=assembly.post.provider.name)
            scheduler = start(assembly)
            signal.sigwait(signals)
            log.info("stopping after the job under way")
            scheduler.shutdown(wait=True)
    except (SettingsError, CannotDo, DatabaseError) as error:
        sys.exit(f"scheduler: {error}")


if __name__ == "__main__":
    main()

"""`newsletter worker`: who helps to carry what is going out, for as long as it is let?

It goes on with issues that are being sent, and carries letters to one person, each in a thread of its own. It begins no
issue: that is the clock's. Whatever goes wrong is said once and tried again, each time after a longer pause, so that a
worker outlasts its database and its provider.
"""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import DBAPIError

from newsletter import outgoing, welcome
from newsletter.assembly import Assembly, assemble
from newsletter.cli.ending import LIMIT, until_signalled
from newsletter.db import reading
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.outgoing import Outcome, Run
from newsletter.weekly import CannotDo

LOOK = 1.0  # seconds between two looks at what there is to carry; also the first pause after a trouble
LONGEST = 60.0  # seconds that the pause after a trouble grows to, doubled at each further one
PATIENCE = LIMIT - 2  # seconds that what is under way is waited for at the end

log = structlog.get_logger()


def worker() -> None:
    """Carry deliveries until SIGTERM or Ctrl-C: issues that are going out, and letters to one person."""
    with closing(assemble()) as assembly, until_signalled(log.info) as stop:
        work(assembly, lambda: datetime.now(UTC), stop)


def work(assembly: Assembly, clock: Callable[[], datetime], stop: threading.Event) -> None:
    """Carry until `stop` is set; then return when what is under way is recorded, or after PATIENCE. Raises nothing."""
    _keep_at("the database", lambda: _open(assembly), stop, once=True)
    rounds = {"issues": _Issues(assembly, clock, stop).carry, "letters": lambda: _carry_letters(assembly, clock, stop)}
    # Daemons, because a provider that does not answer must not keep the process from ending.
    threads = [
        threading.Thread(target=_keep_at, args=(what, do, stop), name=what, daemon=True) for what, do in rounds.items()
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    until = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        log.warning("ended with something under way: the next run asks what became of it")
    else:
        log.info("ended")


def pause_after(troubles: int) -> float:
    """Seconds until the next look, after so many troubles in a row."""
    return min(LOOK * (1 << min(max(troubles - 1, 0), 10)), LONGEST)


def _keep_at(what: str, do: Callable[[], str | None], stop: threading.Event, *, once: bool = False) -> None:
    """Do it again and again; what it returns or raises is a trouble, said when it comes and not in every round."""
    troubles, told = 0, None
    while not stop.is_set():
        try:
            trouble = do()
        except Exception as error:  # noqa: BLE001  whatever it was, the next round tries again
            trouble = _in_a_line(error)
        if trouble != told and not stop.is_set():
            if trouble:
                log.error("could not go on, and tries again", what=what, reason=trouble)
            else:
                log.info("goes on again", what=what)
        told = trouble
        troubles = troubles + 1 if trouble else 0
        if once and not trouble:
            return
        stop.wait(pause_after(troubles))


def _open(assembly: Assembly) -> None:
    """Say what is done from now on. Raises where the database cannot be reached, or is at another migration."""
    log.info(
        "started: goes on with issues that are going out, and carries letters to one person",
        database=repr(assembly.engine.url),
        provider=assembly.post.provider.name,
    )


def _carry_letters(assembly: Assembly, clock: Callable[[], datetime], stop: threading.Event) -> str | None:
    carried = welcome.carry(assembly.engine, assembly.welcome_desk, clock, stop)
    if carried.sign_ups or carried.letters:
        log.info("letters carried", sign_ups=carried.sign_ups, letters=carried.letters)
    return carried.stopped


@dataclass
class _Turn:
    """How an issue gets on, and when it is looked at again."""

    again_at: float = 0.0
    troubles: int = 0
    settled: int = -1
    told: object = None


class _Issues:
    """Goes on with all issues that are being sent, each after pauses of its own."""

    def __init__(self, assembly: Assembly, clock: Callable[[], datetime], stop: threading.Event) -> None:
        self._assembly = assembly
        self._run = Run(clock=clock, wait=False, stop=stop, asked=False)
        self._turns: dict[str, _Turn] = {}

    def carry(self) -> None:
        """Go on with those whose time it is. Raises what the database raises."""
        with reading(self._assembly.engine) as session:
            weeks = [issue.week for issue in issues.in_state(session, issues.SENDING)]
        self._turns = {week: self._turns.get(week, _Turn()) for week in weeks}
        for week, turn in self._turns.items():
            if time.monotonic() >= turn.again_at and not self._run.stop.is_set():
                self._go_on(week, turn)

    def _go_on(self, week: str, turn: _Turn) -> None:
        assembly = self._assembly
        try:
            outcome = outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, Week.parse(week), self._run)
        except CannotDo as error:
            outcome = Outcome(week, issues.SENDING, note=str(error))
        sent = outcome.sent
        news = (outcome.state, outcome.note, sent and (sent.accounting, sent.stopped, sent.in_doubt_because))
        if news != turn.told:
            turn.told = news
            log.info("sent", week=week, state=outcome.state, note=outcome.note, outcome=sent)
        if sent is None or not (sent.stopped or sent.accounting.in_doubt):
            turn.troubles = 0
        else:
            # More in doubt than before is no progress, or each round would put some batches more in doubt at once.
            settled = sent.accounting.audience - sent.accounting.unsettled
            turn.troubles = 1 if settled > turn.settled else turn.troubles + 1
            turn.settled = settled
        turn.again_at = time.monotonic() + pause_after(turn.troubles)


def _in_a_line(error: Exception) -> str:
    # The first line: a database names addresses in the others.
    said = error.orig if isinstance(error, DBAPIError) else error
    first = str(said).strip().partition("\n")[0]
    return first if isinstance(error, CannotDo) else f"{type(error).__name__}: {first}"

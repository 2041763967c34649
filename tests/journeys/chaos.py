"""Does everybody get the letter once, whatever dies and whatever goes wrong? The run that tries to make it untrue.

Senders are processes, two at a time, that are killed with SIGKILL at named points and at random moments, while the
provider's answers go wrong in every way that the sandbox knows. Somebody asks about what is in doubt meanwhile, and is
killed at that, too. After each death the database is looked at, and held against what the provider has taken. In the
end nothing goes wrong any more, and one sender ends what is left. One seed draws the deaths and the faults; what the
machine's own timing makes of them differs from run to run.
"""

import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from typing import Any

from sqlalchemy import Engine

from newsletter import steering, weekly
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from tests.journeys.books import Final, Seen, look, look_last
from tests.journeys.mortal import (
    ASK,
    ASKING_POINTS,
    AT_WORK,
    DRAWING_UP,
    ENDED,
    POINTS,
    SEND,
    Life,
    start,
)
from tests.journeys.post_office import PostOffice
from tests.journeys.test_kill import WEEK, approved_issue, settings
from tests.journeys.weather import LATENCY, MIX, NETWORK

PATIENCE = 600  # seconds, for the deaths of one run
RANDOM = "at random"
RANDOM_ASKING = "at random, asking"
LOOK = 0.5  # seconds between two looks, where nobody dies
TURN = 0.004  # seconds between two rounds of the watch
ENOUGH = 6  # batches that are kept for each death at a named point
SHARE_OF_WORK = 2.5  # of the readers who wait, for all who are yet to die
LONGEST_LIFE = 3.0  # seconds at work, before the hand of chance
NO_WORK = 2.0  # seconds after which one that was to die at work dies without
START = 0.5  # seconds in which those die who are to die before they are at work
AWAY = 0.3  # seconds until one that was turned away comes again


@dataclass(frozen=True)
class Plan:
    """One run. `kills`: deaths at random moments; `each`: deaths at each named point."""

    seed: int
    folder: Path
    """For logs, and for what is a file of the database."""
    readers: int = 20_000
    kills: int = 50
    each: int = 3
    batch: int = 40
    timeout: float = 1.0
    """Seconds, PROVIDER_TIMEOUT."""
    settle: float = 4.0
    """Seconds; more than three calls and the search's lag together take, as an operator has to choose it."""
    careless: bool = False
    """Whether the senders have a flaw that this run has to find."""


@dataclass
class Report:
    """What a run has seen."""

    deaths: Counter[str] = field(default_factory=Counter)
    """Point, or `RANDOM` -> how often somebody was killed there."""
    told: Counter[str] = field(default_factory=Counter)
    """What the processes told of themselves, in readers."""
    lives: int = 0
    turned_away: int = 0
    looks: int = 0
    most_in_doubt: int = 0
    in_chaos: int = 0
    """Readers who were out of the queue when the chaos ended."""
    faults: Counter[str] = field(default_factory=Counter)
    final: Final = field(default_factory=Final)
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    """Everything that must not be, a line each."""


_AT_RANDOM = {SEND: RANDOM, ASK: RANDOM_ASKING}


@dataclass
class _Slot:
    """A place for one process at a time."""

    job: str
    process: BaseProcess | None = None
    told: Connection | None = None
    death: str | None = None
    extra: bool = False
    dies_at: float = 0.0
    at_work: float | None = None
    """Since when."""
    next_at: float = 0.0
    last_words: str = ""


def run(plan: Plan, database_url: str) -> Report:
    """One run on an empty database; what was wrong is in the report."""
    with PostOffice(str(WEEK), plan.seed) as office, closing(approved_issue(database_url, plan.readers)) as assembly:
        given = settings(database_url, office.url) | {
            "settle": f"{plan.settle}s",
            "provider_timeout": f"{plan.timeout}s",
        }
        return _Chaos(plan, assembly, office, given).run()


class _Chaos:
    """A run over an approved issue; `assembly` is the watcher's own."""

    def __init__(self, plan: Plan, assembly: Assembly, office: PostOffice, settings: dict[str, Any]) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._assembly = assembly
        self._engine: Engine = assembly.engine
        self._office = office
        self._settings = settings
        self._report = Report()
        self._deaths = {
            SEND: self._drawn([RANDOM] * plan.kills, POINTS),
            ASK: self._drawn([RANDOM_ASKING] * plan.each, ASKING_POINTS),
        }
        self._deaths[SEND].extendleft([DRAWING_UP] * plan.each)
        self._slots = [_Slot(SEND), _Slot(SEND), _Slot(ASK)]
        self._looked_at = 0.0
        self._at_first = {job: len(deaths) for job, deaths in self._deaths.items()}
        self._seen = Seen()
        self._worked = 0.0  # seconds, of all senders

    def run(self) -> Report:
        """Do it all; what was wrong is in the report."""
        begun = asked_at = time.monotonic()
        self._office.fail(*MIX, NETWORK)
        slots = self._slots
        deadline = begun + PATIENCE
        with ExitStack() as ending:
            for slot in slots:
                ending.callback(_end, slot)
            while self._deaths[SEND] or self._deaths[ASK] or any(slot.death and not slot.extra for slot in slots):
                for slot in slots:
                    self._watch(slot)
                if time.monotonic() - self._looked_at > LOOK:
                    self._look()
                if time.monotonic() - asked_at > LOOK:  # not only then: who finds nothing to do ends, and is looked at
                    asked_at = time.monotonic()
                    if self._is_sent():
                        self._wrong(f"the issue was out before all deaths were died: {dict(self._deaths)}")
                        break
                if self._plan.careless and self._report.wrong:
                    break  # the flaw is found; with it, some deaths never come
                if time.monotonic() > deadline:
                    self._wrong(f"after {PATIENCE} seconds there are deaths to be died: {dict(self._deaths)}")
                    break
                time.sleep(TURN)
        self._look()
        self._report.in_chaos = self._seen.moved
        self._office.fail()
        self._office.release()
        self._finish()
        report = self._report
        report.final, wrong = look_last(self._engine, self._office, self._plan.readers)
        for line in wrong:
            self._wrong(line)
        report.faults = self._office.struck
        report.seconds = time.monotonic() - begun
        return report

    def _drawn(self, deaths: list[str], points: dict[str, Any]) -> deque[str]:
        deaths = deaths + list(points) * self._plan.each
        self._chance.shuffle(deaths)
        return deque(deaths)

    def _watch(self, slot: _Slot) -> None:
        if slot.process is None:
            self._begin(slot)
            return
        self._listen(slot)
        now = time.monotonic()
        if slot.death in _AT_RANDOM.values() and now >= slot.dies_at:
            slot.process.kill()
            slot.process.join()
        if not slot.process.is_alive():
            self._bury(slot)

    def _begin(self, slot: _Slot) -> None:
        """Start the next life in a place, with a death that waits, or with one more at random."""
        first = self._slots[0]
        drawing_up = DRAWING_UP in self._deaths[SEND] or first.death == DRAWING_UP
        if time.monotonic() < slot.next_at or (drawing_up and slot is not first):
            return
        slot.extra = not self._deaths[slot.job]
        if slot.job == SEND and not drawing_up and self._is_ahead():
            slot.extra = True
            if self._seen.unknown and not self._seen.queued:
                return  # there is nothing to do but to ask
        slot.death = _AT_RANDOM[slot.job] if slot.extra else self._deaths[slot.job].popleft()
        slot.process, slot.told = start(self._life(slot.job, slot.death))
        slot.at_work, slot.last_words = None, ""
        slot.dies_at = time.monotonic() + NO_WORK
        if slot.job == ASK:
            slot.dies_at = time.monotonic() + self._chance.uniform(0, LONGEST_LIFE)
        elif self._chance.random() < 0.2:
            slot.dies_at = time.monotonic() + self._chance.uniform(0, START)
        self._report.lives += 1

    def _is_ahead(self) -> bool:
        """Whether senders have died more of their deaths than those who ask, who need doubts to be settled for theirs.

        Then they die some more in the meantime, and leave more to be asked about.
        """
        return len(self._deaths[SEND]) * self._at_first[ASK] < len(self._deaths[ASK]) * self._at_first[SEND]

    def _life(self, job: str, death: str | None) -> Life:
        return Life(
            week=str(WEEK),
            settings=self._settings,
            batch=self._plan.batch,
            log=str(self._plan.folder / f"{job}.log"),
            job=job,
            wait=self._chance.random() < 0.5,
            point=death if death not in _AT_RANDOM.values() else None,
            passage=1 if job == ASK or death == DRAWING_UP else self._chance.randint(1, 4),
            careless=self._plan.careless,
        )

    def _listen(self, slot: _Slot) -> None:
        for word, what in _words(slot):
            if word == ENDED:
                slot.last_words = str(what)
                continue
            self._report.told[word] += int(what)
            if word == AT_WORK and slot.at_work is None:
                slot.at_work = time.monotonic()
                slot.dies_at = slot.at_work + self._chance.uniform(0, 2 * self._mean_life())

    def _mean_life(self) -> float:
        """So long at work that there is enough left for those who are to die after."""
        seen, waiting = self._seen, self._deaths[SEND]
        rate = seen.moved / self._worked if self._worked > 1 and seen.moved else 4 * self._plan.batch / LATENCY
        named = len(waiting) - waiting.count(RANDOM)
        spare = max(0, seen.queued - named * ENOUGH * self._plan.batch)
        return min(SHARE_OF_WORK * spare / rate / (1 + len(waiting)), LONGEST_LIFE / 2)

    def _bury(self, slot: _Slot) -> None:
        assert slot.process is not None
        self._listen(slot)
        status, death = slot.process.exitcode, slot.death
        self._worked += time.monotonic() - slot.at_work if slot.at_work else 0.0
        _end(slot)
        if status == -SIGKILL and death is not None:
            self._report.deaths[death] += 1
        elif status != 0:
            self._wrong(f"a process ended with {status}; see {slot.job}.log in {self._plan.folder}")
        else:
            if death is not None and not slot.extra:  # it had nothing more to do, or was turned away
                self._deaths[slot.job].appendleft(death)
            if "another process" in slot.last_words:
                self._report.turned_away += 1
                slot.next_at = time.monotonic() + AWAY
        self._look()

    def _look(self) -> None:
        """All must be in order, whoever has just died."""
        self._looked_at = time.monotonic()
        self._report.looks += 1
        self._seen, wrong = look(self._engine, self._office, self._plan.readers)
        self._report.most_in_doubt = max(self._report.most_in_doubt, self._seen.in_doubt)
        for line in wrong:
            self._wrong(line)

    def _finish(self) -> None:
        """Nothing goes wrong any more: one sender ends what is left."""
        for _ in range(5):
            process, _told = start(self._life(SEND, None))
            process.join(120)
            if process.exitcode != 0:
                self._wrong(f"the last sender ended with {process.exitcode}; see {SEND}.log in {self._plan.folder}")
                process.kill()
                return
            if self._is_sent():
                with writing(self._engine) as session:
                    again = steering.retry(session, WEEK)
                    session.commit()
                if not again:
                    return

    def _is_sent(self) -> bool:
        with reading(self._engine) as session:
            return weekly.require(session, WEEK).state == "sent"

    def _wrong(self, line: str) -> None:
        if line not in self._report.wrong:
            self._report.wrong.append(line)


def _words(slot: _Slot) -> Iterator[tuple[str, Any]]:
    try:
        while slot.told is not None and slot.told.poll():
            yield slot.told.recv()
    except EOFError:
        return


def _end(slot: _Slot) -> None:
    if slot.process is not None:
        slot.process.kill()
        slot.process.join()
        slot.process.close()
    if slot.told is not None:
        slot.told.close()
    slot.process = slot.told = slot.death = None

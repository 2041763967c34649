"""Who sends the issues that somebody at the desk has asked for? A thread beside the pages, so that none waits for it.

Promises: what was asked for is in the database before it begins here, so that any clock, command or worker goes on with
it where this process ends; no trouble of a send becomes one of the pages. Asking the provider has a thread of its own:
a doubt need not wait until another issue is out.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from newsletter import asking, outgoing, weekly
from newsletter.asking import Decided, Decision
from newsletter.assembly import Assembly
from newsletter.chronicle import Did, of_sends
from newsletter.db import in_a_line, reading, writing
from newsletter.delivery.ledger import unnamed
from newsletter.delivery.provider import spoken
from newsletter.editors import log as diary
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.outgoing import Outcome, Run
from newsletter.weekly import CannotDo

ROUND: Final = 20.0  # seconds until an issue that could not go on is tried again
PATIENCE: Final = 24.0  # seconds that `stop` waits for what is under way, from when it was to end

SENDING: Final = "sending"
ASKING: Final = "asking the provider"

log = structlog.get_logger()


@dataclass(frozen=True)
class Word:
    """What the carrier of this process last had to say of an issue."""

    text: str
    at: datetime
    wrong: bool = False


@dataclass(frozen=True)
class Question:
    """An issue about which the provider is to be asked, and what a publisher decides of what is in doubt even then.

    `batches`: those of which it is decided; None for all.
    """

    week: str
    decision: Decision | None = None
    batches: frozenset[str] | None = None


class Carrier:
    """Sends issues, and asks about them, from `start` to `stop`."""

    def __init__(self, assembly: Assembly, clock: Callable[[], datetime]) -> None:
        self._assembly = assembly
        self._clock = clock
        self._news = threading.Condition()
        self._stopping = threading.Event()
        self._until = 0.0
        self._to_send: dict[str, float] = {}  # week -> when, by the monotonic clock
        self._to_ask: deque[Question] = deque()
        self._at: dict[str, set[str]] = {SENDING: set(), ASKING: set()}
        self._words: dict[str, Word] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin. Nothing is sent by that: what a killed process left under way is the clock's, or waits for a word."""
        self._stopping.clear()
        # Daemons, because a provider that does not answer must not keep the process from ending: what was under way
        # then is found in the ledger, like that of any process that was killed.
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("carrier", self._send_all), ("asker", self._ask_all))
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Begin nothing more; what is under way is recorded. Returns at once."""
        self._until = time.monotonic() + PATIENCE
        self._stopping.set()
        with self._news:
            self._news.notify_all()

    def stop(self) -> None:
        """End, and wait until what is under way is recorded, for PATIENCE since `end` at most. Idempotent."""
        if not self._stopping.is_set():
            self.end()
        for thread in self._threads:
            thread.join(max(0.0, self._until - time.monotonic()))

    def send(self, week: str) -> None:
        """Go on with an issue of which the database says that it is due or under way. Returns at once."""
        with self._news:
            self._words.pop(week, None)
            self._go_on(week)

    def ask(self, question: Question) -> None:
        """Ask the provider about an issue, and do what was decided of it. Returns at once; twice is once."""
        with self._news:
            if question not in self._to_ask:
                self._to_ask.append(question)
            self._words.pop(question.week, None)
            self._news.notify_all()

    def doing(self, week: str) -> str | None:
        """What is being done for an issue here, or is to be done next; None where it is nothing."""
        with self._news:
            if week in self._at[ASKING] or any(each.week == week for each in self._to_ask):
                return ASKING
            return SENDING if week in self._at[SENDING] or week in self._to_send else None

    def word(self, week: str) -> Word | None:
        """What was last said of an issue here."""
        with self._news:
            return self._words.get(week)

    def _send_all(self) -> None:
        while (week := self._next_to_send()) is not None:
            again = False
            try:
                again = self._send(week)
            except CannotDo as error:  # there is no such issue any more
                self._say(week, str(error), wrong=True)
            except Exception as error:  # noqa: BLE001  whatever it was, the next round tries again
                again = True
                self._say(week, f"it could not be sent just now, and is tried again: {in_a_line(error)}", wrong=True)
                log.error("an issue could not be sent", week=week, reason=in_a_line(error))  # noqa: TRY400
            with self._news:
                self._at[SENDING].discard(week)
                if again and week not in self._to_send:
                    self._to_send[week] = time.monotonic() + ROUND

    def _next_to_send(self) -> str | None:
        with self._news:
            while not self._stopping.is_set():
                week = min(self._to_send, key=self._to_send.__getitem__, default=None)
                rest = None if week is None else self._to_send[week] - time.monotonic()
                if week is not None and rest is not None and rest <= 0:
                    del self._to_send[week]
                    self._at[SENDING].add(week)
                    return week
                self._news.wait(rest)
        return None

    def _send(self, week: str) -> bool:
        """Send for as long as it goes; return whether there is more to come of it."""
        assembly = self._assembly
        run = Run(clock=self._clock, wait=False, stop=self._stopping)
        outcome = outgoing.send_unasked(assembly.bare_engine, assembly.rules, assembly.post, Week.parse(week), run)
        log.info("sent", week=week, state=outcome.state, note=outcome.note, outcome=outcome.sent)
        with reading(assembly.bare_engine) as session:
            issue = weekly.require(session, Week.parse(week))
        waits = issue.state in (issues.APPROVED, issues.SCHEDULED) and issue.send_at <= self._clock()
        again = waits or issue.state == issues.SENDING
        self._note(of_sends([outcome]))
        words, wrong = _of_outcome(outcome)
        if issue.state == issues.SENT:
            with self._news:
                self._words.pop(week, None)  # whatever it was, it is over
        elif words and not self._stopping.is_set():
            self._say(week, words, wrong=wrong)
        return again

    def _note(self, done: Sequence[Did]) -> None:
        """Write into the log what came of it, as the clock does of its own sends; no send is worse if that fails."""
        try:
            if done:
                with writing(self._assembly.bare_engine) as session:
                    for each in done:
                        diary.write(session, self._clock(), None, each.what, week=each.week, detail=each.detail)
                    session.commit()
        except SQLAlchemyError as error:
            log.warning("could not write down what was done", week=done[0].week, error=type(error).__name__)

    def _ask_all(self) -> None:
        while (question := self._next_to_ask()) is not None:
            week, is_done = question.week, False
            try:
                decided = asking.decide(
                    self._assembly.bare_engine,
                    self._assembly.post,
                    Week.parse(week),
                    self._clock,
                    question.decision,
                    batches=question.batches,
                    stop=self._stopping,
                )
            except CannotDo as error:
                self._say(week, str(error), wrong=True)
            except Exception as error:  # noqa: BLE001  whatever it was, the pages go on
                self._say(week, f"the provider could not be asked: {in_a_line(error)}", wrong=True)
                log.error("a provider could not be asked", week=week, reason=in_a_line(error))  # noqa: TRY400
            else:
                is_done = bool(decided.resent or decided.given_up)
                words, wrong = _of_decision(decided)
                self._say(week, words, wrong=wrong)
                if decided.state == issues.SENDING:
                    self._go_on(week)
            finally:
                if question.decision and (word := self.word(week)):
                    what = "did what was decided" if is_done else "left them in doubt"
                    self._note([Did(what, week, spoken(unnamed(word.text)))])
                with self._news:
                    self._at[ASKING].discard(week)

    def _go_on(self, week: str) -> None:
        with self._news:  # which a thread may take twice
            self._to_send[week] = time.monotonic()
            self._news.notify_all()

    def _next_to_ask(self) -> Question | None:
        with self._news:
            while not self._stopping.is_set():
                if self._to_ask:
                    question = self._to_ask.popleft()
                    self._at[ASKING].add(question.week)
                    return question
                self._news.wait()
        return None

    def _say(self, week: str, text: str, *, wrong: bool) -> None:
        with self._news:
            self._words[week] = Word(text, self._clock(), wrong)


def _of_outcome(outcome: Outcome) -> tuple[str, bool]:
    """How a send ended, for an editor's eyes, and whether that is a trouble; nothing where the page shows it anyway."""
    sent = outcome.sent
    if sent is None:
        note = outcome.note or ""
        return note, note.startswith("held: ")
    if sent.stopped and outcome.state == issues.SENDING:
        return f"stopped: {sent.stopped}; it is tried again in {ROUND:.0f} seconds", True
    if sent.accounting.in_doubt and outcome.state == issues.SENDING:
        why = f": {sent.in_doubt_because}" if sent.in_doubt_because else ""
        return f"{sent.accounting.in_doubt:,} readers are in doubt{why}; the provider is asked again", False
    return "", False


def _of_decision(decided: Decided) -> tuple[str, bool]:
    """What came of asking and deciding, for an editor's eyes, and whether something is still to be decided."""
    asked = decided.asked
    said = [f"the provider was asked: it has {asked.accepted:,} of those in doubt"]
    if asked.requeued:
        said.append(f"{asked.requeued:,} it does not have are queued again")
    if decided.resent:
        said.append(f"{decided.resent:,} are queued again on your word")
    if decided.given_up:
        said.append(f"{decided.given_up:,} are given up on your word")
    left = asked.in_doubt - decided.resent - decided.given_up
    if left > 0:
        said.append(f"{left:,} are still in doubt" + (f" ({asked.why})" if asked.why else ""))
    return "; ".join(said), left > 0

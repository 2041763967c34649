"""Whatever the clocks show and however often the alarms ring: each week is drafted once, each issue sent once.

Beside the program a few lines tell what has to become of an issue when an alarm rings, by the clock of the scheduler
that it rings in. After each event the database and the outbox are held against that.
"""

import email
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

import scheduler
from newsletter import approving, outgoing, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.db import reading, writing
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.settings import Settings
from tests.newsroom import approve, at, issue_of, publish, subscribe

READERS = ["ana@example.com", "bo@example.com"]
MOMENT = timedelta(microseconds=1)  # the smallest that there is
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@dataclass(frozen=True)
class Place:
    """Where a newsletter is made, and when its issues are due. The slot after `week` is the one to look at."""

    timezone: str
    draft_at: str
    send_at: str
    week: str

    @property
    def weeks(self) -> list[Week]:
        """Four of them, `week` being the second."""
        week = Week.parse(self.week)
        return [week.before(), week, week.after(), week.after().after()]


ORDINARY = Place("UTC", "Mon 07:00", "Tue 09:00", "2026-W47")
PLACES = [
    ORDINARY,
    Place("UTC", "Mon 07:00", "Tue 09:00", "2026-W52"),  # W53 follows
    Place("Europe/Berlin", "Sat 20:00", "Sun 02:30", "2026-W12"),  # skipped
    Place("Europe/Berlin", "Sun 00:30", "Sun 02:30", "2026-W42"),  # comes twice
    Place("America/New_York", "Sun 00:10", "Sun 01:30", "2026-W43"),  # comes twice
    Place("Australia/Lord_Howe", "Sat 20:00", "Sun 02:15", "2026-W39"),  # skipped, by half an hour
    Place("Antarctica/Troll", "Sat 20:00", "Sun 01:30", "2026-W12"),  # skipped, by two hours
    Place("Asia/Beirut", "Sat 12:00", "Sun 00:00", "2026-W12"),  # midnight is skipped
    Place("Africa/Cairo", "Fri 00:30", "Fri 09:00", "2026-W16"),  # the draft's slot is skipped
]


class Newsroom:
    """A newsletter in a folder, with a comparison in each of the weeks, and readers; two schedulers run it."""

    def __init__(self, folder: Path, place: Place, **given: Any) -> None:
        self.folder, self.weeks, self.readers = folder, place.weeks, list(READERS)
        schedule = {name: getattr(place, name) for name in ("timezone", "draft_at", "send_at")}
        self.schedulers = [self._opened(**schedule, **given) for _ in range(2)]
        self.engine, self.rules, self.post = (getattr(self.schedulers[0], name) for name in ("engine", "rules", "post"))
        self.published = [datetime.combine(week.first_day() + 2 * DAY, time(12), UTC) for week in self.weeks]
        for number, moment in enumerate(self.published):
            publish(self.engine, f"Left {number}", f"Right {number}", moment)
        subscribe(self.engine, self.readers)

    def close(self) -> None:
        for each in self.schedulers:
            each.close()

    def slots(self, week: Week) -> tuple[datetime, datetime]:
        """When a week's issue is to be drafted, and sent."""
        rules = self.rules
        return week.slot_after(rules.draft_at, rules.zone), week.slot_after(rules.send_at, rules.zone)

    def issues(self) -> list[Issue]:
        with reading(self.engine) as session:
            return issues.every(session)

    def letters(self) -> dict[str, Counter[str]]:
        """Week -> how many copies each reader has, by the files in the outbox."""
        found: dict[str, Counter[str]] = {}
        for file in (self.folder / "outbox").rglob("*.eml"):
            to = email.message_from_bytes(file.read_bytes())["To"]
            found.setdefault(file.parent.name, Counter())[to] += 1
        return found

    def _opened(self, **given: Any) -> Assembly:
        url = f"sqlite:///{self.folder / 'newsletter.db'}"
        assembly = assemble(database_url=url, outbox_dir=str(self.folder / "outbox"), **given)
        event.listen(assembly.engine, "connect", _in_a_hurry)
        assembly.engine.dispose()  # the connection from before
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # nobody reads what is said
        return assembly


def _in_a_hurry(connection: Any, _: object) -> None:
    """Nobody cuts the power here, so that nothing need be on the disk."""
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def new_newsroom(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Newsroom]]:
    """Make a newsroom; it is closed by whoever makes it."""
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def make(place: Place, **given: Any) -> Newsroom:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        shutil.copy(migrated_sqlite, folder / "newsletter.db")
        return Newsroom(folder, place, **given)

    yield make
    structlog.reset_defaults()


State = Literal["draft", "waiting", "held", "sent"]


@dataclass
class Expected:
    """What has to be known of an issue. `waiting`: approved, and its time has not come, or nobody has looked."""

    number: int
    """Its row's: an issue that was made anew would have another."""
    send_at: datetime
    state: State = "draft"
    sent_at: datetime | None = None
    readers: frozenset[str] = frozenset()


class TheClock(RuleBasedStateMachine):
    """Two schedulers, each with a clock that may show anything, and an editor who goes by no clock at all."""

    new_newsroom: Callable[..., Newsroom]
    seen: Counter[State]
    """How often an issue came into a state, by an alarm."""

    @initialize(
        place=st.sampled_from(PLACES),
        approval=st.sampled_from(["required", "automatic"]),
        lateness=st.sampled_from(["30m", "6h", "9h"]),
        approved=st.booleans(),
    )
    def begins(self, place: Place, approval: str, lateness: str, approved: bool) -> None:
        self.newsroom = TheClock.new_newsroom(place, approval=approval, max_lateness=lateness)
        self.automatic, self.lateness = approval == "automatic", self.newsroom.rules.max_lateness
        self.clocks = [self.newsroom.slots(self.newsroom.weeks[1])[0]] * 2
        self.issues: dict[Week, Expected] = {}
        self.told: set[int] = set()
        """Comparisons that an issue has."""
        self.rings_for_drafts(0)
        if approved:
            self._approve(self.newsroom.weeks[1])

    def teardown(self) -> None:
        if hasattr(self, "newsroom"):
            self.newsroom.close()

    @rule(which=st.sampled_from([0, 1]))
    def rings_for_drafts(self, which: int) -> None:
        newsroom, now = self.newsroom, self.clocks[which]
        scheduler.draft(newsroom.schedulers[which], lambda: now)

        week = Week.newest_ended(now, newsroom.rules.zone)
        end, (drafted_at, sent_at) = week.end(newsroom.rules.zone), newsroom.slots(week)
        fresh = {number for number, moment in enumerate(newsroom.published) if moment < end} - self.told
        if drafted_at <= now < sent_at and fresh and week not in self.issues:
            self.told |= fresh
            self.issues[week] = Expected(issue_of(newsroom.engine, week).id or 0, sent_at)
            self.seen["draft"] += 1

    @rule(which=st.sampled_from([0, 1]))
    def rings_for_letters(self, which: int) -> None:
        now = self.clocks[which]
        scheduler.send(self.newsroom.schedulers[which], lambda: now)

        for issue in self.issues.values():
            due = issue.state == "waiting" or (issue.state == "draft" and self.automatic)
            if due and issue.send_at <= now <= issue.send_at + self.lateness:
                self._is_sent(issue, now)
                self.seen["sent"] += 1
            elif due and issue.send_at <= now:
                issue.state = "held"
                self.seen["held"] += 1

    @rule(which=st.sampled_from([0, 1]), span=st.timedeltas(MINUTE, DAY))
    def rings_after_a_while(self, which: int, span: timedelta) -> None:
        self.clocks = [clock + span for clock in self.clocks]
        self.rings_for_drafts(which)
        self.rings_for_letters(which)

    @rule(which=st.sampled_from([0, 1]), both=st.booleans(), data=st.data())
    def rings_when_a_clock_was_set(self, which: int, both: bool, data: st.DataObject) -> None:
        """On or back, to where it matters."""
        moment = data.draw(self._moments())
        self.clocks = [moment if both or number == which else clock for number, clock in enumerate(self.clocks)]
        self.rings_for_drafts(which)
        self.rings_for_letters(which)

    @precondition(lambda self: self._weeks("draft", "held"))
    @rule(data=st.data())
    def an_editor_approves(self, data: st.DataObject) -> None:
        self._approve(data.draw(st.sampled_from(self._weeks("draft", "held"))))

    @precondition(lambda self: self._weeks("waiting", "held"))
    @rule(data=st.data())
    def an_editor_takes_the_approval_back(self, data: st.DataObject) -> None:
        week = data.draw(st.sampled_from(self._weeks("waiting", "held")))
        with writing(self.newsroom.engine) as session:
            send_at = approving.unapprove(session, week).send_at
            session.commit()
        self.issues[week].state, self.issues[week].send_at = "draft", send_at

    @precondition(lambda self: self._weeks("waiting", "held"))
    @rule(data=st.data())
    def an_editor_gives_it_another_time(self, data: st.DataObject) -> None:
        week = data.draw(st.sampled_from(self._weeks("waiting", "held")))
        moment = data.draw(self._moments())
        with writing(self.newsroom.engine) as session:
            weekly.schedule(session, week, moment, moment)
            session.commit()
        self.issues[week].state, self.issues[week].send_at = "waiting", moment

    @precondition(lambda self: self._weeks("waiting", "held"))
    @rule(data=st.data())
    def an_editor_sends_it_all_the_same(self, data: st.DataObject) -> None:
        week = data.draw(st.sampled_from(self._weeks("waiting", "held")))
        newsroom, now = self.newsroom, self.clocks[0]
        outgoing.send_issue(newsroom.engine, newsroom.rules, newsroom.post, week, at(now))
        self._is_sent(self.issues[week], now)

    @precondition(lambda self: len(self.newsroom.readers) < 4)
    @rule()
    def somebody_joins(self) -> None:
        self.newsroom.readers.append(f"reader{len(self.newsroom.readers)}@example.com")
        subscribe(self.newsroom.engine, self.newsroom.readers[-1:])

    @invariant()
    def every_issue_is_as_it_has_to_be(self) -> None:
        if not hasattr(self, "newsroom"):
            return
        known = {str(week): (each.number, each.send_at, each.state, each.sent_at) for week, each in self.issues.items()}
        words = {"approved": "waiting", "scheduled": "waiting"}
        assert known == {
            issue.week: (issue.id, issue.send_at, words.get(issue.state, issue.state), issue.sent_at)
            for issue in self.newsroom.issues()
        }

    @invariant()
    def each_reader_has_one_letter_of_each_issue_that_was_sent(self) -> None:
        if hasattr(self, "newsroom"):
            sent = {str(week): Counter(each.readers) for week, each in self.issues.items() if each.state == "sent"}
            assert sent == self.newsroom.letters()

    def _approve(self, week: Week) -> None:
        approve(self.newsroom.engine, week, self.newsroom.rules)
        self.issues[week].state = "waiting"

    def _is_sent(self, issue: Expected, now: datetime) -> None:
        issue.state, issue.sent_at, issue.readers = "sent", now, frozenset(self.newsroom.readers)

    def _weeks(self, *states: State) -> list[Week]:
        return sorted(week for week, issue in self.issues.items() if issue.state in states)

    def _moments(self) -> st.SearchStrategy[datetime]:
        """Where something begins or ends to be due, and next to it."""
        slots = list(self.newsroom.slots(self.newsroom.weeks[2]))
        given = [issue.send_at for issue in self.issues.values() if issue.state != "sent"]
        late = [moment + self.lateness + by for moment in given for by in (timedelta(0), MOMENT)]
        about = st.sampled_from([timedelta(0)] * 3 + [-MOMENT, MOMENT, 9 * HOUR])
        return st.builds(lambda moment, by: moment + by, st.sampled_from(given * 3 + late + slots), about)


def test_in_no_order_of_alarms_is_a_week_drafted_twice_or_an_issue_sent_twice_or_too_late(
    new_newsroom: Callable[..., Newsroom],
) -> None:
    TheClock.new_newsroom, TheClock.seen = staticmethod(new_newsroom), Counter()
    run_state_machine_as_test(
        TheClock,
        settings=settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=SLOW),
    )
    assert all(TheClock.seen[state] for state in ("draft", "held", "sent")), TheClock.seen


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(
    place=st.sampled_from(PLACES),
    start=st.integers(-180, 0),
    alarms=st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(10, 59)), min_size=20, max_size=20),
)
def test_with_alarms_often_enough_a_week_is_drafted_and_sent_at_the_first_one_from_its_slot_on(
    new_newsroom: Callable[..., Newsroom], place: Place, start: int, alarms: list[tuple[int, int]]
) -> None:
    newsroom = new_newsroom(place, approval="automatic", max_lateness="1h")
    week = newsroom.weeks[1]
    drafted_at, sent_at = newsroom.slots(week)
    now, rung = drafted_at + start * MINUTE, []
    for which, pause in itertools.cycle(alarms):
        for job in (scheduler.draft, scheduler.send):
            job(newsroom.schedulers[which], lambda moment=now: moment)  # type: ignore[misc]
        rung.append(now)
        if now > sent_at + 2 * HOUR:
            break
        now += pause * MINUTE
    (issue,) = newsroom.issues()
    newsroom.close()

    assert (issue.week, issue.state) == (str(week), "sent")
    assert issue.created_at == next(moment for moment in rung if moment >= drafted_at)
    assert issue.sent_at == next(moment for moment in rung if moment >= sent_at)
    assert newsroom.letters() == {str(week): Counter(READERS)}


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(
    place=st.sampled_from(PLACES),
    lateness=st.sampled_from(["30m", "6h", "9h"]),
    late=st.timedeltas(timedelta(0), 30 * HOUR),
)
@example(ORDINARY, "6h", 9 * HOUR)
@example(ORDINARY, "9h", 9 * HOUR)
@example(ORDINARY, "9h", 9 * HOUR + MOMENT)
def test_a_machine_that_slept_sends_what_is_not_too_late_and_holds_the_rest_for_good(
    new_newsroom: Callable[..., Newsroom], place: Place, lateness: str, late: timedelta
) -> None:
    newsroom = new_newsroom(place, max_lateness=lateness)
    week = newsroom.weeks[1]
    drafted_at, sent_at = newsroom.slots(week)
    scheduler.draft(newsroom.schedulers[0], lambda: drafted_at)
    approve(newsroom.engine, week, newsroom.rules)
    for asleep, each in itertools.product([late, late + MINUTE, 4 * DAY, -MINUTE, timedelta(0)], newsroom.schedulers):
        scheduler.send(each, lambda moment=sent_at + asleep: moment)  # type: ignore[misc]
    (issue,) = newsroom.issues()
    newsroom.close()

    if late <= newsroom.rules.max_lateness:
        assert (issue.state, issue.sent_at) == ("sent", sent_at + late)
        assert newsroom.letters() == {str(week): Counter(READERS)}
    else:
        assert (issue.state, issue.sent_at) == ("held", None)
        assert "late, more than" in str(issue.held_because)
        assert newsroom.letters() == {}


def test_the_slots_that_are_looked_at_are_those_that_a_change_skips_or_repeats() -> None:
    """By what a clock on the wall shows."""
    seen = []
    for place in PLACES:
        slots = Settings(timezone=place.timezone, draft_at=place.draft_at, send_at=place.send_at)
        due = place.weeks[1].slot_after(slots.send_at, slots.zone).astimezone(slots.zone)
        twice = due.replace(fold=0).utcoffset() != due.replace(fold=1).utcoffset()
        seen.append((f"{due:%a %H:%M}" == place.send_at, twice))
    assert Counter(seen) == {(True, False): 3, (True, True): 2, (False, False): 4}

"""A newsletter in the midst of its life: an issue in every state, readers of every kind, and what they did.

The sample of the bundle, and more. It is Tuesday, `NOW`; week 47 is a draft, 44 to 46 are what readers have.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from newsletter import approving, counting, editing, farewell, health, jobs, outgoing, weekly
from newsletter.assembly import Assembly
from newsletter.comparisons import votes
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.comparisons.importers import import_paths
from newsletter.comparisons.record import Comparison
from newsletter.counting import Ways
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.provider import Accepted, Outcome, Refused, Unknown
from newsletter.demo import SAMPLE
from newsletter.editors import log
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.outgoing import Run, send_issue
from newsletter.tracking.event import BOUNCED_SOFT, CLICKED, COMPLAINED, DELIVERED, OPENED
from newsletter.tracking.scanners import BURST
from subscribers.importing import import_csv
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, Subscriber
from subscribers.unsubscribe import unsubscribe
from tests.delivery.readers import claim, record
from tests.tracking.heard import hear
from tests.web.world import NOW, a_comparison, a_reader, keep

BEGAN: Final = datetime(2026, 9, 1, 8, tzinfo=UTC)
LONG_NAME: Final = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten"
LONG_ADDRESS: Final = f"{'somebody.with.a.long.name' * 2}@{'an.even.longer.' * 6}example.com"

APPROVED, SCHEDULED, PAUSED_ISSUE, HELD, SENDING, CANCELLED = (Week(2026, number) for number in range(38, 44))
SENT: Final = (Week(2026, 44), Week(2026, 45), Week(2026, 46))
DRAFT: Final = Week(2026, 47)
EMPTY: Final = Week(2026, 37)
"""An issue that was called off before anybody had it."""

PAIRS: Final = ("Inkwell", "Gantry"), ("Otter", "Pike"), ("Quillon", "Marrow"), ("Tern", "Ash"), ("Kestrel", "Loom")
PASSING: Final[list[Outcome]] = [
    Refused("mailbox busy", passing=True),
    Refused("the address is inactive"),
    Refused("the address is inactive"),
    Unknown("no answer within 60 seconds"),
    Unknown("no answer within 60 seconds"),
    Unknown("the line was cut"),
]


def fill(assembly: Assembly, editor: int | None = None, writer: int | None = None) -> dict[str, int]:
    """Make it all, with what an editor did and what another one wrote. Returns numbers of readers, by what they are."""
    readers = import_csv(assembly.engine, SAMPLE / "readers.csv", None, BEGAN)
    assert not readers.bad
    found = {status: a_reader(assembly, status, f"{status}@example.com") for status in (PENDING, PAUSED, SUPPRESSED)}
    found["long"] = a_reader(assembly, ACTIVE, LONG_ADDRESS)
    found["erased"] = a_reader(assembly, ACTIVE, "gone@example.com")
    with reading(assembly.engine) as session:
        some = select(Subscriber.id).where(Subscriber.status == ACTIVE).order_by(col(Subscriber.id)).limit(20)
        busy = [number for number in session.exec(some) if number]
    found["busy"], found["left"] = busy[0], busy[-1]

    for number, (week, (left, right)) in enumerate(
        zip((EMPTY, APPROVED, SCHEDULED, PAUSED_ISSUE, HELD), PAIRS, strict=True)
    ):
        first = a_comparison(left, right).model_copy(update={"published_at": _within(week)})
        other = a_comparison(f"{left} {number}", f"{right} Pro").model_copy(update={"published_at": _within(week)})
        keep(assembly, first, other)
        _draft(assembly, week, approve=week != EMPTY)
    keep(
        assembly, _in(SENDING, "مترجم الشيفرة", "Sable"), _in(CANCELLED, "Fathom", "Reed"), _in(SENT[0], "Cove", "Ivy")
    )
    for week in (SENDING, CANCELLED):
        _draft(assembly, week, approve=True)
    with writing(assembly.engine) as session:
        report = import_paths(session, [SAMPLE / "comparisons.jsonl"], None, NOW)
        assert not report.bad
        weekly.require(session, EMPTY).state = issues.CANCELLED
        scheduled = weekly.require(session, SCHEDULED)
        scheduled.state, scheduled.send_at = issues.SCHEDULED, NOW + timedelta(days=1)
        session.commit()
    for week in SENT:
        _draft(assembly, week, approve=True)
        _send(assembly, week)
        _came_back(assembly, week, busy)
    for week, state in ((PAUSED_ISSUE, issues.PAUSED), (HELD, issues.HELD), (SENDING, issues.SENDING),
                        (CANCELLED, issues.CANCELLED)):  # fmt: skip
        _begin(assembly, week, state)
    keep(assembly, _in(DRAFT, LONG_NAME, "Mist"))
    _draft(assembly, DRAFT, approve=False)
    _write(assembly, writer)
    _lives(assembly, found, busy, editor)
    _counted(assembly)
    return found


def _lives(assembly: Assembly, found: dict[str, int], busy: list[int], editor: int | None) -> None:
    """What some readers, the editors and the clock did."""
    with writing(assembly.engine) as session:
        slugs = [one.slug for week in SENT for one in weekly.comparisons_of(session, weekly.require(session, week))]
        for place, row in enumerate(session.exec(select(ComparisonRow).where(col(ComparisonRow.slug).in_(slugs)))):
            for reader in busy[: 12 - place]:
                votes.cast(session, row.id or 0, reader, ("left", "right", "left", "both")[reader % 4], NOW)
        assert unsubscribe(session, session.get_one(Subscriber, found["left"]), "unsubscribe link", NOW)
        farewell.forget(session, session.get_one(Subscriber, found["erased"]), NOW)
        log.write(session, NOW - timedelta(hours=1), None, "made an account", detail="Publisher, publisher")
        for number in range(60):
            log.write(session, NOW - timedelta(minutes=60 - number), editor, "let it rest", week=str(PAUSED_ISSUE))
        log.write(session, NOW, editor, "suppressed a reader", subscriber_id=found[SUPPRESSED], detail="asked by mail")
        jobs.did(session, "draft_the_week", 60, NOW, "drafted 2026-W47 of 5 comparisons")
        jobs.ran(session, "send_what_is_due", 60, NOW)
        jobs.failed(session, "reconcile", 600, NOW - timedelta(hours=2), "the provider did not answer")
        session.commit()


def _write(assembly: Assembly, by: int | None) -> None:
    """What was changed of the draft, and one change that was taken back."""
    rules = assembly.rules
    with writing(assembly.engine) as session:
        first, second, *rest = [
            one.slug or "" for one in weekly.comparisons_of(session, weekly.require(session, DRAFT))
        ]
        editing.arrange(session, rules, DRAFT, None, [second, first, *rest], by, NOW - timedelta(minutes=30))
        editing.postpone(session, rules, DRAFT, None, rest[-1], by, NOW - timedelta(minutes=20))
        editing.write(session, rules, DRAFT, None, by, NOW - timedelta(minutes=10), note="A *quiet* week, but for one.")
        log.write(session, NOW - timedelta(minutes=20), by, "put a comparison off", week=str(DRAFT))
        session.commit()


def _within(week: Week) -> datetime:
    return week.end(ZoneInfo("UTC")) - timedelta(days=3)


def _in(week: Week, left: str, right: str) -> Comparison:
    return a_comparison(left, right).model_copy(update={"published_at": _within(week)})


def _draft(assembly: Assembly, week: Week, *, approve: bool) -> None:
    at = _within(week) + timedelta(days=4)
    with writing(assembly.engine) as session:
        weekly.draft(session, assembly.rules, week, at)
        if approve:
            approving.approve(session, assembly.rules, week, at)
        session.commit()


def _send(assembly: Assembly, week: Week) -> None:
    at = week.slot_after(assembly.rules.send_at, assembly.rules.zone)
    assert send_issue(assembly.engine, assembly.rules, assembly.post, week, Run(clock=lambda: at)).state == issues.SENT


def _letter_of(assembly: Assembly, week: Week) -> int:
    with reading(assembly.engine) as session:
        return weekly.require(session, week).letter_id or 0


def _came_back(assembly: Assembly, week: Week, readers: list[int]) -> None:
    """Events of an issue that was sent."""
    letter, at = _letter_of(assembly, week), week.slot_after(assembly.rules.send_at, assembly.rules.zone)
    hour = {"at": at + timedelta(hours=1)}
    hear(assembly.engine, letter, DELIVERED, readers, **hour)
    hear(assembly.engine, letter, OPENED, readers[: 12 - week.number % 3], **hour)
    hear(assembly.engine, letter, CLICKED, readers[:5], link="comparisons/foliohound-vs-marginaut", **hour)
    hear(assembly.engine, letter, CLICKED, readers[5:7], link="comparisons/x", machine=BURST, **hour)
    if week == SENT[-1]:
        hear(assembly.engine, letter, COMPLAINED, readers[-2:-1], **hour)
        hear(assembly.engine, letter, BOUNCED_SOFT, readers[-4:-2], detail="DnsError", **hour)


def _begin(assembly: Assembly, week: Week, state: str) -> None:
    """An issue in its midst: many have it, some were refused, of some nobody knows."""
    with writing(assembly.engine) as session:
        letter = outgoing._start(session, assembly.rules, weekly.require(session, week), NOW)
        session.commit()
    taken: list[Outcome] = [Accepted(f"{week}-{number}") for number in range(14)]
    record(assembly.engine, letter, claim(assembly.engine, letter, len(taken), NOW), taken, NOW)
    if state in (issues.HELD, issues.SENDING):
        record(assembly.engine, letter, claim(assembly.engine, letter, len(PASSING), NOW), PASSING, NOW)
    if state == issues.SENDING:
        claim(assembly.engine, letter, 3, NOW)
    with writing(assembly.engine) as session:
        issue: Issue = weekly.require(session, week)
        issue.state = state
        issue.held_because = "the provider does not answer" if state == issues.HELD else None
        ledger.set_open(session, letter, is_open=state == issues.SENDING)
        session.commit()


def _counted(assembly: Assembly) -> None:
    """Everything that is counted beside the pages."""
    with reading(assembly.engine) as session:
        names = counting.due(session, NOW)
    health.examine(assembly.engine, NOW)
    for name in names:
        counting.count(assembly.engine, name, Ways(assembly.settings.zone, True), NOW)

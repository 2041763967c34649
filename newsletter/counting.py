"""Which figures are counted beside the pages, how old may each of them be, and how is it counted?

How the list grew and how each issue did: with a million readers each takes seconds. Promises: counting only reads, but
for one short transaction at its end; what was kept in a way that the program no longer understands is as if it were not
there; nothing here is the truth, all of it can be counted anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter import figures, growth, numbers
from newsletter.db import reading, writing
from newsletter.delivery.ledger import StoredLetter
from newsletter.figures import Counted
from newsletter.growth import Grown
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.numbers import Numbers

GROWTH: Final = "growth"
WEEKS: Final = 52  # of growth that are kept, with the one that has not ended

LATELY: Final = timedelta(days=3)
"""After an issue begins to go out, for so long most of what comes back comes."""
NOT_LONG_AGO: Final = timedelta(days=30)

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One thing that is counted beside the pages."""

    name: str
    fresh: timedelta
    """How old it may be for somebody who looks at it; older, it is counted anew, and shown as it was until then."""
    kept: timedelta
    """How old it may become while nobody looks."""


@dataclass(frozen=True)
class Ways:
    """What counting has to know of the newsletter."""

    zone: ZoneInfo
    told: bool
    """Whether its provider tells what becomes of letters (`Provider.keeps_history`)."""


@dataclass(frozen=True)
class Known(Generic[T]):
    """Something that was counted, and when."""

    at: datetime
    of: T


_GROWN: Final = TypeAdapter(list[Grown])
_NUMBERS: Final = TypeAdapter(Numbers)

_HOT: Final = (timedelta(seconds=30), timedelta(minutes=15))
_WARM: Final = (timedelta(minutes=10), timedelta(hours=6))
_COLD: Final = (timedelta(days=1), timedelta(days=7))


def of_issue(week: str) -> str:
    """The name of an issue's figures."""
    return f"issue {week}"


def all_of_them(session: Session, now: datetime) -> list[Figure]:
    """Everything that is counted, in the order in which it is wanted: growth, and the issues that have begun."""
    begun = (
        select(Issue.week, Issue.state, StoredLetter.created_at)
        .join(StoredLetter, col(StoredLetter.id) == col(Issue.letter_id))
        .order_by(col(Issue.week).desc())
    )
    return [
        Figure(GROWTH, *_WARM),
        *(Figure(of_issue(week), *_how_old(state, now - at)) for week, state, at in session.exec(begun)),
    ]


def due(session: Session, now: datetime, wanted: Collection[str] = ()) -> list[str]:
    """What is to be counted now, by name: first what is `wanted` by somebody and no longer fresh."""
    found = all_of_them(session, now)
    at = figures.moments(session)
    asked = stale(session, wanted, now) if wanted else []
    old = [one.name for one in found if one.name not in asked and _is_older(at.get(one.name), one.kept, now)]
    return asked + old


def stale(session: Session, names: Collection[str], now: datetime) -> list[str]:
    """Those of these names whose figures are not there, or too old for somebody who looks at them."""
    at = figures.moments(session)
    return [
        one.name
        for one in all_of_them(session, now)
        if one.name in names and _is_older(at.get(one.name), one.fresh, now)
    ]


def count(engine: Engine, name: str, ways: Ways, now: datetime) -> None:
    """Count what has a name and keep it; nothing, where that is an issue which there is not any more."""
    with reading(engine) as session:
        content = _counted(session, name, ways, now)
    if content is not None:
        with writing(engine) as session:
            figures.keep(session, name, content, now)
            session.commit()


def growth_of(session: Session, weeks: int) -> Known[list[Grown]] | None:
    """How the list grew in the last weeks (`WEEKS` at most), the oldest first; None where that is being counted."""
    known = _read(_GROWN, figures.find(session, GROWTH))
    return known and Known(known.at, known.of[-weeks:])


def numbers_of(session: Session, issue: Issue) -> Known[Numbers] | None:
    """How an issue did; None where that is being counted. Where its readers stand is as of this moment."""
    known = _read(_NUMBERS, figures.find(session, of_issue(issue.week)))
    return known and Known(known.at, numbers.as_it_stands(session, issue, known.of))


def over_time(session: Session, since: Week) -> tuple[list[Known[Numbers]], list[str]]:
    """How the issues from a week on did, the newest first; and the weeks of those that are being counted.

    All of it as it was counted, also where readers stand.
    """
    weeks = [one.week for one in issues.begun(session, WEEKS) if one.week >= str(since)]
    kept = figures.find_all(session, [of_issue(week) for week in weeks])
    known = {week: _read(_NUMBERS, kept.get(of_issue(week))) for week in weeks}
    return [one for one in known.values() if one], [week for week, one in known.items() if one is None]


def _how_old(state: str, since: timedelta) -> Sequence[timedelta]:
    if state in (issues.SENDING, issues.PAUSED, issues.HELD) or since < LATELY:
        return _HOT
    return _WARM if since < NOT_LONG_AGO else _COLD


def _is_older(at: datetime | None, limit: timedelta, now: datetime) -> bool:
    """Also what was counted in a future that a wrong clock has told of."""
    return at is None or now - at >= limit or at - now >= limit


def _counted(session: Session, name: str, ways: Ways, now: datetime) -> Any:
    if name == GROWTH:
        return _GROWN.dump_python(growth.by_week(session, ways.zone, now, WEEKS), mode="json")
    issue = issues.find(session, Week.parse(name.removeprefix(of_issue(""))))
    if issue is None:
        return None
    return _NUMBERS.dump_python(numbers.of_issue(session, issue, told=ways.told), mode="json")


def _read(kind: TypeAdapter[T], kept: Counted | None) -> Known[T] | None:
    try:
        return Known(kept.at, kind.validate_python(kept.content)) if kept else None
    except ValidationError:  # an earlier program, or a later one, has kept it
        return None

"""In which issue is a comparison, or until when is it put off?"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlmodel import Session, col, select

from newsletter.comparisons.comparison import ComparisonRow
from newsletter.issues.issue import APPROVED, HELD, SCHEDULED, Issue, IssueComparison, Postponed


@dataclass(frozen=True)
class Whereabouts:
    """Where one comparison is: in an issue, put off, or waiting for the next issue (then all of these are None)."""

    week: str | None = None
    state: str | None = None
    """Of that issue."""
    began: bool = False
    """Whether that issue has begun to go out: nothing that is changed now changes what readers have."""
    postponed: str | None = None
    """The newest week whose issue is to do without it."""

    @property
    def is_approved(self) -> bool:
        """Whether it is in an issue that is approved and has not begun: a change breaks the approval."""
        return self.state in (APPROVED, SCHEDULED, HELD) and not self.began


def find(session: Session, numbers: Collection[int]) -> dict[int, Whereabouts]:
    """Comparison id -> where it is; of all of these."""
    places = (
        select(IssueComparison.comparison_id, Issue.week, Issue.state, Issue.letter_id)
        .join(Issue)
        .where(col(IssueComparison.comparison_id).in_(numbers))
    )
    found = {
        number: Whereabouts(week, state, letter is not None) for number, week, state, letter in session.exec(places)
    }
    put_off = select(Postponed.comparison_id, Postponed.week).where(col(Postponed.comparison_id).in_(numbers))
    for number, week in session.exec(put_off):
        found.setdefault(number, Whereabouts(postponed=week))
    return {number: found.get(number, Whereabouts()) for number in numbers}


def of_slugs(session: Session, slugs: Collection[str]) -> dict[str, Whereabouts]:
    """The same by what URLs name comparisons; those that there are not are left out."""
    rows = session.exec(select(ComparisonRow.id, ComparisonRow.slug).where(col(ComparisonRow.slug).in_(slugs)))
    named = {number: slug for number, slug in rows if number is not None}
    return {named[number]: place for number, place in find(session, list(named)).items()}

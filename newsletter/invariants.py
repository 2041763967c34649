"""What must always be true of the database? Looked at by `newsletter db check` and by the tests."""

from collections.abc import Callable, Iterator

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.delivery import ledger
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison

Invariant = Callable[[Session], Iterator[str]]


def violations(session: Session) -> list[str]:
    """Everything that is wrong, a line each; an empty list when all holds."""
    return [line for invariant in INVARIANTS for line in invariant(session)]


def _accounting_adds_up(session: Session) -> Iterator[str]:
    """Every reader of an audience is in exactly one state."""
    for stored in session.exec(select(StoredLetter)):
        books = ledger.accounting(session, stored.id)
        if not books.adds_up:
            yield f"letter {stored.id} ({stored.tag}): the audience is {books.audience}, but its rows make {books}"


def _frozen_letters_are_whole(session: Session) -> Iterator[str]:
    """A stored letter still has the digest that it was stored with."""
    for stored in session.exec(select(StoredLetter)):
        if stored.letter().digest != stored.digest:
            yield f"letter {stored.id} ({stored.tag}): its content no longer has its digest {stored.digest[:12]}"


def _what_was_approved_is_what_goes_out(session: Session) -> Iterator[str]:
    """An issue's letter has the digest that was approved."""
    query = select(Issue, StoredLetter).join(StoredLetter)
    for issue, stored in session.exec(query):
        if issue.digest != stored.digest:
            yield f"issue {issue.week}: approved {issue.digest}, but its letter is {stored.digest}"


def _sending_issues_have_letters(session: Session) -> Iterator[str]:
    """An issue has a letter exactly when its list has been drawn up."""
    for issue in issues.every(session):
        if (issue.letter_id is not None) != (issue.state in (issues.SENDING, issues.SENT)):
            yield f"issue {issue.week} is {issue.state}, but its letter is {issue.letter_id}"


def _sent_issues_are_settled(session: Session) -> Iterator[str]:
    """Of a sent issue nothing is queued, under way or in doubt."""
    for issue in issues.in_state(session, issues.SENT):
        unsettled = ledger.accounting(session, issue.letter_id).unsettled
        if unsettled:
            yield f"issue {issue.week} is sent, but {unsettled} readers are not settled"


def _issues_have_comparisons(session: Session) -> Iterator[str]:
    """There is no empty issue."""
    query = select(Issue.week).where(col(Issue.id).not_in(select(IssueComparison.issue_id)))
    for week in session.exec(query):
        yield f"issue {week} has no comparisons"


def _message_ids_are_unique(session: Session) -> Iterator[str]:
    """No provider's message stands for two readers."""
    query = (
        select(Delivery.message_id, func.count())
        .where(col(Delivery.message_id).is_not(None))
        .group_by(col(Delivery.message_id))
        .having(func.count() > 1)
    )
    for message_id, count in session.exec(query):
        yield f"message {message_id} stands in {count} rows"


INVARIANTS: tuple[Invariant, ...] = (
    _accounting_adds_up,
    _frozen_letters_are_whole,
    _what_was_approved_is_what_goes_out,
    _sending_issues_have_letters,
    _sent_issues_are_settled,
    _issues_have_comparisons,
    _message_ids_are_unique,
)

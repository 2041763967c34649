"""What must always be true of the database? Looked at by `newsletter db check`, the scheduler and the tests.

The ledger's part is in `delivery.audit`, that of events in `tracking.audit`, the database's own in `structure`; here is
what is true of issues, readers, votes and keys, and how all of it is looked at: as of one moment, also beside a sender,
and whatever is broken.
"""

import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import String, case, cast, false, func, literal, or_
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from newsletter import (
    figures,  # noqa: F401  this and the like put their tables into the metadata
    jobs,  # noqa: F401
    structure,
)
from newsletter.comparisons.votes import Vote
from newsletter.db import is_sqlite
from newsletter.delivery import (
    audit,
    throttle,  # noqa: F401  puts its table into the metadata
)
from newsletter.delivery.audit import Invariant
from newsletter.delivery.ledger import UNSETTLED, Delivery, StoredLetter, unnamed
from newsletter.editors import log, sessions  # noqa: F401
from newsletter.editors.editor import Editor
from newsletter.issues import issue as issues
from newsletter.issues import versions  # noqa: F401
from newsletter.issues.issue import Issue, IssueComparison
from newsletter.keys import ApiKey
from newsletter.tracking import audit as events
from newsletter.tracking import polls  # noqa: F401  puts its table into the metadata
from newsletter.tracking.store import WHOLE, StoredEvent
from subscribers.address import Address
from subscribers.consent import Consent
from subscribers.fingerprint import Fingerprints
from subscribers.preferences import AddressChange
from subscribers.remains import remains
from subscribers.subscriber import ACTIVE, ERASED, NOTHING_MUTED, PAUSED, PENDING, SUPPRESSED, Subscriber
from subscribers.suppression import suppressed_among

AT_ONCE = 500  # readers whose suppressions are looked up together

_MAY_HAVE_BEGUN: Final = (issues.HELD, issues.CANCELLED)
_HAS_BEGUN: Final = (issues.SENDING, issues.PAUSED, issues.SENT)

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def violations(session: Session) -> list[str]:
    """Everything that is wrong, a line each; an empty list when all holds.

    Where tables or columns are missing, that is all that is said. What cannot be read is a line as well.
    """
    if not session.in_transaction() and not is_sqlite(session.get_bind()):
        # All statements see one moment, as on SQLite: beside a sender, two moments would not add up.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    try:
        missing = list(structure.lacks(session))
    except DBAPIError as error:  # a file that is none; whatever else is asked of it fails likewise
        return [f"the database cannot be read: {_in_short(error)}"]
    return missing or [line for invariant in INVARIANTS for line in _lines(session, invariant)]


def _lines(session: Session, invariant: Invariant) -> list[str]:
    found: list[str] = []
    try:
        with session.begin_nested():  # PostgreSQL would answer nothing more after an error
            found.extend(invariant(session))
    except (DBAPIError, ValueError, TypeError) as error:  # ValueError, TypeError: a moment or a number that is none
        question = (invariant.__doc__ or "").partition("\n")[0].rstrip(".")
        found.append(
            f"something cannot be read ({_in_short(error)}), so that it is not known whether this holds: {question}"
        )
    return found


def _in_short(error: Exception) -> str:
    said = error.orig if isinstance(error, DBAPIError) else error
    return unnamed(str(said).partition("\n")[0])


def _issues_are_in_known_states(session: Session) -> Iterator[str]:
    """Every issue is in a state that there is."""
    query = select(Issue.week, Issue.state).where(col(Issue.state).not_in(issues.MOVES)).order_by(Issue.week)
    for week, state in session.exec(query):
        yield f"issue {week} is in the state {state!r}, which there is not"


def _issues_under_way_have_letters(session: Session) -> Iterator[str]:
    """An issue has a letter once its list is drawn up, not before, and of its own."""
    whose: dict[int, str] = {}
    query = select(Issue.week, Issue.state, Issue.letter_id).order_by(Issue.week)
    for week, state, letter_id in session.exec(query):
        wanted = state in _HAS_BEGUN
        if state in issues.MOVES and state not in _MAY_HAVE_BEGUN and (letter_id is not None) != wanted:
            yield f"issue {week} is {state}, but its letter is {letter_id}"
        if letter_id is not None and whose.setdefault(letter_id, week) != week:
            yield f"issue {week} has letter {letter_id}, which is that of issue {whose[letter_id]}"


def _letters_are_open_while_they_go_out(session: Session) -> Iterator[str]:
    """Rows of an issue's letter may be claimed while it is sending, and at no other time; of other letters always."""
    issues_of = {
        letter_id: (week, state)
        for letter_id, week, state in session.exec(select(Issue.letter_id, Issue.week, Issue.state))
    }
    letters = select(StoredLetter.id, StoredLetter.tag, StoredLetter.open).order_by(col(StoredLetter.id))
    for number, tag, is_open in session.exec(letters):
        week, state = issues_of.get(number, (None, issues.SENDING))
        if is_open != (state == issues.SENDING):
            whose = f"is that of issue {week}, which is {state}" if week else "is no issue's"
            yield f"letter {number} ({tag}) is {'open' if is_open else 'closed'}, but {whose}"


def _what_was_approved_is_what_goes_out(session: Session) -> Iterator[str]:
    """An issue that is to go out has a digest, and its letter, once it has one, has the same."""
    query = select(Issue.week, Issue.state, Issue.digest, StoredLetter.digest).outerjoin(StoredLetter)
    for week, state, approved, frozen in session.execute(query.order_by(col(Issue.week))):
        if frozen is not None and approved != frozen:
            yield f"issue {week}: approved {approved}, but its letter is {frozen}"
        elif approved is None and state in (issues.APPROVED, issues.SCHEDULED):
            yield f"issue {week} is {state}, but it does not say which letter was approved"


def _sent_issues_are_settled(session: Session) -> Iterator[str]:
    """Of a sent issue nothing is queued, under way or in doubt."""
    query = (
        select(Issue.week, func.count())
        .join(Delivery, col(Delivery.letter_id) == col(Issue.letter_id))
        .where(Issue.state == issues.SENT, col(Delivery.state).in_(UNSETTLED))
        .group_by(col(Issue.week))
        .order_by(Issue.week)
    )
    for week, count in session.exec(query):
        yield f"issue {week} is sent, but {count} readers are not settled"


def _held_issues_say_why(session: Session) -> Iterator[str]:
    """An issue that is held says why, and no other does."""
    query = select(Issue.week, Issue.state, Issue.held_because).order_by(Issue.week)
    for week, state, why in session.exec(query):
        if (state == issues.HELD) != bool(why):
            yield f"issue {week} is {state}, {'but says why it is held' if why else 'but does not say why'}"


def _issues_have_comparisons(session: Session) -> Iterator[str]:
    """There is no empty issue, but for one that was called off before it began."""
    has_some = select(IssueComparison.issue_id).where(IssueComparison.issue_id == Issue.id).exists()
    called_off = (col(Issue.state) == issues.CANCELLED) & col(Issue.letter_id).is_(None)
    for week in session.exec(select(Issue.week).where(~has_some, ~called_off).order_by(Issue.week)):
        yield f"issue {week} has no comparisons"


def _the_erased_hold_nothing(session: Session) -> Iterator[str]:
    """Of who was erased a row stays that names nobody, and only of them is there such a row."""
    nameless = literal("erased:") + cast(col(Subscriber.id), String)
    bare = (
        (col(Subscriber.email) == "")
        & (col(Subscriber.address_key) == nameless)
        & (col(Subscriber.muted) == NOTHING_MUTED)
        & col(Subscriber.paused_until).is_(None)
    )
    named = (col(Subscriber.email) != "") & col(Subscriber.address_key).not_like("erased:%")
    wrong = select(Subscriber.id).where(~case((col(Subscriber.status) == ERASED, bare), else_=named))
    for number in session.exec(wrong.order_by(col(Subscriber.id))):
        yield f"subscriber {number}: erased by half, or nameless and not erased"
    said = or_(
        col(Consent.source) != "",
        *(column.is_not(None) for column in (col(Consent.words), col(Consent.network), col(Consent.user_agent))),
    )
    steps = select(Consent.id).join(Subscriber).where(Subscriber.status == ERASED, said)
    for number in session.exec(steps.order_by(col(Consent.id))):
        yield f"consent {number}: still says something of somebody who was erased"
    changes = select(AddressChange.id).join(Subscriber).where(Subscriber.status == ERASED)
    for number in session.exec(changes.order_by(col(AddressChange.id))):
        yield f"address change {number}: is of somebody who was erased"
    erased = select(Subscriber.id).where(Subscriber.status == ERASED)
    told = select(StoredEvent.id).where(col(StoredEvent.subscriber_id).in_(erased), WHOLE)
    for number in session.exec(told.order_by(col(StoredEvent.id))):
        yield f"event {number}: still holds what came of somebody who was erased"
    voted = select(Vote.id).where(col(Vote.subscriber_id).in_(erased))
    for number in session.exec(voted.order_by(col(Vote.id))):
        yield f"vote {number}: is still that of somebody who was erased"


def _no_erased_address_is_left(session: Session) -> Iterator[str]:
    """No text of any table holds the address of somebody who was erased."""
    # What came of a reader's copy names that reader, and goes with them; there are millions of those.
    others = col(StoredEvent.subscriber_id).is_(None)
    # An editor who was forgotten as a reader stays an editor, under the same address.
    nobody = false()
    return remains(session, {str(StoredEvent.__tablename__): others, str(Editor.__tablename__): nobody})


def _suppressions_hold(session: Session) -> Iterator[str]:
    """Who is suppressed is so by fingerprint too, and nobody else's address is suppressed who may be written to."""
    fingerprints = Fingerprints(session)
    query = (
        select(Subscriber.id, Subscriber.address_key, Subscriber.status)
        .where(col(Subscriber.status).in_([SUPPRESSED, ACTIVE, PENDING, PAUSED]))
        .execution_options(yield_per=AT_ONCE)
    )
    for readers in session.exec(query).partitions(AT_ONCE):
        prints = [fingerprints.of(Address("", key)) for _, key, _ in readers]
        suppressed = suppressed_among(session, prints)
        for (number, _, status), fingerprint in zip(readers, prints, strict=True):
            if (status == SUPPRESSED) != (fingerprint in suppressed):
                is_or_not = "is" if fingerprint in suppressed else "is not"
                yield f"subscriber {number}: is {status}, but the address {is_or_not} among the suppressions"


def _votes_are_of_those_who_have_had_the_issue(session: Session) -> Iterator[str]:
    """Votes are on comparisons of issues that have begun to go out, and by readers who have a copy."""
    has_copy = (Delivery.letter_id == Issue.letter_id) & (Delivery.subscriber_id == Vote.subscriber_id)
    query = (
        select(
            Vote.comparison_id,
            func.sum(case((col(Issue.letter_id).is_(None), 1), else_=0)),
            func.sum(
                case((col(Vote.subscriber_id).is_(None) | select(Delivery.state).where(has_copy).exists(), 0), else_=1)
            ),
        )
        .outerjoin(IssueComparison, col(IssueComparison.comparison_id) == col(Vote.comparison_id))
        .outerjoin(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .group_by(col(Vote.comparison_id))
        .order_by(col(Vote.comparison_id))
    )
    for number, early, strangers in session.exec(query):
        if early:
            yield f"comparison {number}: {early} votes, but no issue with it has begun to go out"
        elif strangers:
            yield f"comparison {number}: {strangers} votes of readers who have no copy of its issue"


def _keys_are_kept_as_hashes(session: Session) -> Iterator[str]:
    """Of a program's key there is nothing but a SHA-256."""
    for number, digest in session.exec(select(ApiKey.id, ApiKey.digest).order_by(col(ApiKey.id))):
        if not _DIGEST.fullmatch(digest):
            yield f"key {number} of a program: what is kept of it is no SHA-256"


INVARIANTS: Final[tuple[Invariant, ...]] = (
    *structure.INVARIANTS,
    *audit.INVARIANTS,
    *events.INVARIANTS,
    _issues_are_in_known_states,
    _issues_under_way_have_letters,
    _letters_are_open_while_they_go_out,
    _what_was_approved_is_what_goes_out,
    _sent_issues_are_settled,
    _held_issues_say_why,
    _issues_have_comparisons,
    _the_erased_hold_nothing,
    _no_erased_address_is_left,
    _suppressions_hold,
    _votes_are_of_those_who_have_had_the_issue,
    _keys_are_kept_as_hashes,
)
"""All of them; each has its question as its docstring."""

"""What must always be true of the database? Looked at by `newsletter db check` and by the tests."""

from collections.abc import Callable, Iterator

from sqlalchemy import String, case, cast, func, literal, or_
from sqlmodel import Session, col, select

from newsletter.delivery import ledger
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.variants import Variant
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison
from subscribers.address import Address
from subscribers.consent import Consent
from subscribers.fingerprint import Fingerprints
from subscribers.preferences import AddressChange
from subscribers.remains import remains
from subscribers.subscriber import ACTIVE, ERASED, NOTHING_MUTED, PAUSED, PENDING, SUPPRESSED, Subscriber
from subscribers.suppression import suppressed_among

AT_ONCE = 500  # readers whose suppressions are looked up together
LETTERS_AT_ONCE = 10  # of some 100 KB each

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


def _variants_are_whole(session: Session) -> Iterator[str]:
    """A variant of a stored letter still has the digest that it was stored with."""
    for variant in session.exec(select(Variant).execution_options(yield_per=LETTERS_AT_ONCE)):
        if variant.letter().digest != variant.digest:
            named = f"letter {variant.letter_id}, variant {variant.number}"
            yield f"{named}: its content no longer has its digest {variant.digest[:12]}"


def _every_copy_is_of_a_variant_that_there_is(session: Session) -> Iterator[str]:
    """A reader's copy is the letter itself or one of its variants."""
    there = (col(Variant.letter_id) == col(Delivery.letter_id)) & (col(Variant.number) == col(Delivery.variant))
    query = (
        select(Delivery.letter_id, Delivery.variant, func.count())
        .where(Delivery.variant != 0, ~select(Variant.number).where(there).exists())
        .group_by(col(Delivery.letter_id), col(Delivery.variant))
    )
    for letter_id, number, count in session.exec(query):
        yield f"letter {letter_id}: {count} readers are to have variant {number}, which there is not"


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


def _no_erased_address_is_left(session: Session) -> Iterator[str]:
    """No text of any table holds the address of somebody who was erased."""
    return remains(session)


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


INVARIANTS: tuple[Invariant, ...] = (
    _accounting_adds_up,
    _frozen_letters_are_whole,
    _variants_are_whole,
    _every_copy_is_of_a_variant_that_there_is,
    _what_was_approved_is_what_goes_out,
    _sending_issues_have_letters,
    _sent_issues_are_settled,
    _issues_have_comparisons,
    _message_ids_are_unique,
    _the_erased_hold_nothing,
    _no_erased_address_is_left,
    _suppressions_hold,
)

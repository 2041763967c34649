"""What must always be true of the ledger? One row per reader and letter, in a state that its other fields bear out.

Each invariant looks at the whole ledger and names what breaks it, a line each; together they go through it a few times,
however many letters there are.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, or_
from sqlmodel import Session, col, select

from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import (
    ACCEPTED,
    IN_DOUBT,
    MOVES,
    QUEUED,
    REFUSED,
    SENDING,
    UNSETTLED,
    Accounting,
    Delivery,
    StoredLetter,
)
from newsletter.delivery.variants import Variant
from subscribers.subscriber import ERASED, Subscriber

Invariant = Callable[[Session], Iterator[str]]

LETTERS_AT_ONCE = 10  # of some 100 KB each

_STATE, _BATCH, _MESSAGE = col(Delivery.state), col(Delivery.batch), col(Delivery.message_id)


def _empty(column: Any) -> ColumnElement[bool]:
    return func.coalesce(column, "") == ""


def _is_erased() -> ColumnElement[bool]:
    of_row = Subscriber.id == Delivery.subscriber_id
    return select(Subscriber.id).where(of_row, Subscriber.status == ERASED).exists()


def _was_claimed() -> ColumnElement[bool]:
    return select(Claim.number).where(Claim.key == Delivery.batch, Claim.letter_id == Delivery.letter_id).exists()


FLAWS: Final[dict[str, ColumnElement[bool]]] = {
    "are in a state that there is not": _STATE.not_in(MOVES),
    "are accepted without the provider's id": (_STATE == ACCEPTED) & _empty(_MESSAGE),
    "have a provider's id, but are not accepted": (_STATE != ACCEPTED) & _STATE.in_(MOVES) & _MESSAGE.is_not(None),
    "are under way or in doubt without a batch": _STATE.in_((SENDING, IN_DOUBT)) & _BATCH.is_(None),
    "are queued, but in a batch": (_STATE == QUEUED) & _BATCH.is_not(None),
    "are in a batch that was never claimed": _BATCH.is_not(None) & (_STATE != QUEUED) & ~_was_claimed(),
    # What a provider said of who was erased is erased as well.
    "are refused without a reason": (_STATE == REFUSED) & _empty(col(Delivery.reason)) & ~_is_erased(),
    "are settled, but it is not known since when": (
        _STATE.in_(MOVES) & _STATE.not_in(UNSETTLED) & col(Delivery.settled_at).is_(None)
    ),
    "are not settled, but it says since when": _STATE.in_(UNSETTLED) & col(Delivery.settled_at).is_not(None),
}
"""What may be wrong with a reader's row by itself."""


def _accounting_adds_up(session: Session) -> Iterator[str]:
    """Every reader of an audience has one row."""
    query = select(Delivery.letter_id, Delivery.state, func.count())
    states: dict[int, dict[str, int]] = defaultdict(dict)
    for letter_id, state, count in session.exec(query.group_by(col(Delivery.letter_id), col(Delivery.state))):
        states[letter_id][state] = count
    letters = select(StoredLetter.id, StoredLetter.tag, StoredLetter.audience).order_by(col(StoredLetter.id))
    for number, tag, audience in session.exec(letters):
        counts = states[number or 0]
        if (audience or 0) != sum(counts.values()):
            known = {state: count for state, count in counts.items() if state in MOVES}
            books = Accounting(audience=audience or 0, **known)
            yield f"letter {number} ({tag}): the audience is {books.audience}, but its rows make {books}"


def _rows_are_sound(session: Session) -> Iterator[str]:
    """Every reader's row is in a state that there is, and has what that state needs and nothing else."""
    found = [func.sum(case((flaw, 1), else_=0)) for flaw in FLAWS.values()]
    # In one pass, and by the letter in the order in which they lie.
    rows = select(col(Delivery.letter_id), *found).group_by(col(Delivery.letter_id))
    tags = dict(session.exec(select(StoredLetter.id, StoredLetter.tag)).all())
    for letter_id, *counts in session.execute(rows.order_by(col(Delivery.letter_id))):
        for words, count in zip(FLAWS, counts, strict=True):
            if count:
                yield f"letter {letter_id} ({tags.get(letter_id)}): {count} readers {words}"


def _message_ids_are_unique(session: Session) -> Iterator[str]:
    """No provider's message stands for two readers."""
    query = select(Delivery.message_id, func.count()).where(_MESSAGE.is_not(None)).group_by(_MESSAGE)
    for message_id, count in session.exec(query.having(func.count() > 1)):
        yield f"message {message_id} stands in {count} rows"


def _claims_are_sound(session: Session) -> Iterator[str]:
    """Of no batch the provider is said to have taken more messages than its letter has readers."""
    query = (
        select(Claim.number, Claim.letter_id, Claim.taken, StoredLetter.audience)
        .join(StoredLetter)
        .where(or_(col(Claim.taken) < 0, col(Claim.taken) > func.coalesce(StoredLetter.audience, 0)))
    )
    for number, letter_id, taken, audience in session.exec(query.order_by(col(Claim.number))):
        yield f"claim {number}: of letter {letter_id}, which has {audience} readers, {taken} are said to be taken"


def _frozen_letters_are_whole(session: Session) -> Iterator[str]:
    """A stored letter still has the digest that it was stored with."""
    for stored in session.exec(select(StoredLetter).execution_options(yield_per=LETTERS_AT_ONCE)):
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


INVARIANTS: Final[tuple[Invariant, ...]] = (
    _accounting_adds_up,
    _rows_are_sound,
    _message_ids_are_unique,
    _claims_are_sound,
    _frozen_letters_are_whole,
    _variants_are_whole,
    _every_copy_is_of_a_variant_that_there_is,
)

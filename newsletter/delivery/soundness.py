"""Is a letter in the database as it was put there, so that it may go out? What was damaged is never sent, nor guessed.

A hand in the database, a disk or a half-restored backup may change what only the program writes. Then nobody can say
who has had what, and the letter waits for somebody who can.
"""

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.delivery import variants
from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import IN_DOUBT, MOVES, SENDING, Delivery, StoredLetter
from newsletter.delivery.variants import Variant
from newsletter.message import Letter

LOOK = "`newsletter db check` names all that is wrong"


class Flawed(Exception):  # noqa: N818  the name says what happened
    """A letter is not what was frozen; the text says so to an editor."""


def flaw(session: Session, stored: StoredLetter) -> str | None:
    """What is wrong with a letter or its rows, so that nothing of it may be sent; None where nothing is."""
    if stored.letter().digest != stored.digest:
        return _changed("the letter", stored.digest)
    # In one statement: a letter to one person may get another reader between two.
    known = select(func.count()).where(col(Delivery.letter_id) == stored.id, col(Delivery.state).in_(MOVES))
    audience, rows = session.exec(
        select(func.coalesce(StoredLetter.audience, 0), known.scalar_subquery()).where(StoredLetter.id == stored.id)
    ).one()
    if audience != rows:
        return f"the audience is {audience}, but {rows} readers are in a state that there is; {LOOK}"
    unclaimed = (
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.letter_id == stored.id, col(Delivery.state).in_((SENDING, IN_DOUBT)))
        .where(~select(Claim.number).where(Claim.key == Delivery.batch, Claim.letter_id == stored.id).exists())
    )
    count = session.exec(unclaimed).one()
    return f"of {count} readers it is not known when they were sent to, and by whom; {LOOK}" if count else None


def whole_letter(session: Session, stored: StoredLetter, number: int) -> Letter:
    """A letter or one of its variants, as it was frozen. Raises Flawed for one that was changed since, or is gone."""
    frozen = session.get(Variant, (stored.id, number)) if number else stored
    if frozen is None:
        raise Flawed(f"variant {number} of the letter is gone; {LOOK}")
    letter = variants.letter_of(session, stored, number)
    if letter.digest != frozen.digest:
        raise Flawed(_changed(f"variant {number} of the letter" if number else "the letter", frozen.digest))
    return letter


def _changed(what: str, digest: str) -> str:
    return f"{what} has been changed since it was frozen, and no longer has its digest {digest[:12]}; {LOOK}"

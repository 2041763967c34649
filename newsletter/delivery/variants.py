"""What does a letter say to those who have muted some of it? Its variants: frozen with it, and loaded one by one.

Promises: a variant is never made anew, so that a send that goes on after a crash sends what the first half was sent.
"""

import json
from collections.abc import Iterable

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, select

from newsletter.db import Table
from newsletter.delivery.ledger import StoredLetter
from newsletter.message import Letter


class Variant(Table, table=True):
    """A letter as those get it who have muted some of it, frozen with it. Number 0, the letter itself, has no row."""

    __tablename__ = "letter_variants"
    __table_args__ = (CheckConstraint("number > 0", name="number"),)

    letter_id: int = Field(primary_key=True, foreign_key="letters.id")
    number: int = Field(primary_key=True)
    without: str
    """What of the letter it leaves out, as a sorted JSON array of names."""
    language: str | None = None
    """Whose words it has (ISO 639); null for those of the letter itself. With `without` unique in the letter."""
    subject: str
    preheader: str
    html: str
    text: str
    digest: str

    def letter(self) -> Letter:
        """The variant as a value."""
        return Letter(subject=self.subject, preheader=self.preheader, html=self.html, text=self.text)


def freeze(session: Session, stored: StoredLetter, number: int, letter: Letter, without: Iterable[str]) -> None:
    """Keep a variant of a stored letter; `without` names what it leaves out. The caller commits."""
    assert stored.id is not None  # ledger.store() has flushed it
    variant = Variant(
        letter_id=stored.id,
        number=number,
        without=_named(without),
        subject=letter.subject,
        preheader=letter.preheader,
        html=letter.html,
        text=letter.text,
        digest=letter.digest,
    )
    session.add(variant)
    session.flush()
    session.expunge(variant)  # there may be a thousand, of 90 KB each


def letter_of(session: Session, stored: StoredLetter, number: int) -> Letter:
    """What a variant says; number 0 is the letter itself. Raises NoResultFound for a number that is not there."""
    return session.get_one(Variant, (stored.id, number)).letter() if number else stored.letter()


def find(session: Session, stored: StoredLetter, without: Iterable[str]) -> Letter | None:
    """The variant that leaves out exactly this; None where nobody was to get it."""
    query = select(Variant).where(Variant.letter_id == stored.id, Variant.without == _named(without))
    variant = session.exec(query).one_or_none()
    return variant.letter() if variant else None


def _named(without: Iterable[str]) -> str:
    return json.dumps(sorted(without), ensure_ascii=False)

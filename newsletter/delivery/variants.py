"""What does a letter say to those who have muted some of it, or read another language? Its variants: frozen with it,
and loaded one by one.

Promises: a variant is never made anew, so that a send that goes on after a crash sends what the first half was sent.
"""

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, col, select

from newsletter.db import Table
from newsletter.delivery.ledger import StoredLetter
from newsletter.message import Letter

NOTHING: Final = "[]"
"""`Variant.without` of one that leaves out nothing."""


class Variant(Table, table=True):
    """A letter as those get it who have muted some of it or read another language, frozen with it.

    Number 0, the letter itself, has no row.
    """

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


def freeze(
    session: Session,
    stored: StoredLetter,
    number: int,
    letter: Letter,
    without: Iterable[str],
    language: str | None = None,
) -> None:
    """Keep a variant of a stored letter. The caller commits.

    `without` names what it leaves out; `language` is that of its words, None where it is the stored letter's.
    """
    assert stored.id is not None  # ledger.store() has flushed it
    variant = Variant(
        letter_id=stored.id,
        number=number,
        without=_named(without),
        language=language,
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


def find(session: Session, stored: StoredLetter, without: Iterable[str], language: str | None = None) -> Letter | None:
    """The variant that leaves out exactly this, in this language (None: the stored letter's own).

    None where nobody was to get it.
    """
    names = _named(without)
    if names == NOTHING and language is None:
        return stored.letter()
    is_it = (
        Variant.letter_id == stored.id,
        Variant.without == names,
        col(Variant.language).is_not_distinct_from(language),
    )
    variant = session.exec(select(Variant).where(*is_it)).one_or_none()
    return variant.letter() if variant else None


def _named(without: Iterable[str]) -> str:
    return json.dumps(sorted(without), ensure_ascii=False)

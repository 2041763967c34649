"""What would somebody be sent of an issue? Their copy itself, byte for byte, before it goes out and after.

Promises: a copy follows from the letter, its reader and the day of the draft alone, so that what is shown here is what
the provider is handed, whenever that is; nothing is written, and nobody's row is touched.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from time import monotonic
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter import approving
from newsletter.comparisons.categories import categories_of, category_key, muted_among
from newsletter.comparisons.record import Comparison
from newsletter.delivery import ledger, variants
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.mime import filler_for
from newsletter.delivery.variants import Variant
from newsletter.issues.issue import Issue
from newsletter.issues.variants import Selection
from newsletter.language import available, own_name
from newsletter.message import Filler, Letter, Recipient
from newsletter.post import SAMPLE_READER, Post
from newsletter.rendering.edition import Edition
from newsletter.rendering.size import size_after_filling
from newsletter.weekly import CannotDo, Rules, comparisons_of, manuscript
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, STATUSES, Subscriber

WHOLE: Final = Selection(frozenset(), ())
"""The issue as those get it who have muted nothing and chosen no other language."""

SAMPLE_BATCH: Final = "0" * 32
"""The batch that a previewed message is of: none."""

BECAME: Final = {
    ledger.QUEUED: "waits for its turn",
    ledger.SENDING: "is on its way to the provider",
    ledger.ACCEPTED: "was sent",
    ledger.REFUSED: "was refused by the provider",
    ledger.IN_DOUBT: "was sent, or not: that is in doubt",
}
"""State of a reader's row -> what became of the copy that is shown."""


@dataclass(frozen=True)
class Copy:
    """One reader's copy of an issue."""

    letter: Letter
    recipient: Recipient
    html: str
    text: str
    whose: str
    """Who gets it, for an editor's eyes."""
    became: str | None = None
    """What became of it, where it has gone out."""

    @property
    def size(self) -> int:
        """Bytes of the HTML part."""
        return len(self.html.encode())


@dataclass(frozen=True)
class Nothing:
    """A reader who gets nothing of an issue, and why."""

    whose: str
    why: str


@dataclass(frozen=True)
class VariantOf:
    """One of an issue's variants, and how many get it."""

    selection: Selection
    words: str
    """What it is, for an editor's eyes."""
    readers: int


@dataclass(frozen=True)
class Judged:
    """What is to be known of a variant before it goes out."""

    size: int
    """Bytes of the HTML with the longest values filled in."""
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """An issue that is looked at: what its copies are made of is read once, however many are shown."""

    session: Session = field(repr=False)
    rules: Rules = field(repr=False)
    post: Post = field(repr=False)
    issue: Issue

    @cached_property
    def whole(self) -> Edition:
        """What its letter is made of as it stands now. Raises CannotDo where there is nothing in it."""
        return manuscript(self.session, self.rules, self.issue)

    @cached_property
    def records(self) -> Sequence[Comparison]:
        """Its comparisons, the lead first. Raises CannotDo for an issue that has not begun and has none."""
        begun = self.issue.letter_id is not None
        return comparisons_of(self.session, self.issue) if begun else self.whole.comparisons


def letter_of(look: Look, selection: Selection = WHOLE) -> Letter:
    """A variant of an issue: frozen where it has begun to go out, else as it would be now. Raises CannotDo."""
    issue = look.issue
    if issue.letter_id is None:
        return approving.variant_of(look.whole, selection)
    stored = look.session.get_one(StoredLetter, issue.letter_id)
    letter = variants.find(look.session, stored, selection.without, selection.language)
    if letter is None:
        wanted = [f"chosen {own_name(selection.language)}"] if selection.language else []
        wanted += ["muted just that"] if selection.without else []
        nobody = f"nobody had {' and '.join(wanted)}"
        raise CannotDo(f"issue {issue.week} went out, and {nobody}: no such letter was made")
    return letter


def chosen(look: Look, without: Collection[str], language: str | None) -> Selection:
    """The variant without these comparisons (slugs), in this language. Raises CannotDo where there can be none."""
    known = {each.slug or "" for each in look.records}
    if strange := sorted(set(without) - known):
        raise CannotDo(f"there is no comparison {strange[0]!r} in the issue")
    if known and known == set(without):
        raise CannotDo("nothing would be left of the issue: no such letter goes out")
    if language is not None and language not in available():
        raise CannotDo(f"there is no language {language!r}; there are: {', '.join(available())}")
    other = None if language == look.rules.masthead.language else language
    return Selection(frozenset(without), (), other)


def sample(look: Look, selection: Selection = WHOLE) -> Copy:
    """What the sample reader is sent of a variant: all links lead to nobody. Raises CannotDo."""
    nobody = look.post.sample_recipient(look.issue.created_at)
    return _filled(letter_of(look, selection), nobody, "the sample reader")


def of_reader(look: Look, reader_id: int, *, with_keys: bool = True) -> Copy | Nothing:
    """What a reader is sent of an issue, or was: then the copy that their row in the ledger names. Raises CannotDo.

    `with_keys`: whether the links are the reader's own, as they are in the mail. They are keys, with which everything
    can be done in the reader's name; without them those of the sample reader stand in their place.
    """
    reader = look.session.get(Subscriber, reader_id)
    if reader is None or reader.status == ERASED:
        return Nothing(f"reader {reader_id}", "there is no such reader, or not any more")
    found = _of_ledger(look.session, look.issue, reader) or _as_it_would_be(look, reader)
    if isinstance(found, Nothing):
        return found
    letter, became = found
    number = reader_id if with_keys else SAMPLE_READER[1]
    recipient = look.post.recipient_at(look.issue.created_at)(SAMPLE_READER[0], number, reader.email)
    return _filled(letter, recipient, reader.email, became)


def source_of(look: Look, copy: Copy) -> bytes:
    """A copy as a whole message (RFC 5322), dated when the issue is due; batch and row are those of a sample."""
    envelope = look.post.envelope(look.issue.week)
    return filler_for(copy.letter, envelope).fill(copy.recipient, SAMPLE_BATCH, look.issue.send_at)


def variants_of(look: Look) -> list[VariantOf]:
    """All variants of an issue, the issue itself first, and how many readers get each; of one that has begun, got.

    Before it begins also the whole issue in every other language: the next reader may choose any. Raises CannotDo for
    an issue with nothing in it.
    """
    records, session = look.records, look.session
    if look.issue.letter_id is not None:
        counted, selections = _frozen(session, look.issue.letter_id)
    else:
        choices, planned = approving.drawn(session, look.rules, records, look.issue.send_at)
        others = approving.other_languages(look.rules)
        counted = Counter()
        for choice, readers in choices.items():
            number = planned.number_of.get(choice, 0)
            if number is not None:
                counted[number] += readers
        selections = dict(enumerate(planned.selections, start=1))
        unread = sorted(others - {each.language for each in planned.selections if not each.without})
        selections |= {-number: Selection(frozenset(), (), code) for number, code in enumerate(unread, start=1)}
    found = [VariantOf(WHOLE, "Everything", counted[0])]
    return found + [VariantOf(each, words_of(each, records), counted[number]) for number, each in selections.items()]


def words_of(selection: Selection, records: Sequence[Comparison]) -> str:
    """What a variant is, for an editor's eyes."""
    titles = [each.title for each in records if each.slug in selection.without]
    left_out = (
        f"Without {' and '.join(filter(None, [', '.join(titles[:-1]), *titles[-1:]]))}" if titles else "Everything"
    )
    return f"{left_out}, in {own_name(selection.language)}" if selection.language else left_out


def judged(look: Look, selections: Sequence[Selection], seconds: float) -> list[Judged | None]:
    """Size and findings of variants, in their order; None where the time was over before one's turn came.

    What was found is remembered, so that who asks again gets further. The first one is always looked at.
    """
    until = monotonic() + seconds
    found: list[Judged | None] = []
    for each in selections:
        over = bool(found) and monotonic() >= until
        found.append(None if over else _judged(look.whole, each))
    return found


@lru_cache(maxsize=4096)  # a number, sentences, and hardly ever any
def _judged(whole: Edition, selection: Selection) -> Judged:
    size = size_after_filling(approving.variant_of(whole, selection))
    return Judged(size, approving.findings_of(whole, selection))


def _filled(letter: Letter, recipient: Recipient, whose: str, became: str | None = None) -> Copy:
    html, text = Filler(letter).fill(recipient.values)
    return Copy(letter, recipient, html, text, whose, became)


def _of_ledger(session: Session, issue: Issue, reader: Subscriber) -> tuple[Letter, str] | Nothing | None:
    """The copy that a reader was sent, or is yet to be; None for whom there is no row."""
    row = session.get(Delivery, (issue.letter_id, reader.id)) if issue.letter_id is not None else None
    if row is None:
        return None
    if row.state not in BECAME:
        why = "left or rested" if row.state == ledger.LEFT else "must not be written to"
        return Nothing(reader.email, f"was on the list when it was drawn up, but {why} when their turn came")
    stored = session.get_one(StoredLetter, row.letter_id)
    return variants.letter_of(session, stored, row.variant), BECAME[row.state]


def _as_it_would_be(look: Look, reader: Subscriber) -> tuple[Letter, str | None] | Nothing:
    """The copy of whom there is no row, by what they have chosen."""
    issue, records = look.issue, look.records
    wakes = reader.status == PAUSED and reader.paused_until is not None and reader.paused_until <= issue.send_at
    if reader.status != ACTIVE and not wakes:
        return Nothing(reader.email, f"is {reader.status}: {STATUSES[reader.status]}")
    without = muted_among(records, reader.muted_categories)
    if records and len(without) == len(records):
        return Nothing(reader.email, "has muted everything in it")
    keys = {category_key(name) for name in reader.muted_categories}
    muted = tuple(name for name in categories_of(records) if category_key(name) in keys) if without else ()
    known = reader.language in available() and reader.language != look.rules.masthead.language
    selection = Selection(without, muted, reader.language if known else None)
    if issue.letter_id is None:
        return letter_of(look, selection), None
    stored = look.session.get_one(StoredLetter, issue.letter_id)
    was_not = "was not on the list when it was drawn up; so it would look now"
    letter = variants.find(look.session, stored, without, selection.language)
    return letter or approving.variant_of(look.whole, selection), was_not


def _frozen(session: Session, letter_id: int) -> tuple[Counter[int], dict[int, Selection]]:
    """Of a letter that has begun to go out: number -> readers, number -> what is left out. No letter is read."""
    # By state as well, as the index has it: half as long as by variant alone.
    query = select(Delivery.variant, func.count()).where(Delivery.letter_id == letter_id)
    counted: Counter[int] = Counter()
    for number, readers in session.exec(query.group_by(col(Delivery.state), col(Delivery.variant))):
        counted[number] += readers
    rows = select(Variant.number, Variant.without, Variant.language).where(Variant.letter_id == letter_id)
    return counted, {
        number: Selection(frozenset(json.loads(without)), (), language)
        for number, without, language in session.exec(rows.order_by(col(Variant.number)))
    }

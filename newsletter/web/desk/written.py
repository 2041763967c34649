"""What does the page show on which an issue is written? Its comparisons, what waits, three texts, and marks of them.

A mark names what an editor saw when they began to change it: a text, or the comparisons in their order. What still
bears the mark is nobody else's work, whatever version of the draft it is in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from hashlib import sha256
from typing import Any, Final

from sqlmodel import Session

from newsletter import editing, revisions
from newsletter.comparisons.record import LEFT, RIGHT, Comparison
from newsletter.issues import issue as issues
from newsletter.issues import versions
from newsletter.issues.issue import Issue
from newsletter.issues.subject import MAX_PREHEADER, MAX_SUBJECT
from newsletter.issues.week import Week
from newsletter.language import ENGLISH, ISSUE, speech
from newsletter.rendering.card import most_shown, reviewer, shown_by_default
from newsletter.rendering.markdown import MOST_CHARACTERS, problem, web_html
from newsletter.revisions import Content
from newsletter.web.desk.frame import Desk
from newsletter.web.desk.inbox_line import LINES, in_words
from newsletter.weekly import comparisons_of

TEXTS: Final = {
    "subject": ("Subject", MAX_SUBJECT),
    "preheader": ("Preheader", MAX_PREHEADER),
    "note": ("Note above the comparisons", MOST_CHARACTERS),
}
"""The texts of an issue, how the page calls them, and how many characters each may have."""

MOST_WAITING: Final = 30  # comparisons that are listed


@dataclass(frozen=True)
class Item:
    """One comparison in an issue."""

    slug: str
    title: str
    tools: tuple[tuple[str, int], ...]
    """Names, and the panel's shares in percent."""
    seats: tuple[tuple[str, str, str], ...]
    """The panel: seat, what it is called, and what it would do."""
    shown: tuple[str, ...]
    """Whose words show: a seat for each choice that there is, empty for a choice that nobody was made of."""
    is_chosen: bool
    """Whether an editor has chosen them."""


@dataclass(frozen=True)
class Trouble:
    """Why a text was not saved: it is wrong, or somebody else has written it meanwhile."""

    typed: str
    said: str
    theirs: str | None = None
    """What somebody else has written."""
    mark: str = ""
    """Of that: who brings it back has seen it."""


@dataclass(frozen=True)
class Text:
    """One of the texts of an issue."""

    name: str
    label: str
    most: int
    """Characters."""
    own: str
    """What an editor has written; empty where nobody has."""
    made: str
    """What stands there where nobody has."""
    mark: str
    trouble: Trouble | None = None

    @property
    def shown(self) -> str:
        """What the field holds."""
        return self.own if self.trouble is None else self.trouble.typed

    @property
    def goes_out(self) -> str:
        """What the letter has."""
        return self.own or self.made


def mark_of(stands: Content, part: str) -> str:
    """The mark of a text, or of the comparisons with whose words show."""
    return sha256(repr(getattr(stands, part)).encode(errors="replace")).hexdigest()[:16]


def values(desk: Desk, session: Session, issue: Issue, troubles: Mapping[str, Trouble] | None = None) -> dict[str, Any]:
    """All that the page shows of an issue. `troubles`: of texts that were not saved."""
    assert issue.id is not None  # it was read from the database
    rules = desk.site.assembly.rules
    stands = revisions.content(session, issue)
    records = comparisons_of(session, issue)
    texts = {name: _text(name, stands, issue, (troubles or {}).get(name)) for name in TEXTS}
    newest = versions.history(session, issue.id, 1)
    waits = editing.waiting(session, rules, Week.parse(issue.week)) if issue.state == issues.DRAFT else []
    subject, preheader = texts["subject"].goes_out, texts["preheader"].goes_out
    return {
        "issue": issue,
        "items": [_item(at, record, stands) for at, record in enumerate(records)],
        "list_mark": mark_of(stands, "comparisons"),
        "waits": waits[:MOST_WAITING],
        "more_wait": max(0, len(waits) - MOST_WAITING),
        "texts": texts,
        "note_html": web_html(stands.note),
        "undoes": revisions.undoes(session, issue),
        "redoes": revisions.redoes(session, issue),
        "last": newest[0] if newest else None,
        "sender": _sender(desk.site.assembly.settings.from_),
        "lines": [(line, in_words(line, subject, preheader)) for line in LINES],
    }


def trouble_with(desk: Desk, session: Session, issue: Issue, stands: Content, part: str, typed: str) -> Trouble:
    """Somebody else has written a text meanwhile: who, when, and both texts."""
    assert issue.id is not None  # it was read from the database
    found = versions.wrote(session, issue.id, part)
    label = TEXTS[part][0].lower().split(" above")[0]
    if found is None:
        who = f"The {label} was changed meanwhile"
    else:
        version, name = found
        at = version.at.astimezone(desk.site.assembly.rules.zone)
        who = f"{name or 'A command'} changed the {label} meanwhile ({at:%H:%M}: {version.what})"
    return Trouble(typed, f"{who}. Yours is not saved yet.", getattr(stands, part), mark_of(stands, part))


def note_as_shown(note: str) -> tuple[Any, str | None]:
    """An editor's note as it will show, and why it cannot be taken, where it cannot."""
    plain = note.replace("\r\n", "\n").strip()
    wrong = problem(plain) if plain else None
    return (web_html(plain) if wrong is None else ""), wrong


def seats_chosen(before: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """Whose words are to show by the choices of a form; `before`: those that the form showed.

    Who is chosen a second time changes places with who stood there: so nobody is lost where two are to be swapped.
    """
    after = list(chosen)
    for at, seat in enumerate(chosen):
        was = before[at] if at < len(before) else ""
        if seat and seat != was:
            for other, same in enumerate(after):
                if same == seat and other != at:
                    after[other] = was
    return list(dict.fromkeys(filter(None, after)))


def shown_of(record: Comparison, place: int, quoted: tuple[str, ...] | None) -> tuple[tuple[str, ...], bool]:
    """Whose words show of a comparison in a place (0 leads), a seat for each choice; and whether they were chosen."""
    seats = record.seats()
    chosen = tuple(seat for seat in quoted or () if seat in seats)[: most_shown(place)]
    shown = chosen or shown_by_default(record, place)
    choices = min(most_shown(place), len(seats))
    return shown + ("",) * (choices - len(shown)), bool(chosen)


def _item(place: int, record: Comparison, stands: Content) -> Item:
    say = speech(ENGLISH, ISSUE)
    names = record.tools[LEFT].name, record.tools[RIGHT].name
    shown, is_chosen = shown_of(record, place, stands.comparisons[place].quoted)
    return Item(
        slug=record.slug or "",
        title=record.title,
        tools=tuple((name, record.panel_ship(side)) for side, name in enumerate(names)),
        seats=tuple((seat, reviewer(say, seat), _stance(record, seat)) for seat in record.seats()),
        shown=shown,
        is_chosen=is_chosen,
    )


def _stance(record: Comparison, seat: str) -> str:
    """What a reviewer would do, in a few words; nothing where that is not known."""
    pair = record.pair(seat)
    ships = [review.tool for review in pair if review.verdict == "ship"]
    skips = [review.tool for review in pair if review.verdict == "skip"]
    if len(ships) == len(pair):
        return "ships both"
    if len(skips) == len(pair):
        return "skips both"
    return ", ".join([f"ships {name}" for name in ships] + [f"skips {name}" for name in skips])


def _text(name: str, stands: Content, issue: Issue, trouble: Trouble | None) -> Text:
    label, most = TEXTS[name]
    made = {"subject": issue.subject, "preheader": issue.preheader}.get(name, "")
    return Text(name, label, most, getattr(stands, name), made, mark_of(stands, name), trouble)


def _sender(written: str) -> str:
    name, address = parseaddr(written)
    return name or address

"""Where does every reader of an issue stand just now? The accounting equation as a picture that renews itself.

The picture holds nothing that can be pressed or typed into: it is put in place of itself every two seconds. Where what
an editor may do has become another, the whole page is loaded anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session

from newsletter.delivery import ledger, speed
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.speed import Speed
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.web.carrier import Word
from newsletter.web.desk.frame import HEADERS, Desk, Here, is_part, page

WORDS: Final = {
    ledger.ACCEPTED: "accepted by the provider",
    ledger.REFUSED: "refused by the provider",
    ledger.SUPPRESSED: "suppressed since",
    ledger.LEFT: "left or resting since",
    ledger.IN_DOUBT: "in doubt",
    ledger.SENDING: "being sent",
    ledger.QUEUED: "waiting",
}
"""The states of the accounting equation, in the order of the bar, and what an editor calls them."""

NEVER: Final = "never sent to"
"""What becomes of those who were waiting when an issue was called off."""

WHOLE: Final = 1_000
"""How long the bar is; whoever is counted at all takes `SLIVER` of it at least."""
SLIVER: Final = 6
STEP: Final = 10  # percent; of that much progress it is spoken again to whoever hears the page

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Segment:
    """A stretch of the bar: readers in one state."""

    state: str
    words: str
    count: int
    begins: float
    """Percent from the left."""
    width: float
    """Percent."""


@dataclass(frozen=True)
class Standing:
    """Where an issue stands at a moment."""

    books: Accounting
    segments: Sequence[Segment]
    since: datetime
    """When the list was drawn up."""
    pace: Speed
    done_at: datetime | None
    """About when it will be through; None where it does not move."""
    quiet: int | None
    """Seconds since a batch was last begun."""
    doing: str | None
    """What this process does for it, or is about to."""
    word: Word | None
    moves: bool
    """Whether it changes by itself, so that the picture is to be renewed."""
    shown: str
    """What decides which acts the page offers: as long as it is the same, the rest of the page is right."""
    settled: int
    """Percent of the readers of whom nothing is to come any more."""

    @property
    def step(self) -> str:
        """Up to where it is told to whoever hears the page: not at every look, which nobody could bear."""
        return f"{self.shown} {self.settled // STEP}"


@router.get("/issues/{week}/progress")
def progress(
    desk: Here, week: str, shown: Annotated[str, Query()] = "", heard: Annotated[str, Query()] = ""
) -> Response:
    """The picture alone, for the page that shows it. `shown`, `heard`: what that page says already."""
    with desk.reading() as session:
        issue = require(session, week)
        at = standing(desk, session, issue)
    if not is_part(desk.request):
        return RedirectResponse(path_of(issue), 303, HEADERS)
    if at is None or at.shown != shown:
        return Response(status_code=204, headers={**HEADERS, "HX-Refresh": "true"})
    return page(desk, "progress_part.html", issue=issue, at=at, heard=heard)


def require(session: Session, written: str) -> Issue:
    """The issue of a week in an address. Raises HTTPException 404."""
    try:
        issue = issues.find(session, Week.parse(written))
    except ValueError:
        issue = None
    if issue is None:
        raise HTTPException(404)
    return issue


def path_of(issue: Issue) -> str:
    """The page of an issue on its way."""
    return f"/desk/issues/{issue.week}/send"


def standing(desk: Desk, session: Session, issue: Issue) -> Standing | None:
    """Where an issue stands; None where it has not begun, and nobody is about to begin it."""
    carrier = desk.site.carrier
    doing, word = carrier.doing(issue.week), carrier.word(issue.week)
    due = issue.state in (issues.APPROVED, issues.SCHEDULED) and issue.send_at <= desk.now
    if issue.letter_id is None:
        if not (due or doing or word):
            return None
        shown = f"{issue.state}-{'due' if due else ''}"
        return Standing(Accounting(), (), issue.send_at, Speed(), None, None, doing, word, due or bool(doing), shown, 0)
    books = ledger.accounting(session, issue.letter_id)
    pace = speed.of_letter(session, issue.letter_id, desk.now)
    goes = issue.state == issues.SENDING
    decidable = 0 if goes else books.in_doubt  # while it goes, doubts come and go by themselves
    settled = books.audience - books.unsettled
    return Standing(
        books=books,
        segments=segments(books, called_off=issue.state == issues.CANCELLED),
        since=session.get_one(ledger.StoredLetter, issue.letter_id).created_at,
        pace=pace,
        done_at=pace.done_at(books.queued + books.sending, desk.now) if goes else None,
        quiet=None if pace.last_at is None else max(0, round((desk.now - pace.last_at).total_seconds())),
        doing=doing,
        word=word,
        moves=goes or bool(books.sending) or bool(doing),
        shown=f"{issue.state}-{decidable}",  # nothing that only this process knows: another may answer the next time
        settled=100 * settled // books.audience if books.audience else 0,
    )


def segments(books: Accounting, *, called_off: bool = False) -> list[Segment]:
    """The stretches of the bar that stand for somebody. Together they are as long as it is."""
    words = WORDS | ({ledger.QUEUED: NEVER} if called_off else {})
    counts = [(state, getattr(books, state)) for state in WORDS if getattr(books, state)]
    total = sum(count for _, count in counts)
    if not total:
        return []
    room = WHOLE - SLIVER * len(counts)
    lengths = [SLIVER + room * count / total for _, count in counts]
    ends = list(accumulate(lengths))
    return [
        Segment(state, words[state], count, round((end - length) / WHOLE * 100, 3), round(length / WHOLE * 100, 3))
        for (state, count), length, end in zip(counts, lengths, ends, strict=True)
    ]

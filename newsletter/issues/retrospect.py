"""What does an issue say of the ones before it? How readers voted on the last one, and what the panel said of a tool.

Pure. The vote is kept with an issue as JSON, as it stood when the issue was drafted: an editor approves bytes, and no
vote that comes later changes them. Where what is kept cannot be read, a letter says nothing of it.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from newsletter.language import Speech

MOST: Final = 6
"""Comparisons of the issue before whose vote is told, the most voted first."""

Percent = Annotated[int, Field(ge=0, le=100)]
WrittenWeek = Annotated[str, Field(pattern=r"^\d{4}-W\d{2}$")]


@dataclass(frozen=True)
class Share:
    """What share of the panel would ship a tool, 0 to 100, as the issue of a week says."""

    week: str
    percent: int


Shares = tuple[Share | None, Share | None]
"""Of the left and of the right tool of a comparison; None where no such issue has the tool."""

NO_SHARES: Final[Shares] = (None, None)


@dataclass(frozen=True)
class Result:
    """How readers voted on one comparison. Of pairs, the left tool's comes first; shares are 0 to 100."""

    slug: str
    title: str
    tools: tuple[str, str]
    panel: tuple[Percent, Percent]
    readers: tuple[Percent, Percent]
    votes: Annotated[int, Field(ge=1)]
    """How many have voted."""


@dataclass(frozen=True)
class LastVote:
    """How readers voted on the issue of a week (`2026-W46`)."""

    week: WrittenWeek
    results: Annotated[tuple[Result, ...], Field(min_length=1, max_length=MOST)]
    """The most voted first."""


_KEPT: Final = TypeAdapter(LastVote)


def written(vote: LastVote | None) -> str | None:
    """A vote as text, to be kept with the issue that tells it; None where there is none."""
    return None if vote is None else _KEPT.dump_json(vote).decode()


def read(kept: str | None) -> LastVote | None:
    """The vote that was written; None where there is none, or it cannot be read."""
    try:
        return None if kept is None else _KEPT.validate_json(kept)
    except ValidationError:
        return None


def changed(share: Share | None, percent: int) -> Share | None:
    """What the other issue said, where that is something else."""
    return None if share is None or share.percent == percent else share


def week_in_words(say: Speech, week: str, beside: str) -> str:
    """A week beside another one: "week 46", and "week 52 of 2025" in another year."""
    year, number = week.split("-W")
    if beside.startswith(year):
        return say("week {number}", number=int(number))
    return say("week {number} of {year}", number=int(number), year=year)

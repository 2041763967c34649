"""What is in the store, page by page? The newest first, or those with a tool or a title that begins with some words."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from newsletter.comparisons.comparison import ComparisonRow, SideRow, Stored, ToolRow, load_many
from newsletter.comparisons.record import folded

PAGE = 50  # comparisons

Key = tuple[datetime, int]
"""Where a comparison stands in the order: when it was published, and its id."""


@dataclass(frozen=True)
class Shelf:
    """One page of the store."""

    stored: tuple[Stored, ...]
    next: Key | None
    """Where the next page begins: behind this one; None of the last page."""


def browse(session: Session, wanted: str = "", before: Key | None = None, most: int = PAGE) -> Shelf:
    """The comparisons behind a place, the newest first; `wanted`: how a title or a tool's name begins, in any case."""
    query = select(ComparisonRow.id, ComparisonRow.published_at)
    if key := folded(wanted):
        with_tool = (
            select(SideRow.comparison_id)
            .join(ToolRow, col(ToolRow.id) == col(SideRow.tool_id))
            .where(col(ToolRow.name_key).startswith(key, autoescape=True))
        )
        titled = col(ComparisonRow.title_key).startswith(key, autoescape=True)
        query = query.where(or_(titled, col(ComparisonRow.id).in_(with_tool)))
    if before is not None:
        at, number = before
        same_moment = (col(ComparisonRow.published_at) == at) & (col(ComparisonRow.id) < number)
        query = query.where(or_(col(ComparisonRow.published_at) < at, same_moment))
    order = (col(ComparisonRow.published_at).desc(), col(ComparisonRow.id).desc())
    found = [(number, at) for number, at in session.exec(query.order_by(*order).limit(most + 1)) if number is not None]
    page = found[:most]
    numbers = [number for number, _ in page]
    stored = tuple(map(Stored, numbers, load_many(session, numbers)))
    return Shelf(stored, (page[-1][1], page[-1][0]) if len(found) > most else None)

"""What do we know about tools, and how did they compare? The tables, and every query on them.

Promises: a comparison loads as it was imported, word for word; saving the same one twice changes nothing; what one
comparison printed of a tool is not touched by what a later one prints.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from slugify import slugify
from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, delete, select

from newsletter.comparisons import changes
from newsletter.comparisons.record import MAX_SLUG, Comparison, Review, Tool, folded
from newsletter.db import Table, one_of

BATCH = 500  # comparisons in one query; SQLite takes at most 32766 values
_SLUG = re.compile(r"[a-z0-9-]{1,200}")
"""What a slug may be, and more; PostgreSQL refuses some other characters even to look for."""
SHORT_SUFFIX, LONG_SUFFIX = 6, 32  # hexadecimal digits that tell namesakes apart


class ToolRow(Table, table=True):
    """A product, whatever comparison it is in. Its figures belong to the comparisons, since they change."""

    __tablename__ = "tools"

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str  # as it was first seen
    name_key: str = Field(unique=True)  # record.folded(name)


class ComparisonRow(Table, table=True):
    """Two tools side by side, on a day."""

    __tablename__ = "comparisons"

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    title: str
    title_key: str = Field(index=True)  # record.folded(title); not unique: slugs may tell namesakes apart
    url: str | None = None
    published_at: datetime = Field(index=True)
    imported_at: datetime
    updated_at: datetime  # when an import last changed something


class SideRow(Table, table=True):
    """One tool as one comparison printed it."""

    __tablename__ = "sides"
    __table_args__ = (
        UniqueConstraint("comparison_id", "side"),
        CheckConstraint("side IN (0, 1)", name="side"),
        CheckConstraint("panel_ship BETWEEN 0 AND 100", name="panel_ship"),
        CheckConstraint("community_ship BETWEEN 0 AND 100", name="community_ship"),
    )

    id: int | None = Field(default=None, primary_key=True)
    comparison_id: int = Field(foreign_key="comparisons.id")
    side: int  # record.LEFT or record.RIGHT
    tool_id: int = Field(foreign_key="tools.id", index=True)
    name: str
    tagline: str
    category: str
    entry_price: str
    description: str
    panel_ship: int  # percent, as published
    community_ship: int | None = None  # percent, as published; NULL while nobody had voted


class ReviewRow(Table, table=True):
    """What one seat of the panel said of one side."""

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("comparison_id", "position", "side"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("side IN (0, 1)", name="side"),
        CheckConstraint(one_of("verdict", ("ship", "skip")), name="verdict"),  # NULL passes: not known
    )

    id: int | None = Field(default=None, primary_key=True)
    comparison_id: int = Field(foreign_key="comparisons.id")
    position: int  # of the seat, from 0
    seat: str
    side: int  # record.LEFT or record.RIGHT
    verdict: str | None = None
    quote: str


@dataclass(frozen=True)
class Imported:
    """What saving a record did: a new comparison, none (it was there, word for word), or these changes."""

    slug: str
    title: str
    change: Literal["new", "unchanged", "updated"]
    changes: tuple[str, ...] = ()  # "panel_ship of Codestral 2.1: 75 → 50", "description of Codestral 2.1"


@dataclass(frozen=True)
class Stored:
    """A comparison and its key in the store."""

    id: int
    record: Comparison


def save(session: Session, record: Comparison, now: datetime) -> Imported:
    """Store a comparison, or bring the stored one up to date; the caller commits.

    It is the same comparison if its slug is; without a slug, if its title is, case and spacing aside. What a record
    is silent about stays: its address, its date, and verdicts on a side whose quotes and share are unchanged. A new
    comparison without a date is published now. `now` is aware. Raises ValueError where several have that title.
    """
    try:
        with session.begin_nested():
            return _save(session, record, now)
    except IntegrityError:  # since we looked, another transaction has stored it, or one of its tools
        with session.begin_nested():
            return _save(session, record, now)


def load(session: Session, comparison_id: int) -> Comparison:
    """One comparison, with slug and date. Raises LookupError for an id that is not there."""
    return load_many(session, [comparison_id])[0]


def load_many(session: Session, ids: Sequence[int]) -> list[Comparison]:
    """Comparisons in the order of their ids, in three queries for each 500. LookupError for one that is not there."""
    records: dict[int, Comparison] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), BATCH):
        records |= _load_batch(session, wanted[start : start + BATCH])
    if missing := [str(each) for each in wanted if each not in records]:
        raise LookupError(f"there is no comparison {', '.join(missing)}")
    return [records[each] for each in ids]


def is_slug(text: str) -> bool:
    """Whether a comparison or a tool may be called so in URLs; what is no slug is not to be looked for."""
    return _SLUG.fullmatch(text) is not None


def by_slug(session: Session, slug: str) -> Stored | None:
    """The comparison that URLs name so; None where they name none."""
    if not is_slug(slug):
        return None
    found = session.exec(select(ComparisonRow.id).where(ComparisonRow.slug == slug)).first()
    return None if found is None else Stored(found, load(session, found))


def list_comparisons(session: Session) -> list[Stored]:
    """Everything in the store, the newest first."""
    order = (col(ComparisonRow.published_at).desc(), col(ComparisonRow.id).desc())
    ids = [each for each in session.exec(select(ComparisonRow.id).order_by(*order)) if each is not None]
    return [Stored(key, record) for key, record in zip(ids, load_many(session, ids), strict=True)]


def _load_batch(session: Session, ids: Sequence[int]) -> dict[int, Comparison]:
    sides: dict[int, list[Tool]] = defaultdict(list)
    in_order = (col(SideRow.comparison_id), col(SideRow.side))
    for side in session.exec(select(SideRow).where(col(SideRow.comparison_id).in_(ids)).order_by(*in_order)):
        sides[side.comparison_id].append(Tool(**{name: getattr(side, name) for name in Tool.model_fields}))
    reviews: dict[int, list[Review]] = defaultdict(list)
    by_seat = (col(ReviewRow.comparison_id), col(ReviewRow.position), col(ReviewRow.side))
    for row in session.exec(select(ReviewRow).where(col(ReviewRow.comparison_id).in_(ids)).order_by(*by_seat)):
        tool = sides[row.comparison_id][row.side].name
        reviews[row.comparison_id].append(
            Review.model_validate({"seat": row.seat, "tool": tool, "verdict": row.verdict, "quote": row.quote})
        )
    return {
        row.id: Comparison.model_validate(
            {
                "title": row.title,
                "slug": row.slug,
                "url": row.url,
                "published_at": row.published_at,
                "tools": sides[row.id],
                "reviews": reviews[row.id],
            }
        )
        for row in session.exec(select(ComparisonRow).where(col(ComparisonRow.id).in_(ids)))
        if row.id is not None
    }


def _save(session: Session, record: Comparison, now: datetime) -> Imported:
    row = _find(session, record)
    if row is None:
        key = folded(record.title)
        row = ComparisonRow(
            slug=record.slug or _free_slug(session, ComparisonRow, record.title, key),
            title=record.title,
            title_key=key,
            url=None if record.url is None else str(record.url),
            published_at=record.published_at or now,
            imported_at=now,
            updated_at=now,
        )
        session.add(row)
        session.flush()
        _write_parts(session, row, record)
        return Imported(row.slug, row.title, "new")
    assert row.id is not None  # it was read from the database
    stored = load(session, row.id)
    filled = changes.filled_in(record, stored)
    changed = changes.between(stored, filled)
    if not changed:
        return Imported(row.slug, row.title, "unchanged")
    assert filled.published_at is not None  # the stored one has a date
    row.title, row.title_key = filled.title, folded(filled.title)
    row.url = None if filled.url is None else str(filled.url)
    row.published_at = filled.published_at
    row.updated_at = now
    session.add(row)
    _write_parts(session, row, filled)
    return Imported(row.slug, row.title, "updated", tuple(changed))


def _find(session: Session, record: Comparison) -> ComparisonRow | None:
    if record.slug is not None:
        return session.exec(select(ComparisonRow).where(ComparisonRow.slug == record.slug)).first()
    key = folded(record.title)
    namesakes = session.exec(select(ComparisonRow).where(ComparisonRow.title_key == key)).all()
    if len(namesakes) > 1:  # some were stored under slugs of their own; a title alone means the one it made
        made = [row for row in namesakes if row.slug in _slugs(record.title, key)]
        if len(made) != 1:
            slugs = ", ".join(sorted(row.slug for row in namesakes))
            raise ValueError(f"several comparisons are titled {record.title!r}: say which by its slug ({slugs})")
        return made[0]
    return namesakes[0] if namesakes else None


def _write_parts(session: Session, row: ComparisonRow, record: Comparison) -> None:
    """Write sides and reviews in the place of what there was."""
    assert row.id is not None  # flushed
    sides = {side.side: side for side in session.exec(select(SideRow).where(SideRow.comparison_id == row.id))}
    session.exec(delete(ReviewRow).where(col(ReviewRow.comparison_id) == row.id))
    for side, tool in enumerate(record.tools):
        printed = {
            **tool.model_dump(),
            "panel_ship": record.panel_ship(side),
            "tool_id": _tool_id(session, tool.name),
        }
        if side in sides:
            session.add(sides[side].sqlmodel_update(printed))
        else:
            session.add(SideRow(comparison_id=row.id, side=side, **printed))
    for position, (seat, pair) in enumerate(record.pairs().items()):
        for side, review in enumerate(pair):
            session.add(
                ReviewRow(
                    comparison_id=row.id,
                    position=position,
                    seat=seat,
                    side=side,
                    verdict=review.verdict,
                    quote=review.quote,
                )
            )
    session.flush()


def _tool_id(session: Session, name: str) -> int:
    key = folded(name)
    tool = session.exec(select(ToolRow).where(ToolRow.name_key == key)).first()
    if tool is None:
        tool = ToolRow(slug=_free_slug(session, ToolRow, name, key), name=name, name_key=key)
        session.add(tool)
        session.flush()
    assert tool.id is not None
    return tool.id


def _free_slug(session: Session, table: type[ComparisonRow | ToolRow], text: str, key: str) -> str:
    """The first of a text's slugs that nothing else has. "C vs C#" and "C++ vs C#" would make the same one."""
    for slug in _slugs(text, key):
        if session.exec(select(table.id).where(table.slug == slug)).first() is None:
            return slug
    raise ValueError(f"every slug for {text!r} is taken: give it one")


def _slugs(text: str, key: str) -> list[str]:
    """What a text may be called in URLs, the readable first; none of the later ones is another text's first."""
    digest = sha256(key.encode()).hexdigest()
    plain = slugify(text, max_length=MAX_SLUG, word_boundary=True)
    cut = slugify(text, max_length=MAX_SLUG - 1 - LONG_SUFFIX, word_boundary=True) or "untitled"
    marked = [f"{cut}-{digest[:length]}" for length in (SHORT_SUFFIX, LONG_SUFFIX)]
    return [plain, *marked] if plain else marked

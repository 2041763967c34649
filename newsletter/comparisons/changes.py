"""What is different between a stored comparison and one that comes in?

Pure. Promises: nothing that an import writes goes unnamed; what the newcomer is silent about is no difference.
"""

from newsletter.comparisons.record import Comparison, Tool

SHOWN = 40  # characters; longer values are named, not shown


def filled_in(record: Comparison, stored: Comparison) -> Comparison:
    """The record with what only the stored one says: slug, address, date, verdicts.

    Pages carry none of these. Verdicts are kept for a side that names none, if its quotes and its share are the
    same: else they may be verdicts on something else.
    """
    tools = tuple(tool.model_copy(update={"panel_ship": record.panel_ship(n)}) for n, tool in enumerate(record.tools))
    known = {(each.seat, each.tool): each for each in stored.reviews}
    kept = {
        tool.name for tool, before in zip(tools, stored.tools, strict=True) if _same_panel(record, stored, tool, before)
    }
    reviews = tuple(
        each.model_copy(update={"verdict": known[each.seat, each.tool].verdict}) if each.tool in kept else each
        for each in record.reviews
    )
    return record.model_copy(
        update={
            "slug": stored.slug,
            "url": record.url or stored.url,
            "published_at": record.published_at or stored.published_at,
            "tools": tools,
            "reviews": reviews,
        }
    )


def _same_panel(record: Comparison, stored: Comparison, tool: Tool, before: Tool) -> bool:
    now = [each for each in record.reviews if each.tool == tool.name]
    then = [each for each in stored.reviews if each.tool == before.name]
    return (
        (tool.name, tool.panel_ship) == (before.name, before.panel_ship)
        and all(each.verdict is None for each in now)
        and [(each.seat, each.quote) for each in now] == [(each.seat, each.quote) for each in then]
    )


def between(stored: Comparison, record: Comparison) -> list[str]:
    """Each difference in a few words: `panel_ship of Codestral 2.1: 75 → 50`, `description of Codestral 2.1`."""
    found = [
        *_difference("title", stored.title, record.title),
        *_difference("url", stored.url, record.url),
        *_difference("published_at", stored.published_at, record.published_at),
    ]
    for side, (before, after) in zip(("left", "right"), zip(stored.tools, record.tools, strict=True), strict=True):
        found += _difference(f"name of the {side} tool", before.name, after.name)
        for field in ("tagline", "category", "entry_price", "panel_ship", "community_ship", "description"):
            found += _difference(f"{field} of {after.name}", getattr(before, field), getattr(after, field))
    before_of, after_of = stored.pairs(), record.pairs()
    found += _difference("seats", ", ".join(before_of), ", ".join(after_of))
    for seat, pair in after_of.items():
        if seat in before_of:
            for then, now in zip(before_of[seat], pair, strict=True):
                found += _difference(f"{seat}'s verdict on {now.tool}", then.verdict, now.verdict)
                found += _difference(f"{seat}'s quote on {now.tool}", then.quote, now.quote)
    return found


def _difference(what: str, before: object, after: object) -> list[str]:
    if before == after:
        return []
    values = ["none" if value is None else str(value) for value in (before, after)]
    short = all(len(value) <= SHOWN and "\n" not in value for value in values)
    return [f"{what}: {values[0]} → {values[1]}" if short else what]

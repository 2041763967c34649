"""Pages and records to test with."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from newsletter.comparisons.record import SEATS, Comparison

SEEDS = Path(__file__).parents[2].parent / "shared" / "seeds"
NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)

needs_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed pages are not here")

CHROME = (
    "Weekly AI Tool Verdicts",
    "Get the next comparison in your inbox",
    "New AI tools ship daily. We compare them before you waste an afternoon.",
)


def tool(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "tagline": f"What {name} is for",
        "category": "Developer Tools",
        "entry_price": "$12/mo",
        "panel_ship": 75,
        "community_ship": None,
        "description": f"{name} does <b>this & that</b>.",
    } | fields


def data(left: str = "Haiku", right: str = "Codestral 2.1", **fields: Any) -> dict[str, Any]:
    """A comparison as JSON has it, as a page could print it."""
    reviews = [
        {"seat": seat, "tool": name, "verdict": None, "quote": f"The {seat} on {name}: it’s “fine”."}
        for seat in SEATS
        for name in (left, right)
    ]
    return {"title": f"{left} vs {right}", "tools": [tool(left), tool(right)], "reviews": reviews} | fields


def record(left: str = "Haiku", right: str = "Codestral 2.1", **fields: Any) -> Comparison:
    return Comparison.model_validate(data(left, right, **fields))


def page(comparison: Comparison, *, chrome: bool = True, marks: str = "“”") -> str:
    """The page that prints a comparison."""
    lines = ["AI tool comparison", comparison.title, "Which one should you ship with? Here it is."]
    if not chrome:
        lines = [comparison.title]
    for each in comparison.tools:
        community = "—" if each.community_ship is None else f"{each.community_ship}%"
        lines += [each.category, each.name, each.tagline, f"{each.panel_ship}%", "Panel ship", community, "Community"]
        lines += [each.entry_price, "Entry", each.description]
    lines.append("Reviewer scorecard")
    lines += [f"{marks[0]}{each.quote}{marks[1]}" for each in comparison.reviews]
    return "\n".join([*lines, *(CHROME if chrome else ())])

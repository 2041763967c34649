"""Which variants does an issue have, and who gets which?

Pure. Readers who have muted different categories may still get the same comparisons: one variant is made for each set
of comparisons that is left, however many readers and however many ways of muting lead to it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from newsletter.comparisons.categories import categories_of, category_key, muted_among
from newsletter.comparisons.record import Comparison


@dataclass(frozen=True)
class Selection:
    """An issue without some of its comparisons."""

    without: frozenset[str]
    """The slugs of those that are left out: never none, never all."""
    muted: tuple[str, ...]
    """The categories that one of its readers has muted, of those that are in the issue; for an editor's eyes."""


@dataclass(frozen=True)
class Plan:
    """Who gets which variant of an issue."""

    selections: tuple[Selection, ...]
    """In the order of their numbers, which begin at 1: 0 is the issue itself."""
    number_of: Mapping[str, int | None]
    """What is muted -> the variant's number, None where nothing is left. Whoever gets the issue itself is not in it."""
    left_out: int
    """Readers for whom nothing is left."""


def plan(comparisons: Sequence[Comparison], mutings: Mapping[str, int]) -> Plan:
    """Group readers by what is left for them.

    `mutings`: names of muted categories, as JSON arrays -> how many readers have muted them. The same ones give the
    same numbers, in whatever order they come.
    """
    everything = frozenset(comparison.slug or "" for comparison in comparisons)
    names = {category_key(name): name for name in categories_of(comparisons)}
    selections: dict[frozenset[str], Selection] = {}
    number_of: dict[str, int | None] = {}
    numbers: dict[frozenset[str], int] = {}
    left_out = 0
    for muting in sorted(mutings, key=lambda text: (len(text), text)):
        muted = [str(name) for name in json.loads(muting)]
        without = muted_among(comparisons, muted)
        if without == everything:
            number_of[muting] = None
            left_out += mutings[muting]
        elif without:
            keys = {category_key(name) for name in muted}
            shown = tuple(name for key, name in names.items() if key in keys)
            selections.setdefault(without, Selection(without, shown))
            number_of[muting] = numbers.setdefault(without, len(selections))
    return Plan(tuple(selections.values()), number_of, left_out)

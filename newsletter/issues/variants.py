"""Which variants does an issue have, and who gets which?

Pure. Readers who have muted different categories may still get the same comparisons: one variant is made for each set
of comparisons that is left and each language in which it is read, however many readers and however many ways of muting
lead to it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from newsletter.comparisons.categories import categories_of, category_key, muted_among
from newsletter.comparisons.record import Comparison

Choice = tuple[str, str | None]
"""What readers have chosen that a letter depends on: the categories that they have muted, as a JSON array of names,
and their language, where they have named one."""


@dataclass(frozen=True)
class Selection:
    """An issue without some of its comparisons, or in another language, or both."""

    without: frozenset[str]
    """The slugs of those that are left out: never all."""
    muted: tuple[str, ...]
    """The categories that one of its readers has muted, of those that are in the issue; for an editor's eyes."""
    language: str | None = None
    """In which it is read; None for the newsletter's own."""


@dataclass(frozen=True)
class Plan:
    """Who gets which variant of an issue."""

    selections: tuple[Selection, ...]
    """In the order of their numbers, which begin at 1: 0 is the issue itself."""
    number_of: Mapping[Choice, int | None]
    """What is chosen -> the variant's number, None where nothing is left. Who gets the issue itself is not in it."""
    left_out: int
    """Readers for whom nothing is left."""


def plan(comparisons: Sequence[Comparison], choices: Mapping[Choice, int], others: Collection[str] = ()) -> Plan:
    """Group readers by what is left for them and by language.

    `choices`: what is chosen -> how many readers have chosen it; `others`: the languages that there are beside the
    newsletter's own, which is that of whoever has chosen any other. The same choices give the same numbers, in whatever
    order they come.
    """
    everything = frozenset(comparison.slug or "" for comparison in comparisons)
    names = {category_key(name): name for name in categories_of(comparisons)}
    selections: dict[tuple[frozenset[str], str | None], Selection] = {}
    number_of: dict[Choice, int | None] = {}
    numbers: dict[tuple[frozenset[str], str | None], int] = {}
    left_out = 0
    for choice in sorted(choices, key=lambda each: (_spoken(each, others) or "", len(each[0]), each[0], each[1] or "")):
        muted = [str(name) for name in json.loads(choice[0])]
        language = _spoken(choice, others)
        without = muted_among(comparisons, muted)
        if without == everything:
            number_of[choice] = None
            left_out += choices[choice]
        elif without or language:
            keys = {category_key(name) for name in muted}
            shown = tuple(name for key, name in names.items() if key in keys) if without else ()
            selections.setdefault((without, language), Selection(without, shown, language))
            number_of[choice] = numbers.setdefault((without, language), len(selections))
    return Plan(tuple(selections.values()), number_of, left_out)


def _spoken(choice: Choice, others: Collection[str]) -> str | None:
    """The language that a reader's letter is in; None for the newsletter's own."""
    return choice[1] if choice[1] in others else None

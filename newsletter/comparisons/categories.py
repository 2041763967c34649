"""Which categories is a comparison in, and is it left out for a reader who has muted some?

Pure. The rule: a comparison is left out when every category of it is muted. Two names are one category when case,
spacing and the width of their letters are all that tells them apart.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from newsletter.comparisons.record import Comparison, folded


def category_key(name: str) -> str:
    """What is compared of a category's name."""
    return folded(name)


def categories_of(comparisons: Iterable[Comparison]) -> list[str]:
    """The names of all their categories, each once (as it is first spelled), sorted."""
    names: dict[str, str] = {}
    for comparison in comparisons:
        for tool in comparison.tools:
            names.setdefault(category_key(tool.category), tool.category)
    return [names[key] for key in sorted(names)]


def is_muted(comparison: Comparison, muted: AbstractSet[str]) -> bool:
    """Whether all categories of a comparison are among the muted ones, which are keys."""
    return all(category_key(tool.category) in muted for tool in comparison.tools)


def muted_among(comparisons: Sequence[Comparison], muted: Iterable[str]) -> frozenset[str]:
    """The slugs of those that somebody does not get who has muted these categories, by name."""
    keys = {category_key(name) for name in muted}
    return frozenset(comparison.slug or "" for comparison in comparisons if is_muted(comparison, keys))

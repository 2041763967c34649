"""Who has the letter, and how often? What a crash test goes by, whatever program it crashed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Readers who have the letter more often than once, and readers who should have it and do not."""

    twice: int = 0
    lost: int = 0
    uncalled: int = 0
    """Who has it and should not."""

    @property
    def good(self) -> bool:
        """Never twice, never lost."""
        return (self.twice, self.lost, self.uncalled) == (0, 0, 0)


def judge(copies: Counter[str], owed: Iterable[str]) -> Verdict:
    """Hold what a provider has taken (address -> copies) against those who are owed one copy each, and nobody else."""
    wanted = set(owed)
    return Verdict(
        twice=sum(count > 1 for count in copies.values()),
        lost=len(wanted - copies.keys()),
        uncalled=len(copies.keys() - wanted),
    )

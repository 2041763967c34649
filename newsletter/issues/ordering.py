"""Which comparisons come in, which one leads, and why?

Pure. The rule:

1. **Oldest first.** Comparisons come in by the time they were published, the oldest first (then by slug, so that
   the order never depends on the database). What does not fit rolls on to the next issue, where it is the oldest:
   nothing waits for ever.
2. **The strongest disagreement leads.** A panel is most divided when half of it would ship a tool: nobody needs us to
   be told what four reviewers agree on. A tool's division is the share of the smaller camp (0 when all agree, 50 when
   they are split down the middle); a comparison's is the sum over its two tools. Where two comparisons are equally
   divided, the one whose tools came out further apart leads: there the choice matters more. Then the older one.
3. The rest follow in the order in which they came in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.comparisons.record import LEFT, RIGHT, Comparison


@dataclass(frozen=True)
class Candidate:
    """A comparison that may come into an issue."""

    id: int
    published_at: datetime
    record: Comparison


def oldest_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Rule 1."""
    return sorted(candidates, key=lambda candidate: (candidate.published_at, candidate.record.slug or ""))


def lead_first(chosen: Sequence[Candidate]) -> list[Candidate]:
    """Rules 2 and 3, for comparisons that are oldest first."""
    if not chosen:
        return []
    lead = max(chosen, key=lambda candidate: (division(candidate.record), gap(candidate.record)))
    return [lead, *(candidate for candidate in chosen if candidate is not lead)]


def division(comparison: Comparison) -> int:
    """How divided the panel was, 0 (of one mind on both tools) to 100 (split down the middle on both)."""
    return sum(min(share, 100 - share) for share in (comparison.panel_ship(LEFT), comparison.panel_ship(RIGHT)))


def gap(comparison: Comparison) -> int:
    """How far apart the two tools came out, 0 to 100 points."""
    return abs(comparison.panel_ship(LEFT) - comparison.panel_ship(RIGHT))

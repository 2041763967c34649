"""What do the subject line and the preheader say? Who is compared, and how the panel split.

Pure. Made from the lead comparison; the subject never repeats the one before it, because mail clients fold letters
with one subject into one thread, and clip what they fold.
"""

from collections.abc import Iterator

from newsletter.comparisons.record import LEFT, RIGHT, Comparison

MAX_SUBJECT = 60  # characters; phones cut later ones
MAX_PREHEADER = 110  # characters

SHORTEST_NAME = 8  # characters of a tool's name that are always left


def subject_line(lead: Comparison, previous: str | None, week: str) -> str:
    """The subject of the issue that this comparison leads, at most 60 characters.

    `previous`: the subject of the issue before; `week` (`2026-W47`) tells two alike apart when all else fails.
    """
    return next(subject for subject in _subjects(lead, week) if subject != previous and len(subject) <= MAX_SUBJECT)


def preheader_line(lead: Comparison, count: int) -> str:
    """The line that inboxes show behind the subject, at most 110 characters. `count`: comparisons in the issue."""
    left, right = (tool.name for tool in lead.tools)
    more = f" And {count - 1} more." if count > 1 else ""
    a, b = lead.panel_ship(LEFT), lead.panel_ship(RIGHT)
    if a == b:
        split = f"{a}% of the panel would ship {{left}}, and as many {{right}}."
    else:
        split = f"{a}% of the panel would ship {{left}}, {b}% {{right}}."
    room = MAX_PREHEADER - len(split) + len("{left}{right}") - len(more)
    left, right = _fitted(left, right, room)
    return split.format(left=left, right=right) + more


def _subjects(lead: Comparison, week: str) -> Iterator[str]:
    """Subjects from the best to the last resort; names are only cut where no whole one fits."""
    left, right = (tool.name for tool in lead.tools)
    a, b = lead.panel_ship(LEFT), lead.panel_ship(RIGHT)
    frames = [
        (f" {a}%, ", f" {b}%: ship or skip?"),
        (f" {a}%, ", f" {b}%"),
        (" vs ", ": ship or skip?"),
        (" vs ", ""),
    ]
    for middle, end in frames:
        yield left + middle + right + end
    number = f" ({week[-3:]})"
    for middle, end in ((f" {a}%, ", f" {b}%"), (" vs ", number), (" vs ", f" {week}")):
        short = _fitted(left, right, MAX_SUBJECT - len(middle) - len(end))
        yield short[0] + middle + short[1] + end


def _fitted(left: str, right: str, room: int) -> tuple[str, str]:
    """Both names in `room` characters together; the longer one gives way first."""
    while len(left) + len(right) > room:
        if len(left) >= len(right):
            left = _shorter(left)
        else:
            right = _shorter(right)
    return left, right


def _shorter(name: str) -> str:
    """A name with its last word gone, or its last letter where it has but one, and an ellipsis instead."""
    bare = name.removesuffix("…").rstrip()
    words = bare.rsplit(None, 1)
    kept = words[0] if len(words) > 1 and len(words[0]) >= SHORTEST_NAME else bare[: max(1, len(bare) - 2)]
    return kept.rstrip(" ,:;–—-") + "…"

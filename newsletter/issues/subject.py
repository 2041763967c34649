"""What do the subject line and the preheader say? Who is compared, and how the panel split.

Pure. Made from the lead comparison, in the language of the letter; the subject never repeats the one before it,
because mail clients fold letters with one subject into one thread, and clip what they fold.
"""

from collections.abc import Callable, Iterator

from newsletter.comparisons.record import LEFT, RIGHT, Comparison
from newsletter.language import Speech

MAX_SUBJECT = 60  # characters; phones cut later ones
MAX_PREHEADER = 110  # characters

SHORTEST_NAME = 8  # characters of a tool's name that are always left


def subject_line(say: Speech, lead: Comparison, previous: str | None, week: str) -> str:
    """The subject of the issue that this comparison leads, at most 60 characters.

    `previous`: the subject of the issue before; `week` (`2026-W47`) tells two alike apart when all else fails.
    """
    subjects = _subjects(say, lead, week)
    return next(subject for subject in subjects if subject != previous and len(subject) <= MAX_SUBJECT)


def preheader_line(say: Speech, lead: Comparison, count: int) -> str:
    """The line that inboxes show behind the subject, at most 110 characters. `count`: comparisons in the issue."""
    a, b = lead.panel_ship(LEFT), lead.panel_ship(RIGHT)

    def line(left: str, right: str) -> str:
        if a == b:
            split = say(
                "{a} of the panel would ship {left}, and as many {right}.", a=say.percent(a), left=left, right=right
            )
        else:
            split = say(
                "{a} of the panel would ship {left}, {b} {right}.",
                a=say.percent(a), b=say.percent(b), left=left, right=right,
            )  # fmt: skip
        more = say.many("And {count} more.", "And {count} more.", count - 1)
        return _plain(f"{split} {more}" if count > 1 else split)

    left, right = (tool.name for tool in lead.tools)
    return line(*_fitted(left, right, MAX_PREHEADER - len(line("", ""))))


def _subjects(say: Speech, lead: Comparison, week: str) -> Iterator[str]:
    """Subjects from the best to the last resort; names are only cut where no whole one fits."""
    left, right = (tool.name for tool in lead.tools)
    a, b = (say.percent(lead.panel_ship(side)) for side in (LEFT, RIGHT))
    frames: tuple[Callable[[str, str], str], ...] = (
        lambda left, right: say("{left} {a}, {right} {b}: ship or skip?", left=left, a=a, right=right, b=b),
        lambda left, right: say("{left} {a}, {right} {b}", left=left, a=a, right=right, b=b),
        lambda left, right: say("{left} vs {right}: ship or skip?", left=left, right=right),
        lambda left, right: say("{left} vs {right}", left=left, right=right),
    )
    for frame in frames:
        yield _plain(frame(left, right))
    plainest = frames[-1]
    resorts: tuple[Callable[[str, str], str], ...] = (
        frames[1],
        lambda left, right: f"{plainest(left, right)} ({week[-3:]})",
        lambda left, right: f"{plainest(left, right)} {week}",
    )
    for frame in resorts:
        yield _plain(frame(*_fitted(left, right, MAX_SUBJECT - len(frame("", "")))))


def _plain(line: str) -> str:
    """Without the blanks that never break: where a subject stands, nothing breaks, and ASCII travels as it is."""
    return line.replace("\u00a0", " ").replace("\u202f", " ")


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

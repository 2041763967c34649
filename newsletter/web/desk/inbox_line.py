"""How much of subject and preheader does a list of messages show? About: programs measure in pixels, not in characters.

Pure. The figures are of usual settings, in Latin letters of usual width; wide letters and large type show less.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Line:
    """What one mail program shows of a letter before it is opened."""

    name: str
    kind: str
    """Which picture of it is drawn."""
    subject: int
    """About how many characters of the subject it has room for."""
    preheader: int
    shared: bool = False
    """Whether both stand in one line, so that the preheader has what the subject leaves."""

    def of_preheader(self, subject: str) -> int:
        """About how many characters of the preheader show behind this subject."""
        return max(0, self.preheader - min(len(subject), self.subject)) if self.shared else self.preheader


LINES: Final = (
    Line("Gmail on a desk", "gmail-desk", 90, 110, shared=True),
    Line("Gmail on a phone", "gmail-phone", 38, 42),
    Line("Apple Mail on an iPhone", "apple-phone", 41, 84),
)


def in_words(line: Line, subject: str, preheader: str) -> str:
    """How much of both shows, as an editor reads it."""
    of_subject = _part(subject, line.subject)
    of_preheader = _part(preheader, line.of_preheader(subject))
    return f"{of_subject} of the subject’s characters, {of_preheader} of the preheader’s"


def _part(text: str, most: int) -> str:
    return "all" if len(text) <= most else f"about {most} of {len(text)}"

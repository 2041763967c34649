"""What is a letter made of? Everything that shows in an issue, and what it must not repeat.

The same edition gives the same bytes on any day and any machine: no clock, no settings, no database.
"""

from dataclasses import dataclass, field
from datetime import date

from newsletter.comparisons.record import Comparison
from newsletter.issues.retrospect import LastVote, Shares
from newsletter.language import ENGLISH
from newsletter.links import Links
from newsletter.theme import Theme, load


@dataclass(frozen=True)
class Masthead:
    """Whose letter it is: the settings that show in it."""

    name: str
    """The newsletter's name, as readers know it."""
    postal_address: str
    """Where the sender can be reached by post, on one line; the law asks for it."""
    links: Links
    logo: str | None = None
    """What stands in place of a logo; the name, where it is None."""
    social: tuple[tuple[str, str], ...] = ()
    """Where else we can be found: names and https addresses."""
    theme: Theme = field(default_factory=lambda: load("harbour"))
    """All colours."""
    language: str = ENGLISH
    """The newsletter's own language (ISO 639): that of its comparisons, and of readers who have chosen none."""

    def query(self, language: str) -> str:
        """What stands behind addresses of our pages in a letter of a language: they speak it whatever the browser does.

        Nothing for the newsletter's own, which is not asked for.
        """
        return "" if language == self.language else f"?lang={language}"


@dataclass(frozen=True)
class Edition:
    """One week's issue, ready to be rendered."""

    week: str
    """ISO week, `2026-W47`."""
    first_day: date
    """Monday of the week; the last day is six days later."""
    subject: str
    preheader: str
    comparisons: tuple[Comparison, ...]
    """In the order in which they show; the first one leads. Each has its slug."""
    masthead: Masthead
    earlier: tuple[Shares, ...] = ()
    """Beside each comparison, what the panel said of its tools before; may be left out where nobody has been told."""
    last_vote: LastVote | None = None
    """How readers voted on the issue before."""
    counts_clicks: bool = False
    """Whether it is noted who follows its links, so that it needs one that no person follows."""
    note: str | None = None
    """What the editor says above the comparisons, in Markdown."""
    language: str = ENGLISH
    """Of our own words in it; what comparisons and editors say stays as they said it."""
    quoted: tuple[tuple[str, ...] | None, ...] = ()
    """Beside each comparison, the reviewers (seats) whose words an editor has chosen; None: the most telling ones."""
    previous_subject: str | None = None
    """The subject of the issue before: mail clients would fold two letters with one subject into one."""

    @property
    def query(self) -> str:
        """What stands behind the addresses of our pages in it."""
        return self.masthead.query(self.language)

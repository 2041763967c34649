"""What do the letters besides the issue look like? Each of them, in each language, as the sample reader is sent it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from newsletter.delivery.mime import filler_for
from newsletter.language import own_name
from newsletter.message import Filler, Letter
from newsletter.rendering.note import ADDRESS, CHANGED, CONFIRM, LINK, NOTICE, WELCOME
from newsletter.rendering.personal import render_personal
from newsletter.welcome import WelcomeDesk, latest, sample_recipient

PURPOSES: Final = {
    CONFIRM: "To an address that was typed into the form: is it wanted?",
    WELCOME: "To whoever has just confirmed.",
    LINK: "To a reader whose address was typed in again, or who asked for a fresh link to their own page.",
    ADDRESS: "To the new address that a reader gave: is it theirs?",
    NOTICE: "To the present address of a reader for whom another was given: was it them?",
    CHANGED: "To the new address, once it is the reader’s.",
}
"""Kind -> who gets it, and why; in the order in which a reader may meet them."""


@dataclass(frozen=True)
class Specimen:
    """A letter to one person, filled for the sample reader."""

    kind: str
    language: str
    letter: Letter
    html: str
    text: str
    source: str
    """The whole message (RFC 5322), its lines ending in CRLF."""

    @property
    def stem(self) -> str:
        """What its files are called, but for their endings."""
        return f"{self.kind}.{self.language}"

    @property
    def purpose(self) -> str:
        """Who gets it, and why."""
        return PURPOSES[self.kind]

    @property
    def language_name(self) -> str:
        """What its language calls itself."""
        return own_name(self.language)


def specimens(session: Session, desk: WelcomeDesk, languages: Sequence[str], now: datetime) -> Iterator[Specimen]:
    """All kinds in these languages, in the order in which a reader may meet them."""
    for kind in PURPOSES:
        for language in languages:
            yield specimen(session, desk, kind, language, now)


def specimen(session: Session, desk: WelcomeDesk, kind: str, language: str, now: datetime) -> Specimen:
    """One of them: a kind of `PURPOSES`, in a language that there is."""
    newest = latest(session) if kind == WELCOME else None
    reader = sample_recipient(desk.post, kind, now)
    letter = render_personal(kind, desk.masthead, newest, language)
    html, text = Filler(letter).fill(reader.values)
    message = filler_for(letter, desk.post.personal_envelope(kind)).fill(reader, "0" * 32, now)
    return Specimen(kind, language, letter, html, text, message.decode("ascii"))

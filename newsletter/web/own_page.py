"""What stands on a reader's own page? How things are, and what they may change as they are."""

from dataclasses import dataclass
from datetime import date
from email.utils import parseaddr
from typing import Final

from sqlmodel import Session

from newsletter.comparisons.categories import category_key
from newsletter.issues import issue as issues
from newsletter.language import Speech, available, own_name
from newsletter.web.site import Site
from subscribers import preferences, suppression
from subscribers.address import Address
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber

CATEGORIES: Final = "categories"
LANGUAGE: Final = "language"
PAUSE: Final = "pause"
RESUME: Final = "resume"
ADDRESS: Final = "address"
STAY: Final = "stay"
JOIN: Final = "join"
LEAVE: Final = "leave"
ERASE: Final = "erase"

_READS: Final = frozenset({CATEGORIES, LANGUAGE, PAUSE, RESUME, ADDRESS, STAY, JOIN, LEAVE, ERASE})

MAY: Final = {
    ACTIVE: _READS,
    PAUSED: _READS,
    PENDING: frozenset({STAY, JOIN, LEAVE, ERASE}),
    UNSUBSCRIBED: frozenset({STAY, JOIN, LEAVE, ERASE}),
    SUPPRESSED: frozenset({STAY, LEAVE, ERASE}),
}
"""What a reader may do on their page; what they have done already may be done again, and changes nothing."""


@dataclass(frozen=True)
class Choice:
    """A category, and whether the reader gets what is in it."""

    name: str
    followed: bool


@dataclass(frozen=True)
class Spoken:
    """A language that letters can speak."""

    code: str
    name: str
    """As it calls itself."""
    chosen: bool


@dataclass(frozen=True)
class OwnPage:
    """How things are with one reader."""

    email: str
    status: str
    until: date | None
    """When a rest ends, in the newsletter's time zone; None where there is none, or it lasts until they say so."""
    choices: tuple[Choice, ...]
    languages: tuple[Spoken, ...]
    moving_to: str | None
    """The address that they have named and not confirmed yet."""
    because: str
    """Why they are suppressed; else empty."""
    contact: str
    """Whom to write to where we are wrong."""


def own_page(session: Session, site: Site, subscriber: Subscriber) -> OwnPage:
    """Gather what a reader's page shows."""
    settings = site.assembly.settings
    until = subscriber.paused_until
    change = preferences.asked_change(session, subscriber)
    return OwnPage(
        email=subscriber.email,
        status=subscriber.status,
        until=until.astimezone(settings.zone).date() if until else None,
        choices=choices(session, subscriber),
        languages=_languages(subscriber, settings.language),
        moving_to=change.email if change else None,
        because=_because(session, site.say, subscriber),
        contact=parseaddr(settings.reply_to or settings.from_)[1],
    )


def choices(session: Session, subscriber: Subscriber) -> tuple[Choice, ...]:
    """The categories that readers have been sent, and those that this one has muted; by name."""
    muted = {category_key(name): name for name in subscriber.muted_categories}
    known: dict[str, str] = {}
    for name in issues.sent_categories(session):
        known.setdefault(category_key(name), name)
    return tuple(Choice(name, key not in muted) for key, name in sorted((muted | known).items()))


def _languages(subscriber: Subscriber, own: str) -> tuple[Spoken, ...]:
    reads = subscriber.language if subscriber.language in available() else own
    return tuple(Spoken(code, own_name(code), code == reads) for code in available())


def _because(session: Session, say: Speech, subscriber: Subscriber) -> str:
    """Why an address is not written to, in a reader's words."""
    if subscriber.status != SUPPRESSED:
        return ""
    found = suppression.in_force(session, Address(subscriber.email, subscriber.address_key))
    told = {
        suppression.HARD_BOUNCE: say(
            "Mail to it came back: the mailbox does not exist any more, or refuses us for good."
        ),
        suppression.SOFT_BOUNCE: say(
            "Letter after letter to it came back, for reasons that looked as if they would pass."
        ),
        suppression.COMPLAINT: say(
            "One of our letters was reported as spam from it, and we take that as a wish for no more."
        ),
        suppression.MANUAL: say("One of our editors saw to it."),
        suppression.PROVIDER: say("The company that carries our mail will not deliver to it."),
    }
    return told[found.reason if found else suppression.MANUAL]

"""What does a bounce of Postmark's types mean? One table, with a reason in words beside each odd row.

Pure. What it says of the address (`why`) is told apart from what has happened (`kind`): a letter that came back is no
word about its reader, except where the address is dead or the reader has said something. Readers of the same types
elsewhere disagree about some of them; then the reading stands here that loses no reader for a passing reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from newsletter.delivery.provider import Why
from newsletter.tracking.event import (
    ANSWERED,
    BOUNCED_HARD,
    BOUNCED_SOFT,
    COMPLAINED,
    FAILED,
    OTHER,
    SUBSCRIBED,
    UNSUBSCRIBED,
)
from newsletter.tracking.reading import number


@dataclass(frozen=True)
class Meaning:
    """What one type of bounce means."""

    code: int
    """Its number, which some examples give alone."""
    kind: str
    """One of `event.KINDS`."""
    why: Why | None = None
    """Why the address is not to be written to any more; None where the bounce is no reason for that."""
    alarm: str | None = None
    """What editors have to mend, where the trouble is our own: then it says nothing of the address."""


BOUNCES: Final[Mapping[str, Meaning]] = {
    "HardBounce": Meaning(1, BOUNCED_HARD, "bounced"),
    # Tried again for hours, and given up. It may pass.
    "Transient": Meaning(2, BOUNCED_SOFT),
    # Written by the reader, or by their mail program on their button, to the address that bounces go to.
    "Unsubscribe": Meaning(16, UNSUBSCRIBED, "left"),
    # The same the other way round. Who could have sent it is anybody's guess, so it is nobody's consent.
    "Subscribe": Meaning(32, SUBSCRIBED),
    # Those three come from a mailbox that works.
    "AutoResponder": Meaning(64, ANSWERED),
    "AddressChange": Meaning(128, ANSWERED),
    "ChallengeVerification": Meaning(16384, ANSWERED),
    "DnsError": Meaning(
        256, BOUNCED_SOFT, alarm="a domain could not be looked up: look whether our own answers everywhere, and mend it"
    ),
    # A filter took it for spam; no reader called it so. Elsewhere it is read as a complaint, or as for good.
    "SpamNotification": Meaning(512, BOUNCED_SOFT),
    # About a mail server, not about a reader.
    "OpenRelayTest": Meaning(1024, OTHER),
    # It came back, and Postmark cannot say why. That is not for good.
    "Unknown": Meaning(2048, BOUNCED_SOFT),
    # Adds up: letter after letter (`returns`) is for good in the end, one is not.
    "SoftBounce": Meaning(4096, BOUNCED_SOFT),
    # It is about what was in the letter, or what a scanner thought of it.
    "VirusNotification": Meaning(8192, BOUNCED_SOFT),
    # Not an address at all, or one of a domain that has no mail.
    "BadEmailAddress": Meaning(100000, BOUNCED_HARD, "bounced"),
    # Its number was 512 in older texts, which is another type's: the name says it.
    "SpamComplaint": Meaning(100001, COMPLAINED, "complained"),
    # Somebody with our account's password did it: not the reader, so it is no wish of theirs.
    "ManuallyDeactivated": Meaning(100002, UNSUBSCRIBED, "closed"),
    # Postmark waits for a confirmation that is not ours.
    "Unconfirmed": Meaning(100003, BOUNCED_SOFT),
    # A whole network refuses our sender, for now. Elsewhere it is read as for good, which would lose its every reader.
    "Blocked": Meaning(100006, BOUNCED_SOFT),
    "SMTPApiError": Meaning(
        100007, FAILED, alarm="Postmark took a letter and could not process it: read what it says of it in its activity"
    ),
    # About mail that was sent to Postmark, not by it.
    "InboundError": Meaning(100008, OTHER),
    # The receiver did as our own DNS record told it. Elsewhere it is read against the reader.
    "DMARCPolicy": Meaning(
        100009,
        BOUNCED_SOFT,
        alarm="letters fail our own DMARC policy: pause the issue, and mend SPF and DKIM of our domain",
    ),
    "TemplateRenderingFailed": Meaning(
        100010, FAILED, alarm="Postmark could not fill in the letter: pause the issue, and read what it says of it"
    ),
}
"""Postmark's types of bounces."""

UNHEARD_OF: Final = Meaning(0, OTHER)
"""A type that is not in the table: kept, and nothing comes of it."""

_NAMES: Final = {meaning.code: name for name, meaning in BOUNCES.items()}


def named(name: object, code: object) -> str | None:
    """What a bounce's type is called: by its name where it has one, else by its number; None where neither says it."""
    if isinstance(name, str) and name:
        return name
    return _NAMES.get(number(code) or 0)


def meaning_of(name: str | None, *, inactive: bool) -> Meaning:
    """What a bounce of a type means; `inactive`: whether Postmark does not write to the address because of it.

    A letter that came back softly, and Postmark has closed the address all the same: it knows more than it says.
    """
    meaning = BOUNCES.get(name or "", UNHEARD_OF)
    if inactive and meaning.kind == BOUNCED_SOFT and not meaning.alarm:
        return Meaning(meaning.code, meaning.kind, "closed")
    return meaning


def alarms() -> dict[str, str]:
    """The types that are our own trouble, with a sentence each for editors. None of them says a thing of a reader."""
    return {name: meaning.alarm for name, meaning in BOUNCES.items() if meaning.alarm}

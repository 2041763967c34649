"""How does an editor get the real letter into a real inbox before any reader does? As a test, outside the audience.

Promises: it is the mail that readers get, tracking and headers included, but for its links, which lead to nobody; no
row of the ledger is made, so that it is counted nowhere; what comes back of it is stored as nobody's; who must not be
written to is not; nothing is tried twice.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from newsletter.delivery.provider import Accepted, Envelope, NotSent, Outcome, Refused
from newsletter.issues.issue import Issue
from newsletter.message import Letter, Recipient
from newsletter.post import SAMPLE_READER, Post
from newsletter.weekly import CannotDo, Rules
from subscribers import limits, suppression
from subscribers.address import Address, parse_address

MOST: Final = 10
"""Addresses at a time."""
TESTS_AN_HOUR: Final = 30
"""Of one editor at the desk."""
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class OnTrial:
    """A letter, and the addresses that it is tried on."""

    letter: Letter
    envelope: Envelope
    recipients: tuple[Recipient, ...] = field(repr=False)

    @property
    def detail(self) -> str:
        """How many they are, for the log: it names nobody."""
        return "to one address" if len(self.recipients) == 1 else f"to {len(self.recipients)} addresses"


@dataclass(frozen=True)
class Tried:
    """What became of a test to one address."""

    email: str = field(repr=False)
    outcome: Outcome

    @property
    def went(self) -> bool:
        """Whether the provider has taken it."""
        return isinstance(self.outcome, Accepted)

    @property
    def words(self) -> str:
        """The same for an editor's eyes."""
        if isinstance(self.outcome, Accepted):
            return "the provider has taken it"
        if isinstance(self.outcome, Refused):
            return f"refused: {self.outcome.reason}"
        if isinstance(self.outcome, NotSent):
            return f"not sent: {self.outcome.reason}"
        return f"it is not known whether it went: {self.outcome.reason}"


def prepare(
    session: Session,
    rules: Rules,
    post: Post,
    issue: Issue,
    letter: Letter,
    written: Sequence[str],
    now: datetime,
    editor_id: int | None = None,
) -> OnTrial:
    """Make a test of an issue's letter or variant, to addresses as they were written. The caller commits, then sends.

    Raises CannotDo for what is no address, too many, one that must not be written to, and beyond `TESTS_AN_HOUR` of
    an editor (None: the command line, which has no such limit).
    """
    addresses = _addresses(written)
    if barred := [each.email for each in addresses if suppression.in_force(session, each)]:
        raise CannotDo(f"{barred[0]} must not be written to: it is suppressed; no test was sent")
    if editor_id is not None and not limits.take(session, "tests of issues", str(editor_id), TESTS_AN_HOUR, HOUR, now):
        raise CannotDo(f"that was {TESTS_AN_HOUR} tests within an hour; go on later")
    recipient_of = post.recipient_at(issue.created_at)
    # A letter's key is hexadecimal, so that this names no letter; and the number is nobody's.
    run = secrets.token_hex(8)
    recipients = [
        recipient_of(f"test{run}x{place}-{SAMPLE_READER[1]}", SAMPLE_READER[1], address.email)
        for place, address in enumerate(addresses)
    ]
    # A tag of its own: the provider's figures by tag are those of the issue.
    return OnTrial(letter, post.envelope(f"{issue.week}-test", rules.opens, rules.clicks), tuple(recipients))


def send(post: Post, test: OnTrial) -> list[Tried]:
    """Hand a test to the provider, outside any transaction; one outcome for each address, in their order."""
    tried: list[Tried] = []
    step = min(MOST, post.provider.max_batch)
    for start in range(0, len(test.recipients), step):
        some = test.recipients[start : start + step]
        outcomes = post.provider.send(test.letter, test.envelope, some, secrets.token_hex(16))
        tried += [Tried(to.email, outcome) for to, outcome in zip(some, outcomes, strict=True)]
    return tried


def _addresses(written: Sequence[str]) -> list[Address]:
    found: dict[str, Address] = {}
    for each in written:
        if not each.strip():
            continue
        try:
            address = parse_address(each)
        except ValueError as error:
            raise CannotDo(f"{each.strip()[:80]!r} is no address: {error}") from None
        found.setdefault(address.key, address)
    if not found:
        raise CannotDo("name at least one address that the test goes to")
    if len(found) > MOST:
        raise CannotDo(f"a test goes to at most {MOST} addresses at a time, and these are {len(found)}")
    return list(found.values())

"""Who carries letters? The protocol that every provider keeps, and what may be done after each outcome.

An outcome is a value, one per recipient and in the order of the recipients, whatever happens: a provider raises nothing
when it sends. Outcomes are three, not two: what was refused may be tried again, what is unknown never blindly. Where a
batch stops in its midst or does not begin, what had not begun is none of the three: it is not sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol

from newsletter.delivery import wire
from newsletter.message import Letter, Recipient


@dataclass(frozen=True)
class Accepted:
    """The provider has taken the message and gave it an id. Never send it again."""

    message_id: str


@dataclass(frozen=True)
class Refused:
    """The provider has not taken the message, and said why in its own words.

    `passing`: the reason may go away, an editor may try again. Otherwise another try is useless.
    """

    reason: str
    passing: bool = False


@dataclass(frozen=True)
class Unknown:
    """The provider may have the message or not. Ask it (`Provider.find`) before anything else.

    `rest`: how many seconds it wants to be left alone; 0.0: it has too much to do, but did not say for how long; None:
    it said nothing of the kind.
    """

    reason: str
    rest: float | None = None


@dataclass(frozen=True)
class NotSent:
    """The message has certainly not left, for a reason that would stop others too. The row goes back into the queue.

    `lasting`: only a person can mend it (token, credits, stream, sender): hold the letter and show the reason.
    Otherwise, `rest` as in Unknown: after a pause of so long another try is welcome. With neither the run stops and
    shows the reason (one line, what to do about it); the next run may try again.
    """

    reason: str
    lasting: bool = False
    rest: float | None = None


Outcome = Accepted | Refused | Unknown | NotSent


class CannotAsk(Exception):  # noqa: N818  the name says what happened
    """The provider could not be asked just now. Nothing may be concluded; ask again later."""


class KeepsNoRecord(CannotAsk):
    """This provider can never be asked what it took. Somebody has to find out by other ways."""


_UNSHOWN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
LONGEST_WORDS = 300  # characters of a stranger's words that are kept


def spoken(words: object) -> str:
    """A stranger's words as one short line that may be stored, logged and shown; "" for what are no words.

    No control characters: a database refuses some of them, and a terminal obeys others.
    """
    if not isinstance(words, str):
        return ""
    line = _UNSHOWN.sub(" ", words[: 4 * LONGEST_WORDS]).strip()
    return line if len(line) <= LONGEST_WORDS else line[: LONGEST_WORDS - 1] + "…"


Why = Literal["left", "bounced", "complained", "closed"]
"""Why a provider will not write to an address: the reader left there, the address does not exist, the reader called a
letter spam, or somebody at the provider's desk (ours or theirs) said so."""


@dataclass(frozen=True)
class Listed:
    """An address that the provider will not write to, since when (UTC) and why.

    `stream`: on which of its channels; None where it does not say.
    """

    email: str
    stream: str | None
    why: Why
    at: datetime


Shown = Mapping[str, Any]
"""Something that a provider shows of what came back, field by field and in its own words. A stranger's: of no field is
it certain that it is there, or of which type it is."""


@dataclass(frozen=True)
class Envelope:
    """What every message of a send shares besides the letter.

    `sender` and `reply_to` are addresses as in RFC 5322 (`Name <name@example.com>`); `stream` is the provider's
    channel; `tag` groups messages in the provider's statistics (the week); `list_id` is the List-Id header's
    value, None for letters that are no list's. `track_opens` and `track_clicks` ask a provider that can to tell who
    opens a letter and who follows its links; it may then put a picture in and rewrite links.
    Raises ValueError for a line break in any of the texts: each becomes a header.
    """

    sender: str
    stream: str
    tag: str
    list_id: str | None
    reply_to: str | None = None
    track_opens: bool = False
    track_clicks: bool = False

    def __post_init__(self) -> None:
        for name in ("sender", "stream", "tag", "list_id", "reply_to"):
            wire.one_line(f"the envelope's {name}", getattr(self, name) or "")


class Provider(Protocol):
    """Carries one letter to many recipients, each batch in its own cheapest way.

    Safe to call from several threads at once.
    """

    name: str
    account: str
    """Whose messages its search shows, in a form that tells no secret: what went through another is not asked about."""
    max_batch: int
    """The largest number of recipients that `send` takes."""
    keeps_list: bool
    """Whether it keeps a list of its own of those whom it will not write to."""
    keeps_history: bool
    """Whether it can be asked what became of messages; where not, `returned`, `kept_out` and `history` show nothing."""

    def send(self, letter: Letter, envelope: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        """Send one batch and return an outcome per recipient, in order.

        `batch` (32 hex digits) and each recipient's `row` travel with every message. Called once per batch
        key: the caller never repeats one. Raises nothing, whatever the other side does.
        """
        ...

    def find(self, envelope: Envelope, batch: str) -> Mapping[str, str]:
        """Row -> message id of all messages of a batch that the provider shows as accepted.

        A row that is missing proves nothing. Raises CannotAsk.
        """
        ...

    def probe(self, envelope: Envelope, batch: str) -> None:
        """Send a message to nobody under a batch key of its own, so that `find` can be seen to work.

        Raises CannotAsk. A provider whose `find` cannot lag does nothing.
        """
        ...

    def probe_is_visible(self, envelope: Envelope, batch: str) -> bool:
        """Whether the probe sent under this key shows in the provider's search. Raises CannotAsk."""
        ...

    def listed(self, stream: str) -> Iterator[Listed]:
        """Everybody on a channel's own list of those whom the provider will not write to, in no order.

        Nobody, where it keeps no such list. Raises CannotAsk, at the call.
        """
        ...

    def returned(self, stream: str, since: datetime, until: datetime) -> Iterator[Shown]:
        """What came back on a channel between two moments, and what was called spam, each with its own number.

        Some of it may be from shortly before or after. Raises CannotAsk, also after some were given.
        """
        ...

    def kept_out(self, stream: str, since: datetime) -> Iterator[Shown]:
        """Whom the provider has put on its list of a channel since a moment, and why. Raises CannotAsk, at the call."""
        ...

    def history(self, message_id: str) -> Shown | None:
        """All that has become of a message; None where the provider does not show it. Raises CannotAsk."""
        ...

    def tidy(self, before: date) -> int:
        """Remove at the provider what letters sent before this day had stored there; return how many pieces.

        A letter may still be filled in some time after it was accepted, so leave some weeks. Raises CannotAsk.
        """
        ...

    def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...


def way_of(provider: Provider, envelope: Envelope) -> str:
    """Which way messages go: through which account of which provider, on which channel. Only there they can show."""
    return f"{provider.name} {provider.account} {envelope.stream}"

"""Who carries our letters, and what is each of them given? Values that the settings decide and every send needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.delivery.ledger import UNTRACKED
from newsletter.delivery.pacing import Limit
from newsletter.delivery.provider import Envelope, Provider
from newsletter.delivery.stopwatch import Stopwatch, no_count
from newsletter.links import Links
from newsletter.message import Recipient
from subscribers.tokens import PREFERENCES, UNSUBSCRIBE, VOTE, Tokens

SAMPLE_READER = ("sample-0", 0, "reader@example.com")
"""Row, id and address of the reader of a preview: nobody has them."""


@dataclass(frozen=True)
class Post:
    """Who carries the letters, and what each of them is given."""

    provider: Provider
    sender: str
    reply_to: str | None
    stream: str
    """The provider's channel for issues."""
    personal_stream: str
    """The provider's channel for letters to one person."""
    list_id: str
    links: Links
    tokens: Tokens
    own_unsubscribe: bool
    """Whether we own the List-Unsubscribe header, not the provider."""
    settle: timedelta
    """How long an unknown outcome rests before it may be sent again."""
    stopwatch: Stopwatch = no_count
    """What tells how long it has rested, where somebody sets the clock."""
    limit: Limit = field(default_factory=Limit)
    """How fast all senders together may go."""

    def envelope(self, week: str, opens: str = UNTRACKED, clicks: str = UNTRACKED) -> Envelope:
        """What all messages of an issue share. `opens`, `clicks`: what is noted of them, as the letter was stored."""
        return Envelope(
            sender=self.sender,
            reply_to=self.reply_to,
            stream=self.stream,
            tag=week,
            list_id=self.list_id,
            track_opens=opens != UNTRACKED,
            track_clicks=clicks != UNTRACKED,
        )

    def personal_envelope(self, kind: str) -> Envelope:
        """What all letters of a kind to one person share. They are no list's, so that no list's way out is in them."""
        return Envelope(sender=self.sender, reply_to=self.reply_to, stream=self.personal_stream, tag=kind, list_id=None)

    def recipient_at(self, now: datetime) -> Callable[[str, int, str], Recipient]:
        """Makes the recipients of an issue: (row, subscriber id, address) -> what fills a reader's copy.

        `now` is when the links begin to live that do not do so for ever: of an issue, when it was drafted, so that a
        copy is the same whenever it is made.
        """

        def recipient(row: str, subscriber_id: int, email: str) -> Recipient:
            way_out = self.links.unsubscribe(self.tokens.make(UNSUBSCRIBE, subscriber_id))
            own_page = self.links.preferences(self.tokens.make_passing(PREFERENCES, subscriber_id, now))
            vote = self.tokens.make(VOTE, subscriber_id)
            return Recipient(
                row=row,
                email=email,
                values={
                    "EMAIL": email,
                    "UNSUBSCRIBE_URL": way_out,
                    "PREFERENCES_URL": own_page,
                    "VOTE_URL": self.links.vote(vote),
                    "CANARY_URL": self.links.canary(vote),
                },
                unsubscribe_url=way_out if self.own_unsubscribe else None,
            )

        return recipient

    def sample_recipient(self, now: datetime) -> Recipient:
        """The reader of a preview: an address that nobody has, and links that lead to nobody."""
        return self.recipient_at(now)(*SAMPLE_READER)

"""What does it take to send one letter? One value, which whoever sends makes and everything in a send reads."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from newsletter.delivery.ledger import Accounting
from newsletter.delivery.pacing import Limit
from newsletter.delivery.provider import Envelope, Provider
from newsletter.delivery.sender_lock import Sender
from newsletter.delivery.stopwatch import Stopwatch, no_count
from newsletter.message import Recipient
from subscribers.audience import MEMBERS, Circle

RecipientOf = Callable[[str, int, str], Recipient]
"""(row key, subscriber id, address) -> what the provider is given of this reader."""

GRACE = 25.0  # seconds that calls under way are given to be answered and recorded once a send is to end


@dataclass(frozen=True)
class Sending:
    """All that it takes to send one letter."""

    engine: Engine
    provider: Provider
    envelope: Envelope
    recipient_of: RecipientOf
    settle: timedelta
    sender: Sender
    """Who sends; the caller has entered the line (`sender_lock.enter`)."""
    clock: Callable[[], datetime]
    stopwatch: Stopwatch = no_count
    circle: Circle = MEMBERS
    """Whom the letter may go to; asked anew for each batch."""
    limit: Limit = field(default_factory=Limit)
    on_progress: Callable[[Accounting], None] = lambda _: None
    """Told now and then while batches go out, and always when none is under way any more."""
    wait: bool = True
    """Whether to stay until unknown outcomes have rested for `settle` and can be decided."""
    on_wait: Callable[[int, datetime], None] = lambda _, __: None
    """Told how many readers are waited for, and until when."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set from outside to end the send: what is under way is recorded, nothing more is claimed."""
    grace: float = GRACE

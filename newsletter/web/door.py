"""Which links of letters were opened at our own pages? They are noted as events, like what the provider tells of.

Promise: who has one letter fills neither the database nor the queue, however often and by however many names they ask:
a link is one event a second, and of one copy there are so many a day.
"""

import threading
from collections import Counter
from datetime import date, datetime
from typing import Final

import structlog
from fastapi import Request

from newsletter.tracking.event import CLICKED, DOOR, Event, key_of
from newsletter.web.form import whence
from newsletter.web.intake import Intake

MOST: Final = (
    300  # times in a day (UTC) that links of one copy are noted; a scanner opens ten or twenty, or those twice
)
MOST_COPIES: Final = 50_000  # that are counted at a time: beyond them all are counted anew

log = structlog.get_logger()


class Door:
    """Notes what is opened. Counts in memory, for one process: no page waits for the disk to be looked at."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._lock = threading.Lock()
        self._day: date | None = None
        self._opened: Counter[str] = Counter()

    def note(self, request: Request, row: str, link: str, now: datetime) -> None:
        """Note some time soon that a link of a copy (`ledger.StoredLetter.row_key`) was opened by a request."""
        times = self._count(row, now.date())
        if times > MOST:
            if times == MOST + 1:
                log.warning("links of one letter are opened so often that no more is noted today", most=MOST)
            return
        self._intake.note(
            Event(
                key=key_of(DOOR, row, link, request.method, int(now.timestamp())),
                record_type=DOOR,
                kind=CLICKED,
                source=DOOR,
                at=now,
                detail=request.method,
                row=row,
                link=link,
                agent=whence(request).user_agent,
            )
        )

    def _count(self, row: str, day: date) -> int:
        with self._lock:
            if day != self._day or (len(self._opened) >= MOST_COPIES and row not in self._opened):
                self._day = day
                self._opened.clear()
            self._opened[row] += 1
            return self._opened[row]

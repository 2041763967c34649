"""Who gets nothing more, on which stream, since when and why?

Each stream has a list of its own. A change counts at once, unless a fault says otherwise; Postmark's own takes up to a
minute.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from newsletter.sandbox import addresses
from newsletter.sandbox.checks import Json, RefusalError
from newsletter.sandbox.clock import eastern

MAX_CHANGES = 50  # addresses a call
REASONS = ("HardBounce", "SpamComplaint", "ManualSuppression")
ORIGINS = ("Recipient", "Customer", "Admin")


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address on a stream's list; `created_at` is aware."""

    email: str
    reason: str
    origin: str
    created_at: datetime

    def as_json(self) -> Json:
        """As in the dump."""
        return {
            "EmailAddress": self.email,
            "SuppressionReason": self.reason,
            "Origin": self.origin,
            "CreatedAt": eastern(self.created_at),
        }


class SuppressionLists:
    """The lists of all streams. Safe to use from several threads."""

    def __init__(self, streams: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._lists: dict[str, dict[str, Suppression]] = {stream: {} for stream in streams}

    def inactive(self, stream: str, recipients: list[str]) -> list[Suppression]:
        """The entries of the stream's list that are about these recipients (in lower case)."""
        listed = self._lists[stream]
        return [listed[email] for email in recipients if email in listed] if listed else []

    def add(self, stream: str, suppression: Suppression) -> bool:
        """Put an address on a list; False where it already was."""
        with self._lock:
            return self._lists[stream].setdefault(suppression.email, suppression) is suppression

    def remove(self, stream: str, email: str) -> bool:
        """Take an address off a list; False where it was not on it."""
        with self._lock:
            return self._lists[stream].pop(email, None) is not None

    def has_left(self, stream: str, email: str) -> bool:
        """Whether an address is on a list by its reader's own wish."""
        found = self._lists[stream].get(email)
        return found is not None and (found.reason, found.origin) == ("ManualSuppression", "Recipient")

    def all(self, stream: str) -> list[Suppression]:
        """A stream's list, oldest first."""
        with self._lock:
            return list(self._lists[stream].values())


def read_changes(body: object) -> list[tuple[str, bool]]:
    """The addresses of a request to create or delete suppressions, in lower case, and whether each is valid.

    Raises RefusalError: 1409 for another body, 1410 for too many.
    """
    entries = body.get("Suppressions") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("EmailAddress"), str) for entry in entries
    ):
        raise RefusalError(1409, "A proper request body must be provided.")
    if len(entries) > MAX_CHANGES:
        raise RefusalError(1410, "You cannot provide more than the maximum number of suppressions for this request.")
    emails = [entry["EmailAddress"].strip().lower() for entry in entries]
    return [(email, addresses.is_address(email)) for email in emails]


def change_as_json(email: str, status: str) -> Json:
    """The answer for one address: status `Suppressed`, `Deleted` or `Failed`."""
    message = "An invalid email address was provided." if status == "Failed" else None
    return {"EmailAddress": email, "Status": status, "Message": message}

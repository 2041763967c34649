"""The list as a file: for another service, for a spreadsheet, or for the import of another installation.

Imported into an empty database and exported there, it is the same file again. The erased are not in it, and of a
reader's consent only the step that counts. Memory does not grow with the list.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Any

from sqlmodel import Session, col, select

from subscribers.address import Address
from subscribers.consent import AGREED, SIGNED_UP, Consent
from subscribers.dialects import OURS
from subscribers.entry import guarded
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import ERASED, NOTHING_MUTED, PENDING, SUPPRESSED, Subscriber, muting
from subscribers.suppression import IN_FORCE, Suppression

PAGE = 900  # readers a query; SQLite may be built to take 999 values at most


def exported(session: Session, status: str | None = None) -> Iterator[dict[str, Any]]:
    """Every reader (of one status) in the order in which they came: a column of `OURS` -> its value or None.

    Moments are datetimes in UTC, `muted_categories` is a list of names.
    """
    prints, last = Fingerprints(session), 0
    wanted = col(Subscriber.status) == status if status else col(Subscriber.status) != ERASED
    while True:
        query = select(Subscriber).where(col(Subscriber.id) > last, wanted).order_by(col(Subscriber.id)).limit(PAGE)
        page = session.exec(query).all()
        agreed, reasons = _agreed(session, page), _reasons(session, prints, page)
        for one in page:
            step = agreed.get(one.id or 0)
            yield {
                "email": one.email,
                "status": one.status,
                "source": step.source if step else None,
                "consented_at": step.at if step else None,
                "since": one.since,
                "network": step.network if step else None,
                "muted_categories": one.muted_categories,
                "paused_until": one.paused_until,
                "suppressed_for": reasons.get(one.id or 0),
                "language": one.language,
            }
        if len(page) < PAGE:
            return
        last = page[-1].id or 0
        session.expunge_all()  # nothing was changed, and a whole list would pile up


def write_csv(rows: Iterable[dict[str, Any]], file: IO[str]) -> int:
    """Write what `exported` yields as CSV (RFC 4180); return how many there were. `file`: opened with newline=""."""
    count = -1  # the header is none of them
    for line in csv_lines(rows):
        file.write(line)
        count += 1
    return count


def csv_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The same line by line with its end, the header first: for whoever hands it on while it is read."""
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    yield writer.writerow(OURS)
    for row in rows:
        yield writer.writerow([_cell(row[column]) for column in OURS])


def written(moment: datetime) -> str:
    """A moment as we hand it out: ISO 8601, with a Z for UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Echo:
    """A file that hands back what is written to it: a csv.writer's `writerow` returns that."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, list):
        text = muting(value)
        return "" if text == NOTHING_MUTED else text
    return guarded(value or "")


def _agreed(session: Session, page: Iterable[Subscriber]) -> dict[int, Consent]:
    """The step of each reader that counts: the last by which they agreed; of the pending, that they signed up."""
    statuses = {one.id or 0: one.status for one in page}
    of_page = col(Consent.subscriber_id).in_(statuses)
    kinds = col(Consent.kind).in_([*AGREED, SIGNED_UP])
    steps = session.exec(select(Consent).where(of_page, kinds).order_by(col(Consent.id)))
    return {
        step.subscriber_id: step
        for step in steps
        if (step.kind == SIGNED_UP) == (statuses[step.subscriber_id] == PENDING)
    }


def _reasons(session: Session, prints: Fingerprints, page: Iterable[Subscriber]) -> dict[int, str]:
    """Why the suppressed are."""
    by_print = {prints.of(Address(one.email, one.address_key)): one.id or 0 for one in page if one.status == SUPPRESSED}
    query = select(Suppression).where(col(Suppression.fingerprint).in_(by_print), IN_FORCE)
    return {by_print[one.fingerprint]: one.reason for one in session.exec(query)} if by_print else {}

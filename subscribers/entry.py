"""What does one row of a file say of a reader?

Pure. A row that says something that is not understood is refused, with a line that says what: it never counts as
active.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network

from subscribers.address import Address, parse_address
from subscribers.dialects import FILLED, IGNORE, UNWILLING, Reading, Sign, Standing

STATUSES = ("pending", "active", "paused", "unsubscribed", "suppressed")
REASONS = ("hard_bounce", "soft_bounce", "complaint", "manual", "provider")
YES, NO = frozenset({"true", "yes", "1", "t", "y"}), frozenset({"false", "no", "0", "f", "n"})

GUARDED = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would take for a formula, or one that is guarded against that."""

STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?)(?: ([+-]\d{4}) [A-Z\d+-]+| (?:UTC|GMT))")
"""Moments as beehiiv (`2023-03-24 10:23:10 UTC`) and listmonk (`2023-03-24 10:23:10.5 +0000 +0000`) write them."""

LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{2,8})*")
"""How files name a language: `de`, `en-US`, `pt_BR`."""


@dataclass(frozen=True)
class Entry:
    """One reader as a file has them. Moments in UTC; None where the file says nothing."""

    address: Address
    standing: Standing
    source: str
    consented_at: datetime | None
    since: datetime | None
    network: str | None
    muted: list[str]
    language: str | None
    paused_until: datetime | None


def read_entry(reading: Reading, cells: Sequence[str]) -> Entry:
    """Read one row. Raises ValueError with one line that says what is wrong with it."""
    width = len(reading.header)
    # A comma too many moves what follows it.
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        raise ValueError(f"has {len(cells)} fields and the header {width}; put quotes around a comma")
    values = {}
    for field, positions in reading.columns.items():
        for position in positions:
            if position < len(cells) and (value := cells[position].strip()):
                values[field] = value, reading.header[position]
                break

    def text(field: str) -> str:
        value = values.get(field, ("", ""))[0]
        return value[1:] if reading.is_ours and value[:1] == "'" and GUARDED.match(value) else value

    standing = _standing(reading, cells, text("status"), text("suppressed_for"))
    paused_until = _moment(*values.get("paused_until", ("", "")))
    if paused_until and standing.status != "paused":
        raise ValueError(f"paused_until is given, and the status is {standing.status}, not paused")
    return Entry(
        address=parse_address(text("email")),
        standing=standing,
        source=text("source"),
        consented_at=_moment(*values.get("consented_at", ("", ""))),
        since=_moment(*values.get("since", ("", ""))),
        network=_network(*values.get("network", ("", ""))),
        muted=_categories(text("muted_categories")),
        language=_language(*values.get("language", ("", ""))),
        paused_until=paused_until,
    )


def guarded(text: str) -> str:
    """A cell as our export writes it: behind an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{text}" if GUARDED.match(text) else text


def _standing(reading: Reading, cells: Sequence[str], word: str, suppressed_for: str) -> Standing:
    """The least willing of all that a row says."""
    said = reading.words.get(word.lower()) if word else reading.unsaid
    if said is None:
        raise ValueError(f"status is {word!r}; it must be one of {', '.join(STATUSES)}")
    if suppressed_for:
        if said.status != "suppressed":
            raise ValueError(f"suppressed_for is given, and the status is {said.status}, not suppressed")
        if suppressed_for not in REASONS:
            raise ValueError(f"suppressed_for is {suppressed_for!r}; it must be one of {', '.join(REASONS)}")
        said = Standing(said.status, suppressed_for)
    for position, sign in reading.signs:
        value = cells[position].strip() if position < len(cells) else ""
        if _tells(sign, value) and UNWILLING.index(sign.standing.status) < UNWILLING.index(said.status):
            said = sign.standing
    return said


def _tells(sign: Sign, value: str) -> bool:
    if sign.when == FILLED:
        return bool(value)
    if value.lower() in YES:
        return sign.when == "true"
    if value.lower() in NO or (not value and sign.when == "true"):
        return sign.when == "false" and bool(value)
    raise ValueError(f"{sign.column} is {value!r}; it must be true or false")


def _moment(written: str, column: str) -> datetime | None:
    if not written:
        return None
    stamp = STAMP.fullmatch(written)
    try:
        moment = datetime.fromisoformat(stamp[1] + (stamp[2] or "") if stamp else written)
    except ValueError:
        raise ValueError(
            f"{column} is {written!r}; write it like 2026-11-18T09:00:00Z, or leave the column out: "
            f"--map {column!r}={IGNORE}"
        ) from None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{column} is {written!r}, which no calendar has in UTC") from None


def _network(written: str, column: str) -> str | None:
    if not written:
        return None
    try:
        ip_network(written, strict=False)
    except ValueError:
        raise ValueError(f"{column} is {written!r}; it must be an IP address or a network") from None
    return written


def _language(written: str, column: str) -> str | None:
    """Its code, without a region. Whether we speak it is not asked: until we do, they read the newsletter's own."""
    named = LANGUAGE_TAG.fullmatch(written)
    if written and not named:
        raise ValueError(
            f"{column} is {written!r}; write its code, like de, or leave the column out: --map {column!r}={IGNORE}"
        )
    return named[1].lower() if named else None


def _categories(written: str) -> list[str]:
    """A JSON array of names, or names between commas."""
    if not written.startswith("["):
        return [name.strip() for name in written.split(",") if name.strip()]
    try:
        names = json.loads(written)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"muted_categories is {written!r}; write names between commas, or a JSON array of them")
    return names

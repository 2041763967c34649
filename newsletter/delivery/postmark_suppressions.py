"""What does it mean that Postmark will not write to an address? One table, with a reason beside each odd row.

Pure. The same words come in a list that we ask for and in events that we are told, and mean the same in both.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from newsletter.delivery.provider import Listed, Why

EASTERN: Final = ZoneInfo("America/New_York")

ANY: Final = None

MEANING: Final[dict[tuple[str, str | None], Why]] = {
    ("ManualSuppression", "Recipient"): "left",
    # Somebody who is not the reader: with our account's password or token, or at Postmark. It is no wish of the
    # reader's, so it is not written down as one.
    ("ManualSuppression", "Customer"): "closed",
    ("ManualSuppression", "Admin"): "closed",
    # Whoever it was: of the two readings this is the one that the reader alone can take back.
    ("ManualSuppression", ANY): "left",
    # The documents name the recipient as the origin of both, examples in the wild also others; it is the same fact.
    ("HardBounce", ANY): "bounced",
    ("SpamComplaint", ANY): "complained",
}
"""(SuppressionReason, Origin) -> why. What is not in it changes nothing here: Postmark itself refuses the address."""


def why(reason: object, origin: object) -> Why | None:
    """What Postmark's two words come to; None for words that we do not know."""
    if not isinstance(reason, str):
        return None
    known = MEANING.get((reason, origin)) if isinstance(origin, str) else None
    return known or MEANING.get((reason, ANY))


def moment(written: object) -> datetime:
    """A moment as Postmark writes it: seven digits of a second, Eastern time unless it says otherwise. UTC.

    Raises ValueError.
    """
    if not isinstance(written, str):
        raise ValueError(f"a {type(written).__name__} is no moment")  # noqa: TRY004  it is data
    try:
        read = datetime.fromisoformat(written)
        return (read if read.tzinfo else read.replace(tzinfo=EASTERN)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a moment is not written as one") from None


def read(answer: object, stream: str) -> list[Listed]:
    """The entries of a dump. Raises ValueError, naming no address, where it is not in the form that we know."""
    entries = answer.get("Suppressions") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise ValueError("there is no list of suppressions in it")  # noqa: TRY004  it is data
    found = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("EmailAddress"), str):
            raise ValueError(f"entry {number} has no address")  # noqa: TRY004
        meaning = why(entry.get("SuppressionReason"), entry.get("Origin"))
        if meaning is None:
            continue
        try:
            found.append(Listed(entry["EmailAddress"], stream, meaning, moment(entry.get("CreatedAt"))))
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from None
    return found

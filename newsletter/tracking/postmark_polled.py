"""What happened, by what Postmark shows when it is asked? The same events, under the same keys, as those that it posts.

Pure. Postmark shows the same thing in several places and in none of them wholly: the details of a message name it and
bear our own keys, but not why an address came on a list; the list says why, but not by which message. So changes of
subscriptions are gathered from all of them first, and put together by their moments, which may differ a little.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from newsletter.delivery.provider import Listed, Shown
from newsletter.tracking import postmark
from newsletter.tracking.event import POLL, Event
from newsletter.tracking.reading import address, lowered, when, yes_or_no

NEAR: Final = timedelta(minutes=1)
"""How far apart two moments of one change may be: some are written to the second only, and some when it was noted."""

REASONS: Final[Mapping[str, str]] = {"bounced": "HardBounce", "complained": "SpamComplaint", "closed": "HardBounce"}
"""Why a bounce has made its address inactive -> the reason that Postmark gives on its list."""


@dataclass(frozen=True)
class Change:
    """An address came on a stream's list or off it, as far as one place shows it."""

    email: str = field(repr=False)
    stream: str
    at: datetime
    suppressed: bool
    origin: str | None = None
    reason: str | None = None
    message_id: str | None = None
    metadata: Any = None
    sure: bool = True
    """Whether the reason was shown, and not only concluded."""

    def event(self) -> Event:
        """The event that a post of it makes."""
        fields = {
            "Recipient": self.email,
            "MessageStream": self.stream,
            "ChangedAt": self.at.isoformat(),
            "SuppressSending": self.suppressed,
            "SuppressionReason": self.reason if self.suppressed else None,
            "Origin": self.origin,
            "MessageID": self.message_id,
            "Metadata": self.metadata,
        }
        return postmark.changed(fields, POLL)

    def is_same(self, other: "Change") -> bool:
        """Whether both are of one happening."""
        return self.is_of(other.email, other.stream, other.at) and self.suppressed is other.suppressed

    def is_of(self, email: str, stream: str | None, at: datetime) -> bool:
        """Whether it happened to an address, on a stream, about then."""
        return self.email.lower() == email.lower() and self.stream == stream and abs(self.at - at) <= NEAR


def of_bounce(shown: Shown) -> Event:
    """One entry of the list of bounces."""
    return postmark.bounce(shown, POLL)


def of_message(details: Shown, base_url: str) -> list[Event]:
    """What became of one message but for bounces, of which the list says more, and for changes of subscriptions."""
    told: Mapping[str, Callable[[dict[str, Any], Mapping[str, Any]], Event]] = {
        "delivered": lambda fields, _: postmark.delivered({**fields, "DeliveredAt": fields["ReceivedAt"]}, POLL),
        "opened": lambda fields, _: postmark.opened(fields, POLL),
        "linkclicked": lambda fields, said: postmark.clicked(
            {**fields, "OriginalLink": said.get("link")}, POLL, base_url
        ),
    }
    found = []
    for kind, fields, said in _happenings(details):
        if read := told.get(kind):
            found.append(read(fields, said))
    return found


def changes_in(details: Shown) -> list[Change]:
    """The changes of subscriptions that one message has led to.

    Why is not shown: it is concluded, from a bounce at about the same time.
    """
    happenings = list(_happenings(details))
    bounced = [when(fields["ReceivedAt"]) for kind, fields, _ in happenings if kind == "bounced"]
    found = []
    for kind, fields, said in happenings:
        at, suppressed = when(fields["ReceivedAt"]), yes_or_no(said.get("suppresssending"))
        change = _change(fields["Recipient"], fields["MessageStream"], at, suppressed)
        if kind != "subscriptionchanged" or change is None:
            continue
        by_bounce = any(moment and abs(moment - change.at) <= NEAR for moment in bounced)
        reason = "HardBounce" if by_bounce else "ManualSuppression"
        origin, message_id = _word(said.get("origin")), _word(fields["MessageID"])
        known = {"origin": origin, "message_id": message_id, "metadata": fields["Metadata"]}
        found.append(replace(change, reason=reason, sure=False, **known))
    return found


def of_list(shown: Shown) -> Change | None:
    """One entry of a stream's list of suppressions; None where it cannot be read."""
    entry = lowered(shown)
    change = _change(entry.get("emailaddress"), entry.get("messagestream"), when(entry.get("createdat")), True)
    if change is None:
        return None
    return replace(change, origin=_word(entry.get("origin")), reason=_word(entry.get("suppressionreason")))


def put_together(of_messages: Iterable[Change], listed: Iterable[Change], bounces: Sequence[Event]) -> list[Change]:
    """Each change once, with all that is shown of it anywhere.

    `bounces`: those that were asked for in the same run. They name the message of an entry of the list, and the reason
    of a change that is not on it any more.
    """
    by_address: dict[str, list[Change]] = {}
    for change in of_messages:
        by_address.setdefault(change.email.lower(), []).append(change)
    said = [(event, event.said) for event in bounces if isinstance(event.said, Listed)]
    of_bounces: dict[str, list[tuple[Event, Listed]]] = {}
    for event, listing in said:
        of_bounces.setdefault(listing.email.lower(), []).append((event, listing))
    for entry in listed:
        same = by_address.setdefault(entry.email.lower(), [])
        match = next((number for number, change in enumerate(same) if change.is_same(entry)), None)
        if match is None:
            same.append(entry)
        else:
            same[match] = replace(same[match], reason=entry.reason, origin=entry.origin, sure=True)
    changes = [change for each in by_address.values() for change in each]
    return [_with_cause(change, of_bounces.get(change.email.lower(), [])) for change in changes]


def _with_cause(change: Change, bounces: Sequence[tuple[Event, Listed]]) -> Change:
    """A change with what the bounce says that led to it."""
    cause = next(
        (
            (event, said)
            for event, said in bounces
            if change.suppressed and said.why in REASONS and change.is_of(said.email, said.stream, said.at)
        ),
        None,
    )
    if cause is None or (change.reason == "ManualSuppression" and change.sure):
        return change
    event, said = cause
    reason = change.reason if change.sure else REASONS[said.why]
    return replace(change, reason=reason, sure=True, message_id=change.message_id or event.message_id)


def _happenings(details: Shown) -> Iterable[tuple[str, dict[str, Any], Mapping[str, object]]]:
    """Of each event in a message's details: type in lower case, fields as in a post, and what is said of it."""
    message = lowered(details)
    shared = {
        "MessageID": message.get("messageid"),
        "MessageStream": message.get("messagestream"),
        "Metadata": message.get("metadata"),
    }
    events = message.get("messageevents")
    for shown in events if isinstance(events, list) else ():
        each = lowered(shown)
        fields = {**shared, "Recipient": each.get("recipient"), "ReceivedAt": each.get("receivedat")}
        yield str(each.get("type")).lower(), fields, lowered(each.get("details"))


def _change(email: object, stream: object, at: datetime | None, suppressed: bool | None) -> Change | None:
    known, channel = address(email), _word(stream)
    if known is None or channel is None or at is None or suppressed is None:
        return None
    return Change(known, channel, at, suppressed)


def _word(written: object) -> str | None:
    return written if isinstance(written, str) and written else None

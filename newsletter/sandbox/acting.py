"""What may a reader, their machine or their mail server do with a message that has gone out?

Opened and followed is noted only where the message asked for it, as Postmark does; a link that says
`data-pm-no-track`, and any other than a web address, is left alone. All that is noted shows in the message's details
and is told to the webhook; what came back also shows in the list of bounces.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Final

from newsletter.sandbox import bounces, sending
from newsletter.sandbox.aftermath import Bounced, Clicked, Happening, Opened
from newsletter.sandbox.bounces import BounceType
from newsletter.sandbox.mailbox import Message, content_of
from newsletter.sandbox.sending import Office
from newsletter.sandbox.suppressions import Suppression

READER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SCANNER: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Safari"
"""What a machine calls itself that follows all links: nothing that tells it from a reader."""
A_BURST: Final = timedelta(seconds=0.9)

TRACKED_IN_HTML: Final = ("HtmlOnly", "HtmlAndText")


def find(office: Office, message_id: str) -> Message:
    """A message that has gone out. Raises ValueError where there is none."""
    sending.release_due(office)
    message = office.mailbox.get(message_id)
    if message is None or office.mailbox.is_held(message):
        raise ValueError(f"there is no message {message_id} that has gone out")
    return message


def open_letter(office: Office, message: Message, agent: str = READER) -> bool:
    """Fetch its counting picture; False where it has none."""
    if not message.fields().get("TrackOpens"):
        return False
    before = any(isinstance(happening, Opened) for happening in office.aftermath.of(message))
    for email in message.recipients:
        _note(office, message, Opened(message, email, office.clock(), agent, first=not before))
    return True


def click(office: Office, message: Message, link: str, agent: str = READER) -> bool:
    """Follow one of its links; False where that is not noted. Raises ValueError for a link that it does not have."""
    links = links_of(message)
    if link not in links:
        raise ValueError(f"the message has no link to {link}; it has {', '.join(links) or 'none'}")
    return links[link] and _followed(office, message, link, agent, office.clock())


def scan(office: Office, message: Message, agent: str = SCANNER) -> int:
    """Follow all its links within a second, as machines do that look for harm; returns how many were noted."""
    noted = [link for link, tracked in links_of(message).items() if tracked]
    begun = office.clock()
    for number, link in enumerate(noted):
        _followed(office, message, link, agent, begun + A_BURST * number / len(noted))
    return len(noted)


def complain(office: Office, message: Message) -> None:
    """Call it spam: its stream writes to them no more."""
    _come_back(office, message, bounces.COMPLAINT, "SpamComplaint")


def bounce(office: Office, message: Message, way: str, *, inactive: bool | None = None) -> None:
    """Let it come back in a way, though it may have been delivered.

    `inactive`: whether its address is written to no more; None: as Postmark has it. Raises ValueError for a way that
    there is not.
    """
    known = bounces.TYPES.get(way.lower())
    if known is None:
        raise ValueError(f"there is no bounce {way}: choose from {', '.join(sorted(each.type for each in ways()))}")
    suppresses = known.deactivates if inactive is None else inactive
    _come_back(office, message, known, "HardBounce" if suppresses else None)


def leave(office: Office, message: Message) -> None:
    """Unsubscribe at the provider, by its own page."""
    for email in message.recipients:
        wish = Suppression(email, "ManualSuppression", "Recipient", office.clock())
        sending.suppress(office, message.stream, wish, message)


def come_back(office: Office, message: Message) -> None:
    """Subscribe again at the provider, by its own page; nothing where the reader had not left there."""
    for email in message.recipients:
        if office.suppressions.has_left(message.stream, email):
            sending.reactivate(office, message.stream, email, office.clock(), "Recipient")


def ways() -> list[BounceType]:
    """Every way to bounce."""
    return list(bounces.TYPES.values())


def links_of(message: Message) -> Mapping[str, bool]:
    """Its links in the order of its HTML, each once, and whether it is noted who follows it."""
    if not (html := content_of(message).html):
        return {}
    tracked = message.fields().get("TrackLinks") in TRACKED_IN_HTML
    reader = _Links()
    reader.feed(html)
    reader.close()
    found: dict[str, bool] = {}
    for link, counted in reader.found():
        found[link] = (tracked and counted) or found.get(link, False)
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._anchors: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an anchor down."""
        if tag == "a":
            self._anchors.append(dict(attrs))

    def found(self) -> Iterator[tuple[str, bool]]:
        """Every web address, and whether it may be counted."""
        for anchor in self._anchors:
            link = (anchor.get("href") or "").strip()
            if link.startswith(("http://", "https://")):
                yield link, "data-pm-no-track" not in anchor


def _followed(office: Office, message: Message, link: str, agent: str, at: datetime) -> bool:
    for email in message.recipients:
        _note(office, message, Clicked(message, email, at, agent, link))
    return True


def _come_back(office: Office, message: Message, way: BounceType, reason: str | None) -> None:
    for email in message.recipients:
        at = office.clock()
        returned = Bounced(office.aftermath.number(), message, email, way, at, inactive=reason is not None)
        _note(office, message, returned)
        if reason is not None:
            sending.suppress(office, message.stream, Suppression(email, reason, "Recipient", at), message)


def _note(office: Office, message: Message, happening: Happening) -> None:
    office.aftermath.add(message, happening)
    if office.webhooks:
        office.webhooks.happened(happening)

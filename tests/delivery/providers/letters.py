"""Letters, envelopes and readers for the providers' tests."""

import uuid

from newsletter.delivery.provider import Envelope
from newsletter.message import Letter, Recipient

LETTER = Letter(
    subject="Zwölf Werkzeuge: “ship” or “skip”?",
    preheader="Two tools, four seats.",
    html=(
        "<html><style>@media print{.a{color:red}}</style>\n<p>Grüße, %%NAME%%! 1 = 1</p>  \n"
        '<a href="%%UNSUBSCRIBE_URL%%">leave</a></html>\n'
    ),
    text="Grüße, %%NAME%%! 1 = 1  \n.\n..two dots\n\nLeave: %%UNSUBSCRIBE_URL%%",
)
ENVELOPE = Envelope(
    sender="Weekly AI Tool Verdicts <verdicts@example.com>",
    stream="broadcast",
    tag="2026-W47",
    list_id="Weekly AI Tool Verdicts <weekly.example.com>",
    reply_to="Die Rédaction <desk@example.com>",
)


def new_batch() -> str:
    return uuid.uuid4().hex


def reader(number: int = 0, name: str = "Ada", email: str | None = None) -> Recipient:
    url = f"https://verdicts.example.com/unsubscribe/{number:035d}"
    values = {"NAME": name, "UNSUBSCRIBE_URL": url}
    return Recipient(uuid.uuid4().hex, email or f"reader{number:06d}@mail.example", values, url)

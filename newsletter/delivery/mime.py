"""How does a letter look as an RFC 5322 message? Head, text part and HTML part, thousands of them a second.

Quoted-printable costs milliseconds a letter, so what all readers share is encoded once. Around each merge field the
encoding breaks the line softly (`=`, end of line), which a decoder drops again: a reader's values, encoded by
themselves, can be put between two breaks, and filling a letter is joining bytes.

Promises: decoded, both parts are what Filler makes of the same letter (line ends aside: CRLF on the wire); no line is
longer than 76 characters in the body; nothing of a reader's can begin a header. Pure, and safe in many threads.
"""

import html
import re
from collections.abc import Mapping
from datetime import datetime
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from functools import lru_cache

from newsletter.delivery import wire
from newsletter.delivery.provider import Envelope
from newsletter.message import MERGE_FIELD, Letter, Recipient

BATCH_HEADER = "X-Newsletter-Batch"
ROW_HEADER = "X-Newsletter-Row"

_LINE_END = re.compile(rb"\r\n|\n")
_UNSAFE = re.compile(rb"[^ -<>-~\t]|[ \t]\Z")  # what quoted-printable must escape within one line
_LONGEST_LINE = 75  # characters before a soft break, which is one more
_SOFT_BREAK = b"=\r\n"
# "=_" cannot occur in quoted-printable, so no part can hold its own boundary.
_BOUNDARY = "=_letter"
_ALTERNATIVE = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n'
_PART = (
    "--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
)


class MimeFiller:
    """One letter in one envelope, made ready to be filled for many readers.

    Raises wire.Unwritable (a ValueError) where subject, sender or reply-to cannot be written.
    """

    def __init__(self, letter: Letter, envelope: Envelope) -> None:
        self.sender = wire.mailbox(envelope.sender)
        shared = header("From", display(self.sender))
        shared += header("Subject", wire.one_line("the subject", letter.subject))
        if envelope.reply_to is not None:
            shared += header("Reply-To", display(wire.mailbox(envelope.reply_to)))
        if envelope.list_id is not None:
            shared += header("List-Id", envelope.list_id)
        self._shared_head = shared + _ALTERNATIVE
        self._fields = letter.merge_fields
        self._text = _encode_around_fields(letter.text)
        self._html = _encode_around_fields(letter.html)

    def message_id(self, recipient: Recipient) -> str:
        """The Message-ID of a reader's copy, angle brackets included: the same however often it is made."""
        return f"<{wire.key('the row', recipient.row)}@{self.sender.domain}>"

    def fill(self, recipient: Recipient, batch: str, date: datetime) -> bytes:
        """Return one reader's message, lines ending in CRLF. `date` (aware) goes into its Date header.

        Raises wire.Unwritable for an address, row, batch or link that cannot stand in a header, KeyError, naming
        the field, where a value is missing, and UnicodeEncodeError for text that is no Unicode (half a surrogate).
        """
        head = [
            f"To: {wire.address(recipient.email)}\r\n",
            f"Date: {format_datetime(date)}\r\n",
            f"Message-ID: {self.message_id(recipient)}\r\n",
            f"{BATCH_HEADER}: {wire.key('the batch', batch)}\r\n",
            f"{ROW_HEADER}: {recipient.row}\r\n",
        ]
        if recipient.unsubscribe_url is not None:
            # By hand, on one line: the standard library would encode a long link as words, which no program follows.
            head.append(f"List-Unsubscribe: <{wire.link(recipient.unsubscribe_url)}>\r\n")
            head.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
        values = {name: recipient.values[name] for name in self._fields}
        return b"".join(
            [
                "".join(head).encode("ascii"),
                self._shared_head.encode("ascii"),
                b"\r\n",
                _part_head("plain"),
                *_splice(self._text, values),
                b"\r\n",
                _part_head("html"),
                *_splice(self._html, {name: html.escape(value) for name, value in values.items()}),
                f"\r\n--{_BOUNDARY}--\r\n".encode("ascii"),
            ]
        )


@lru_cache(maxsize=4)
def filler_for(letter: Letter, envelope: Envelope) -> MimeFiller:
    """Return the MimeFiller of a letter; the batches of one send share one."""
    return MimeFiller(letter, envelope)


def header(name: str, value: str) -> str:
    """Return one header, folded, its non-ASCII words encoded (RFC 2047), ending in CRLF."""
    return str(SMTP.header_factory(name, value).fold(policy=SMTP))


def unfolded(name: str, value: str) -> str:
    """Return a header's value in ASCII on one line, for wires that fold by themselves."""
    return header(name, value).partition(":")[2].replace("\r\n", "").strip()


def display(mailbox: wire.Mailbox) -> str:
    """`Name <address>`, quoted where the name needs it, its letters left as they are."""
    if not mailbox.name:
        return mailbox.address
    quoted = re.sub(r'(["\\])', r"\\\1", mailbox.name)
    return formataddr((mailbox.name, mailbox.address)) if mailbox.name.isascii() else f'"{quoted}" <{mailbox.address}>'


def quoted_printable(text: str) -> bytes:
    """Encode text; line ends become CRLF, lines are at most 76 characters with their soft break."""
    return b"\r\n".join(map(_encode_line, _LINE_END.split(text.encode())))


def _encode_line(line: bytes) -> bytes:
    escaped = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], line)
    if len(escaped) <= _LONGEST_LINE:
        return escaped
    pieces = []
    start = 0
    while len(escaped) - start > _LONGEST_LINE:
        end = start + _LONGEST_LINE
        # Never within an escape, which is "=" and two digits.
        cut = escaped.rfind(b"=", end - 2, end)
        end = cut if cut != -1 else end
        pieces.append(escaped[start:end])
        start = end
    pieces.append(escaped[start:])
    return _SOFT_BREAK.join(pieces)


def _encode_around_fields(source: str) -> list[bytes | str]:
    """Constant pieces (bytes) and merge fields' names (str), in order."""
    pieces: list[bytes | str] = []
    for at, piece in enumerate(MERGE_FIELD.split(source)):
        pieces.append(piece if at % 2 else _closed(quoted_printable(piece)))
    return pieces


def _closed(encoded: bytes) -> bytes:
    """End what was encoded so that anything may follow."""
    return encoded if not encoded or encoded.endswith(b"\r\n") else encoded + _SOFT_BREAK


def _splice(pieces: list[bytes | str], values: Mapping[str, str]) -> list[bytes]:
    encoded = {name: _closed(quoted_printable(value)) for name, value in values.items()}
    filled = [piece if isinstance(piece, bytes) else encoded[piece] for piece in pieces]
    while filled and not filled[-1]:
        filled.pop()
    if filled:
        filled[-1] = filled[-1].removesuffix(_SOFT_BREAK)  # nothing follows, and a literal "=" is written =3D
    return filled


def _part_head(kind: str) -> bytes:
    return _PART.format(boundary=_BOUNDARY, kind=kind).encode("ascii")

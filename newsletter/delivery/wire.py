"""What of ours may be written into a message's head, and how? One place, for every provider.

Pure. Promises: what passes here is ASCII where the wire wants ASCII, names exactly one mailbox, and holds nothing
that could end a header line and begin another. What does not pass raises Unwritable, whose text may be shown.
"""

import re
from dataclasses import dataclass
from email.utils import parseaddr

from email_validator import EmailNotValidError, validate_email

_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")  # besides CR and LF: what some parser takes for a line's end
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")
_LINK = re.compile(r"https?://[!#-;=?-~]{1,900}")  # printable ASCII without " < >, on one line of at most 998
_KEY = re.compile(r"[A-Za-z0-9_.~+=-]{1,80}")  # 80: what Postmark keeps of a metadata value

LONGEST_ADDRESS = 254  # characters, RFC 5321


class Unwritable(ValueError):  # noqa: N818  the name says what happened
    """This value cannot stand in a message; its text says which and why."""


@dataclass(frozen=True)
class Mailbox:
    """A name to show (may be empty, may be non-ASCII) and an ASCII address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part behind the @."""
        return self.address.rpartition("@")[2]


def one_line(what: str, value: str) -> str:
    """Return the value unless it holds a line break or another control character."""
    if _BREAKS.search(value):
        raise Unwritable(f"{what} holds a line break or a control character")
    return value


def address(text: str) -> str:
    """Return one bare e-mail address in ASCII, its domain in punycode where it needs to be.

    A local part outside ASCII is refused: Postmark does not carry it. So is everything that a provider
    might read as two addresses, or as a name and an address.
    """
    if _PLAIN_ADDRESS.fullmatch(text) and len(text) <= LONGEST_ADDRESS:
        return text
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True).ascii_email
    except EmailNotValidError as error:
        raise Unwritable(f"not an e-mail address: {_BREAKS.sub(' ', str(error))}") from None
    if found is None:
        raise Unwritable("the part before the @ is not ASCII, and is not carried")
    return one_line("the address", found)


def mailbox(text: str) -> Mailbox:
    """Read `name@example.com` or `Name <name@example.com>`."""
    name, bare = parseaddr(one_line("the address", text))
    if not bare:
        raise Unwritable(f"not a mailbox: {text}")
    return Mailbox(name, address(bare))


def link(url: str) -> str:
    """Return a URL that can stand in angle brackets in a header."""
    if not _LINK.fullmatch(url):
        raise Unwritable("the unsubscribe link is not a plain http(s) URL")
    return url


def key(what: str, value: str) -> str:
    """Return a batch or row key: at most 80 letters, digits and `_.~+=-`, good for headers and file names alike."""
    if not _KEY.fullmatch(value):
        raise Unwritable(f"{what} is not a plain key of at most 80 characters")
    return value

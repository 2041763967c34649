"""What is an e-mail address, and when are two the same?

Pure: no look-up in the network. Two addresses are the same when mail to both is sure to reach one mailbox, and else
they are not: docs/decisions/same-address.md says where that is sure.
"""

import re
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

MAX_LENGTH = 254  # characters, RFC 5321's limit on a path less its brackets

GMAIL = frozenset({"gmail.com", "googlemail.com"})
"""Two names of one service that passes over dots before the @."""

ORDINARY = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,})", re.ASCII
)
"""What nearly all addresses look like. The library takes 20 times as long over one, which is most of a long import's
time; a test holds that both always say the same."""

SHORT = 63  # characters; a local part or a domain that is no longer is within every limit


@dataclass(frozen=True)
class Address:
    """A checked address: `email` as it is written to, `key` as it is compared."""

    email: str
    key: str

    @property
    def mailbox(self) -> str:
        """Where mail to it most likely ends up: the key without what follows a plus. To count by, never to compare."""
        local_part, _, domain = self.key.rpartition("@")
        return f"{local_part.partition('+')[0] or local_part}@{domain}"


def parse_address(written: str, *, to_write: bool = True) -> Address:
    """Check an address's syntax. Raises ValueError with one line that says what is wrong with it.

    `to_write`: whether letters are to go there. Then only ASCII may stand before the @: hardly any server takes
    anything else, and none of our carriers does. An address that is only looked for may be any.
    """
    written = written.strip()
    return _ordinary(written) or _checked(written, to_write=to_write)


def readable(written: str) -> Address | None:
    """An address that is only looked for, as somebody else has written it; None for what is none."""
    try:
        return parse_address(written, to_write=False)
    except ValueError:
        return None


def _ordinary(written: str) -> Address | None:
    """An address in plain ASCII without anything odd; None for every other, good or bad."""
    found = ORDINARY.fullmatch(written) if len(written) <= 2 * SHORT else None
    if not found or len(found[1]) > SHORT or len(found[2]) > SHORT:
        return None
    local_part, domain = found[1], found[2].lower()
    if domain.rpartition(".")[2] in SPECIAL_USE_DOMAIN_NAMES:
        return None
    return Address(email=f"{local_part}@{domain}", key=key_of(local_part, domain))


def _checked(written: str, *, to_write: bool = True) -> Address:
    try:
        # Test environment: names reserved for tests (example.test) are let through; they harm nobody.
        valid = validate_email(written, check_deliverability=False, test_environment=True, allow_smtputf8=not to_write)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if max(len(valid.normalized), len(valid.ascii_email or "")) > MAX_LENGTH:
        raise ValueError(f"The address is longer than {MAX_LENGTH} characters.")
    return Address(email=valid.normalized, key=key_of(valid.local_part, valid.ascii_domain or valid.domain))


def key_of(local_part: str, domain: str) -> str:
    """What is compared of an address. `domain` in ASCII (punycode)."""
    # Not casefold(): it would make one address of straße@ and strasse@.
    local_part, domain = local_part.lower(), domain.lower()
    if domain in GMAIL:
        return f"{local_part.replace('.', '')}@gmail.com"
    return f"{local_part}@{domain}"

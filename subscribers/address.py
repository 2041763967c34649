"""What is an e-mail address, and when are two the same?

Pure: no look-up in the network. Two addresses are the same when mail to both is sure to reach one mailbox, and else
they are not: docs/decisions/same-address.md says where that is sure.
"""

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 254  # characters, RFC 5321's limit on a path less its brackets

GMAIL = frozenset({"gmail.com", "googlemail.com"})
"""Two names of one service that passes over dots before the @."""


@dataclass(frozen=True)
class Address:
    """A checked address: `email` as it is written to, `key` as it is compared."""

    email: str
    key: str


def parse_address(written: str) -> Address:
    """Check an address's syntax. Raises ValueError with one line that says what is wrong with it."""
    try:
        # Test environment: names reserved for tests (example.test) are let through; they harm nobody.
        valid = validate_email(written.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if len(valid.normalized) > MAX_LENGTH:
        raise ValueError(f"The address is longer than {MAX_LENGTH} characters.")
    return Address(email=valid.normalized, key=key_of(valid.local_part, valid.ascii_domain or valid.domain))


def key_of(local_part: str, domain: str) -> str:
    """What is compared of an address. `domain` in ASCII (punycode)."""
    # Not casefold(): it would make one address of straße@ and strasse@.
    local_part, domain = local_part.lower(), domain.lower()
    if domain in GMAIL:
        return f"{local_part.replace('.', '')}@gmail.com"
    return f"{local_part}@{domain}"

"""What is an e-mail address, and when are two the same?

Pure: no look-up in the network. Two addresses are the same when their domains are (case and IDN spelling aside)
and their local parts are but for case: no provider of note tells `Ana@` from `ana@`, and mailing both would be twice.
"""

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 254  # characters, RFC 5321's limit on a path less its brackets


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
    key = f"{valid.local_part.casefold()}@{(valid.ascii_domain or valid.domain).lower()}"
    return Address(email=valid.normalized, key=key)

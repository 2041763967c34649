"""What is wrong with a record, in words that its writer can act on?

Pure. Promise: one short phrase a fault, without the validator's own jargon.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

MAX_COMPLAINTS = 3  # a line should stay a line

_DATE = "must be a date and time with an offset, like 2026-11-18T09:00:00Z"
_ADDRESS = "must be an address that begins with http:// or https://"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this",
    "string_type": "must be text",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "string_unicode": "holds half a character (a lone surrogate)",
    "string_pattern_mismatch": "must be small letters, digits and single hyphens",  # only slugs have a pattern
    "int_type": "must be a whole number from 0 to 100",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "too_short": "must hold {min_length} or more",
    "too_long": "must hold {max_length}, not more",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_scheme": _ADDRESS,
    "url_too_long": "is longer than {max_length} characters",
    "datetime_parsing": _DATE,
    "datetime_from_date_parsing": _DATE,
    "datetime_type": _DATE,
    "timezone_aware": _DATE,
}


def complaints(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Each fault as its place (`("tools", 1, "panel_ship")`, or `()` for the whole) and what is wrong there."""
    return [(found["loc"], _phrase(found["type"], found["msg"], found.get("ctx", {}))) for found in error.errors()]


def in_one_line(error: ValidationError) -> str:
    """All faults in one line: `tools.1.panel_ship must be 100 or less; title is missing`."""
    found = [f"{'.'.join(map(str, place))} {phrase}".strip() for place, phrase in complaints(error)]
    more = len(found) - MAX_COMPLAINTS
    return "; ".join(found[:MAX_COMPLAINTS]) + (f"; and {more} more" if more > 0 else "")


def _phrase(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if context.get("field_type") == "Value":  # a text whose length is looked at after it was tidied, no list
        kind = f"string_{kind}"
    return _WORDS[kind].format(**context) if kind in _WORDS else message[:1].lower() + message[1:]

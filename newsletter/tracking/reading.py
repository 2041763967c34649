"""What stands in JSON that somebody else has written? Its fields, made fit to be kept, whatever they are.

Pure, and raises nothing: a value that is not what it should be is read as missing. What is kept of a body means the
same as the body did when it is read once more.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import orjson

from newsletter.delivery.postmark_suppressions import moment

KEPT: Final = 64 * 1024  # characters of a body
EMAIL: Final = 320  # characters of an address; a local part has 64 at most, a domain 255
LONG: Final = EMAIL + 1  # characters of one value, where a body is too long to be kept: one too many stays one too many

_CENTURY: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))

# Controls, and half characters: PostgreSQL takes no NUL and no database of ours half a character.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNDECODED = re.compile("[\0\udc80-\udcff]")

Fields = Mapping[str, object]


def text_of(body: bytes) -> str:
    """A body as text; what is not UTF-8, and NUL, as the escapes with which JSON would have written such a thing."""
    text = body.decode("utf-8-sig", "surrogateescape")
    if text.isascii() and "\0" not in text:
        return text
    return _UNDECODED.sub(lambda found: f"\\u{ord(found[0]) & 0xFF:04x}", text)


def fields_of(text: str) -> dict[str, object]:
    """The fields of a JSON object by their names in lower case; none where it is something else, or no JSON."""
    try:
        return lowered(orjson.loads(text))
    except (orjson.JSONDecodeError, RecursionError):
        pass
    try:  # it takes half a character, and what JSON does not have (NaN), where the other refuses the whole
        return lowered(json.loads(text, strict=False))
    except (ValueError, RecursionError):
        return {}


def lowered(written: object) -> dict[str, object]:
    """An object's fields by their names in lower case: `ServerID` was `ServerId` once. None where it is no object."""
    return {name.lower(): value for name, value in written.items()} if isinstance(written, Mapping) else {}


def kept(text: str, fields: Fields, read: Mapping[str, object]) -> str:
    """What is kept of a body: the whole, mostly. At most `KEPT` characters.

    Of a longer one all but its `Content`, which is the letter that came back; if that is too long as well, those of its
    `fields` that are `read`. What is no JSON is cut.
    """
    if len(text) <= KEPT:
        return text
    if not fields:
        return text[:KEPT]
    whole = as_json({name: value for name, value in fields.items() if name != "content"})
    if whole is not None and len(whole) <= KEPT:
        return whole
    return as_json({name: _short(fields[name], inner) for name, inner in read.items() if name in fields}) or ""


def as_json(fields: Fields) -> str | None:
    """Fields as one line of JSON that can be stored; None where they go too deep to be written."""
    try:
        written = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, ValueError, TypeError):
        return None
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def words(written: object, limit: int = 100) -> str | None:
    """A text in one line: what is unfit in it is written as an escape. None for what is no text, or nothing."""
    if not isinstance(written, str):
        return None
    return _UNFIT.sub(lambda found: ascii(found[0])[1:-1], written[:limit]).strip()[:limit] or None


def address(written: object) -> str | None:
    """An address, if it can be one. Nothing is mended in it: it would be another one."""
    if not isinstance(written, str) or len(written) > EMAIL:
        return None
    stripped = written.strip()
    return None if _UNFIT.search(stripped) else stripped or None


def when(written: object) -> datetime | None:
    """A moment as Postmark writes it, UTC; None where it is none, or one of another age: some write the year 1."""
    try:
        at = moment(written)
    except ValueError:
        return None
    return at if _CENTURY[0] <= at < _CENTURY[1] else None


def yes_or_no(written: object) -> bool | None:
    """A yes or no; in the details of messages Postmark writes it as a word."""
    return {"true": True, "false": False}.get(str(written).lower()) if isinstance(written, bool | str) else None


def number(written: object) -> int | None:
    """A whole number, written as one or as its digits; None for what is none, or longer than 64 bits."""
    if isinstance(written, str) and len(written) <= len(str(1 << 63)) and written.isascii() and written.isdecimal():
        written = int(written)
    return written if isinstance(written, int) and not isinstance(written, bool) and 0 <= written < 1 << 63 else None


def _short(value: object, inner: object) -> object:
    """One value, short; of an object its fields `inner` and nothing else."""
    if isinstance(value, Mapping):
        value = lowered(value)
        names = inner if isinstance(inner, Mapping) else {}
        return {name: _short(value[name], None) for name in names if name in value}
    if isinstance(value, str):
        return value[:LONG]
    if isinstance(value, bool | float | None):
        return value
    return number(value)

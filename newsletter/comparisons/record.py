"""What is a comparison, as data? One shape for pages, JSON, the store, the letter and the web pages.

The JSON Schema in `docs/comparison.schema.json` is generated from here (`make schema`).
"""

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    StringConstraints,
    model_validator,
)

SEATS = ("builder", "skeptic", "futurist", "founder")
"""The panel's seats, in the order in which pages print their quotes."""

LEFT, RIGHT = 0, 1
"""The two sides of a comparison, as indexes of `tools`."""

MAX_LINE = 300  # characters
MAX_TEXT = 20_000  # characters
MAX_SLUG = 120  # characters

_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
"""Between these every zone has a date: none is a day from UTC."""

# Spelled for JavaScript, Rust and Python alike, since they are published in the JSON Schema.
_NOT_IN_TEXT = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F"
_NOT_IN_LINE = r"\x00-\x08\x0A-\x1F\x7F-\x9F\u2028\u2029"
_DATE_PATTERN = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})$"


def folded(text: str) -> str:
    """What is left of a title or a name when case, spacing and the width of its letters do not count."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def _unix_line_ends(value: object) -> object:
    return re.sub(r"\r\n?", "\n", value) if isinstance(value, str) else value


def _is_text(value: str) -> str:
    if found := re.search(f"[{_NOT_IN_TEXT}]", value):
        raise ValueError(f"holds the control character U+{ord(found[0]):04X}; take it out")
    return value


def _is_line(value: str) -> str:
    if found := re.search(f"[{_NOT_IN_LINE}]", value):
        raise ValueError(f"must be one line, without the control character U+{ord(found[0]):04X}")
    if len(folded(value)) > MAX_LINE:  # some single letters fold to many; the database indexes what they fold to
        raise ValueError(f"is longer than {MAX_LINE} characters")
    return value


def _is_date_text(value: object) -> object:
    """Pydantic would take numbers, and text that holds one, for seconds since 1970."""
    if isinstance(value, datetime) or value is None or (isinstance(value, str) and re.match(_DATE_PATTERN, value)):
        return value
    raise ValueError("must be a date and time with an offset, like 2026-11-18T09:00:00Z")


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for one that pages could not name in the newsletter's zone."""
    if not _FIRST < value < _LAST:
        raise ValueError("is out of reach: years go from 1 to 9999")
    return value.astimezone(UTC)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # to JSON, 50.0 is 50


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LINE),
    AfterValidator(_is_line),
    Field(json_schema_extra={"pattern": rf"^\s*[^\s{_NOT_IN_LINE}][^{_NOT_IN_LINE}]*$"}),
]
"""One line of text, white space around it taken off."""

Text = Annotated[
    str,
    BeforeValidator(_unix_line_ends),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT),
    AfterValidator(_is_text),
    Field(json_schema_extra={"pattern": rf"^\s*[^\s{_NOT_IN_TEXT}][^{_NOT_IN_TEXT}]*$"}),
]
"""Text of one or more lines, each ended by a line feed, white space around it taken off."""

Percent = Annotated[int, Field(ge=0, le=100, strict=True, description="whole percent"), BeforeValidator(_whole)]
Verdict = Literal["ship", "skip"]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_is_date_text),
    AfterValidator(in_utc),
    Field(json_schema_extra={"pattern": _DATE_PATTERN}),
]
WebAddress = Annotated[HttpUrl, Field(json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"})]
Ignored = Annotated[str | None, AfterValidator(lambda _: None)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(_Record):
    """One of the two tools, as this comparison printed it."""

    name: Line
    tagline: Line
    category: Line
    entry_price: Line = Field(description='as printed: "Free", "Paid", "$12/mo"')
    description: Text
    panel_ship: Percent | None = Field(
        default=None,
        description="share of the panel that would ship it, as published; may be left out where every verdict is known",
    )
    community_ship: Percent | None = Field(
        default=None, description="the same share among readers; null while nobody has voted"
    )


class Review(_Record):
    """What one reviewer said of one of the tools."""

    seat: Line = Field(description='"builder", "skeptic", "futurist", "founder", or "Reviewer 1" and so on')
    tool: Line = Field(description="the name of the tool that is spoken of")
    verdict: Verdict | None = Field(default=None, description="null where it is not known")
    quote: Text


class Comparison(_Record):
    """Two tools side by side, as the panel saw them."""

    title: Line
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=MAX_SLUG)] | None = Field(
        default=None, description="names the comparison in URLs; made from the title where it is left out"
    )
    url: WebAddress | None = Field(default=None, description="where the comparison was published")
    published_at: Instant | None = Field(default=None, description="with an offset, ISO 8601")
    issue: Ignored = Field(default=None, exclude=True, description="where it went out; ignored on import")
    tools: tuple[Tool, Tool] = Field(description="left, right")
    reviews: tuple[Review, ...] = Field(
        min_length=2, description="by seat, for each seat the left tool first, then the right one"
    )

    @model_validator(mode="after")
    def _panel_is_complete(self) -> Self:
        """Every seat speaks once of each tool, and published shares agree with known verdicts."""
        left, right = (tool.name for tool in self.tools)
        if folded(left) == folded(right):
            raise ValueError(f"both tools are called {left!r}")
        said = {(review.seat, review.tool): review for review in self.reviews}
        expected = [(seat, name) for seat in self.seats() for name in (left, right)]
        if len(said) < len(self.reviews) or set(said) != set(expected):
            raise ValueError(f"each seat must speak once of {left!r} and once of {right!r}, and of nothing else")
        object.__setattr__(self, "reviews", tuple(said[key] for key in expected))
        for tool in self.tools:
            self._check_share(tool)
        return self

    def _check_share(self, tool: Tool) -> None:
        verdicts = [review.verdict for review in self.reviews if review.tool == tool.name]
        if tool.panel_ship is None:
            if None in verdicts:
                raise ValueError(f"panel_ship of {tool.name!r} is missing, and not every verdict on it is known")
            return
        least = 100 * verdicts.count("ship") / len(verdicts)
        most = 100 - 100 * verdicts.count("skip") / len(verdicts)
        if not least - 1 < tool.panel_ship < most + 1:  # others may round otherwise than we do
            made = f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"
            raise ValueError(
                f"panel_ship of {tool.name!r} is {tool.panel_ship}, but its reviewers' verdicts make {made}"
            )

    def seats(self) -> tuple[str, ...]:
        """The seats in the order in which they spoke."""
        return tuple(dict.fromkeys(review.seat for review in self.reviews))

    def pair(self, seat: str) -> tuple[Review, Review]:
        """What one seat said of the left and of the right tool. KeyError for a seat that is not there."""
        by_tool = {review.tool: review for review in self.reviews if review.seat == seat}
        return by_tool[self.tools[LEFT].name], by_tool[self.tools[RIGHT].name]

    def pairs(self) -> dict[str, tuple[Review, Review]]:
        """Seat -> what it said of the left and of the right tool, in the order in which they spoke: all in one pass."""
        left, right = self.reviews[LEFT::2], self.reviews[RIGHT::2]  # the validator has put them in order
        return {one.seat: (one, other) for one, other in zip(left, right, strict=True)}

    def panel_ship(self, side: int) -> int:
        """The share of the panel that would ship a side's tool, 0 to 100: as published, else derived."""
        tool = self.tools[side]
        share = derived_panel_ship(self, tool.name) if tool.panel_ship is None else tool.panel_ship
        assert share is not None  # the validator refuses records without either
        return share

    def heads(self, side: int) -> int | None:
        """How many reviewers would ship a side's tool; None where the published share is no number of heads.

        67 % of three reviewers are two of them: what counts is that the heads round to the share.
        """
        percent, panel = self.panel_ship(side), len(self.seats())
        ships = round(panel * percent / 100)
        return ships if whole_percent(ships, panel) == percent else None


def reviewer_name(seat: str) -> str:
    """How a seat is called in print: "builder" is a role, "The Builder"; "Reviewer 5" is a name already."""
    return f"The {seat.capitalize()}" if seat.isascii() and seat.isalpha() and seat.islower() else seat


def derived_panel_ship(comparison: Comparison, tool: str) -> int | None:
    """Whole percent of the verdicts on a tool that are "ship", halves up; None unless all are known."""
    verdicts = [review.verdict for review in comparison.reviews if review.tool == tool]
    if not verdicts or None in verdicts:
        return None
    return whole_percent(verdicts.count("ship"), len(verdicts))


def whole_percent(part: int, whole: int) -> int:
    """A share, 0 to 100, halves up, as people round."""
    return (200 * part + whole) // (2 * whole)


def json_schema() -> str:
    """The published JSON Schema, as text with a line feed at its end."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Comparison.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")

"""What do documents look like that programs are answered with? `/openapi.json` is made of these shapes, too."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from newsletter.comparisons.record import Percent


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class Fault(_Shape):
    """One thing that is wrong with what was sent."""

    where: str = Field(description="`tools.1.panel_ship`, `line 3`; empty for the whole")
    what: str = Field(description="what is wrong there, in words")


class Trouble(_Shape):
    """Why something was not done."""

    error: str
    details: list[Fault]


class Stored(_Shape):
    """What became of a comparison that was handed over."""

    slug: str
    title: str
    change: Literal["new", "unchanged", "updated"]
    changes: list[str] = Field(description="each difference in a few words: `panel_ship of Codestral 2.1: 75 → 50`")
    url: str = Field(description="its page, which is there as soon as an issue with it has begun to go out")


class Voted(_Shape):
    """One of the two tools, as the panel and the readers see it."""

    name: str
    panel_ship: Percent
    community_ship: Percent | None = Field(
        description="of our readers' votes, where there are any; else as published; null while nobody has voted"
    )
    votes: int = Field(description="readers who would ship it")


class IssueComparison(_Shape):
    """One comparison of an issue."""

    slug: str
    title: str
    votes: int = Field(description="readers who have voted on it")
    tools: list[Voted] = Field(description="left, right", min_length=2, max_length=2)


class SentIssue(_Shape):
    """An issue that readers have."""

    week: str = Field(description="ISO week, `2026-W47`")
    state: str
    subject: str
    preheader: str
    digest: str | None = Field(description="of the letter that was approved")
    sent_at: datetime | None = Field(description="null while it is going out")
    comparisons: list[IssueComparison] = Field(description="the first one leads")
    counts: dict[str, Any] = Field(
        description="the accounting and what came back, as `newsletter issues status --json`"
    )

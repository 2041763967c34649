"""What does `issues status` say of what came back? A line a subject, and nothing of what nobody records.

What came is judged before it is counted (`tracking.labelling`), so that the figures of people are true also where no
scheduler runs.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.cli.console import tell
from newsletter.db import reading
from newsletter.numbers import KEEP_BELOW, NEVER, NOT_SAID
from newsletter.tracking import labelling
from subscribers.unsubscribe import REASONS

CELLS: Final = 30  # of the scale of complaints: one a hundredth of a per cent, up to `NEVER`

MOST_JUDGED: Final = 20_000  # copies; two seconds or so


def judged(engine: Engine) -> AbstractContextManager[Session]:
    """A session to count in, once it is judged which openings and clicks were machines'; so many as are waited for."""
    if labelling.run(engine, MOST_JUDGED) >= MOST_JUDGED:
        tell("more openings and clicks wait to be judged, and count as people's: `newsletter stats label` judges them")
    return reading(engine)


def came_back_lines(document: Mapping[str, Any]) -> list[str]:
    """What `issues status` says of what came back, a line a subject; nothing of what nobody records."""
    told = document["delivered"] is not None
    heard = any(document[name] for name in ("delivered", "bounced", "complained", "opened", "clicked"))
    lines = []
    if told and not heard:
        lines.append("nothing has come back yet")
    if told and heard:
        ways = ", ".join(
            f"{count} {name}" for name, count in document["bounces"].items() if name != "by_type" and count
        )
        types = ", ".join(f"{count} {name or 'of no type'}" for name, count in document["bounces"]["by_type"].items())
        lines.append(f"delivered {document['delivered']}, bounced {document['bounced']}{_behind(ways)}{_then(types)}")
        lines += _complaint_lines(document["complained"], document["complaint_rate"])
    if document["unsubscribed"]:
        reasons = document["unsubscribes"]["reasons"]
        said = ", ".join(f"{count} {_reason(name)}" for name, count in reasons.items() if count)
        there = document["unsubscribes"]["at_provider"]
        lines.append(f"unsubscribed {document['unsubscribed']}: {said}{f'; {there} at the provider' if there else ''}")
    for name, kind in (("opened", "opens"), ("clicked", "clicks")):
        if document[name] is not None:
            machines = ", ".join(f"{count} {each}" for each, count in document["machines"].get(name, {}).items())
            times = " (times, not readers)" if document["tracking"][kind] == "totals" else ""
            people = document[f"{name}_by_people"]
            lines.append(
                f"{name} {document[name]}{times}, by people {people}{f'; machines: {machines}' if machines else ''}"
            )
    if votes := {tally["slug"]: tally["all"] for tally in document["votes"] or () if tally["all"]}:
        each = ", ".join(f"{count} on {slug}" for slug, count in votes.items())
        lines.append(f"votes {sum(votes.values())}: {each}")
    lines += [f"trouble of our own, {one['count']} {one['detail']}: {one['what']}" for one in document["alarms"]]
    return lines


def _complaint_lines(complained: int, rate: float | None) -> list[str]:
    """The complaints, and where they are between the mailbox providers' thresholds."""
    if not complained or rate is None:
        return [f"complaints {complained}"]
    limits = f"keep below {KEEP_BELOW:.2f} %, never {NEVER:.2f} %"
    full = min(CELLS, max(1, round(rate / NEVER * CELLS)))
    bar = "#" * full + "-" * (CELLS - full)
    at = round(KEEP_BELOW / NEVER * CELLS)
    scale = f"{bar[:at]}|{bar[at:]}"
    return [f"complaints {complained} ({rate:.2f} % of delivered; {limits})", f"  0 [{scale}] {NEVER:.2f} %"]


def _reason(name: str) -> str:
    return "did not say why" if name == NOT_SAID else f"“{REASONS[name]}”"


def _behind(text: str) -> str:
    return f" ({text})" if text else ""


def _then(text: str) -> str:
    return f": {text}" if text else ""

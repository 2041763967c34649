"""Where does an issue's letter lead, and is anybody there? Its links, and what came of asking them.

Promises: only what lies outside our own pages is asked by network, and only when an editor says so; what was found is
kept with the moment, and is shown of exactly the addresses that were asked.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import figures
from newsletter.db import writing
from newsletter.issues.week import Week
from newsletter.links import Links
from newsletter.message import MERGE_FIELD
from newsletter.reachable import Answer, Checker
from newsletter.rendering.elements import parse
from newsletter.weekly import CannotDo

AT_WORK: Final = timedelta(minutes=1)
"""After so long a check that has told nothing has died with its process."""

log = structlog.get_logger()


@dataclass(frozen=True)
class LeadsTo:
    """The addresses that a letter leads to, each once and in its order; not those that are a reader's own."""

    outside: tuple[str, ...]
    ours: tuple[str, ...]
    """Pages of our own, as paths with their queries, below the public address."""


@dataclass(frozen=True)
class Checked:
    """What came of asking the addresses of an issue."""

    at: datetime
    answers: dict[str, Answer]
    """Address -> what came of asking it."""
    at_work: bool
    """Whether it is being asked just now; `answers` are then those of the time before."""


@lru_cache(maxsize=16)  # letters are asked about again and again while they are looked at
def leads_to(html: str, links: Links) -> LeadsTo:
    """All addresses behind the links of a letter, its merge fields unfilled."""
    found = [each.attributes.get("href", "") for each in parse(html).walk() if each.tag == "a"]
    fixed = [each for each in dict.fromkeys(found) if each and not MERGE_FIELD.search(each)]
    ours = [each for each in fixed if each == links.base_url or each.startswith((f"{links.base_url}/", "/"))]
    outside = [each for each in fixed if each not in ours and not each.startswith(("mailto:", "#"))]
    return LeadsTo(tuple(outside), tuple(each.removeprefix(links.base_url) or "/" for each in ours))


def checked(session: Session, week: str, now: datetime) -> Checked | None:
    """What was last found of an issue's links; None where nobody has asked."""
    kept = figures.find(session, _name(week))
    if kept is None:
        return None
    answers = [Answer(*each) for each in kept.content["answers"]]
    at_work = kept.content["at_work"] and now - kept.at < AT_WORK
    return Checked(kept.at, {each.url: each for each in answers}, at_work)


def start(
    engine: Engine, session: Session, week: Week, urls: Sequence[str], checker: Checker, clock: Callable[[], datetime]
) -> threading.Thread:
    """Begin to ask these addresses, in a thread that has an end; the caller commits, and then starts it.

    Raises CannotDo where they are being asked already, or there are none.
    """
    if not urls:
        raise CannotDo(f"the letter of {week} leads nowhere but to our own pages")
    before = checked(session, str(week), clock())
    if before and before.at_work:
        raise CannotDo(f"the links of {week} are being asked just now; look again in a moment")
    _keep(session, str(week), list(before.answers.values()) if before else [], clock(), at_work=True)

    def work() -> None:
        try:
            answers = checker.check(urls)
            with writing(engine) as writer:
                _keep(writer, str(week), answers, clock(), at_work=False)
                writer.commit()
        except Exception as error:  # noqa: BLE001  nobody waits for this thread
            log.warning("the links could not be checked", week=str(week), error=type(error).__name__)

    return threading.Thread(target=work, name=f"links of {week}", daemon=True)


def _keep(session: Session, week: str, answers: Sequence[Answer], now: datetime, *, at_work: bool) -> None:
    content = {"answers": [list(astuple(each)) for each in answers], "at_work": at_work}
    figures.keep(session, _name(week), content, now)


def _name(week: str) -> str:
    return f"links {week}"

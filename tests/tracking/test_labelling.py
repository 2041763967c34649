"""What was told is judged, as soon as it is told and whenever the rules change, and nothing else is touched by it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from newsletter.db import reading
from newsletter.tracking import labelling
from newsletter.tracking.event import CLICKED, DELIVERED, DOOR, OPENED
from newsletter.tracking.scanners import BURST, CANARY, FETCHER, HEAD, RULES
from tests.newsroom import table
from tests.tracking.heard import LATER, hear, send_to

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def labels(engine: Engine) -> list[tuple[int, str, str | None, int | None]]:
    """(reader, kind, label, rules) of every event, in the order in which they were told."""
    with reading(engine) as session:
        rows = table(session, "SELECT subscriber_id, kind, machine, rules FROM events ORDER BY id")
    return [(reader, kind, machine, rules) for reader, kind, machine, rules in rows]


def test_each_copy_is_judged_by_all_that_was_done_with_it(engine: Engine) -> None:
    letter, (scanned, person) = send_to(engine, 2)
    hear(engine, letter, DELIVERED, [scanned, person])
    hear(engine, letter, OPENED, [scanned, person], agent=BROWSER)
    for number in range(3):  # of one copy within a second, of the other over an hour
        link = f"comparisons/{number}"
        at = LATER + timedelta(seconds=30)
        hear(engine, letter, CLICKED, [scanned], link=link, agent=BROWSER, at=at + timedelta(seconds=number * 0.3))
        hear(engine, letter, CLICKED, [person], link=link, agent=BROWSER, at=at + timedelta(minutes=number * 20))
    hear(engine, letter, CLICKED, [person], link="votes/a/left", source=DOOR, detail="HEAD", agent=BROWSER)
    assert labelling.run(engine) == 2
    assert labels(engine) == [
        (scanned, DELIVERED, None, None),
        (person, DELIVERED, None, None),
        (scanned, OPENED, BURST, RULES),
        (person, OPENED, None, RULES),
        *[(scanned, CLICKED, BURST, RULES), (person, CLICKED, None, RULES)] * 3,
        (person, CLICKED, HEAD, RULES),
    ]
    assert labelling.run(engine) == 0


def test_what_comes_later_has_the_whole_copy_judged_again(sqlite_engine: Engine) -> None:
    letter, (reader, other) = send_to(sqlite_engine, 2)
    hear(sqlite_engine, letter, CLICKED, [reader, other], link="comparisons/1", agent=BROWSER)
    assert labelling.run(sqlite_engine) == 2
    assert {machine for _, _, machine, _ in labels(sqlite_engine)} == {None}
    hear(sqlite_engine, letter, CLICKED, [reader], link="canary", agent=BROWSER, at=LATER + timedelta(minutes=5))
    assert labelling.run(sqlite_engine) == 1
    assert [machine for _, _, machine, _ in labels(sqlite_engine)] == [CANARY, None, CANARY]


def test_other_rules_judge_everything_anew_but_by_a_name_that_has_gone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter, (reader, forgotten) = send_to(engine, 2)
    hear(engine, letter, CLICKED, [reader], link="comparisons/1", agent=BROWSER, machine=FETCHER, rules=RULES)
    hear(engine, letter, CLICKED, [forgotten], link="comparisons/1", agent=None, machine=FETCHER, rules=RULES)
    assert labelling.run(engine) == 0
    monkeypatch.setattr(labelling, "RULES", RULES + 1)
    monkeypatch.setattr(labelling, "CHUNK", 1)
    assert labelling.run(engine) == 2
    assert labels(engine) == [(reader, CLICKED, None, RULES + 1), (forgotten, CLICKED, FETCHER, RULES + 1)]


def test_what_names_no_reader_was_judged_when_it_came(sqlite_engine: Engine) -> None:
    letter, _ = send_to(sqlite_engine, 1, "totals", "totals")
    hear(sqlite_engine, letter, CLICKED, [None] * 3, link="comparisons/1", machine=FETCHER, rules=RULES - 1)
    assert labelling.run(sqlite_engine) == 0

"""What came back of one letter, in figures: readers, not messages, and machines beside people."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from newsletter.db import reading
from newsletter.tracking import stats
from newsletter.tracking.event import (
    ANSWERED,
    BOUNCED_HARD,
    BOUNCED_SOFT,
    CLICKED,
    COMPLAINED,
    DELIVERED,
    FAILED,
    OPENED,
)
from newsletter.tracking.scanners import BURST, PROXY
from newsletter.tracking.stats import Returns, Touched
from tests.tracking.heard import LATER, hear, letter_of, send_to

NOTHING = {BOUNCED_HARD: 0, BOUNCED_SOFT: 0, FAILED: 0}


def returns(engine: Engine, letter_id: int) -> Returns:
    with reading(engine) as session:
        return stats.of_letter(session, letter_of(session, letter_id))


def test_readers_are_counted_each_once_and_of_this_letter_alone(engine: Engine) -> None:
    letter, readers = send_to(engine, 6)
    hear(engine, letter, DELIVERED, [*readers[:4], *readers[:2]])
    hear(engine, letter, BOUNCED_SOFT, [readers[0], readers[4], readers[4]], detail="Transient")
    hear(engine, letter, BOUNCED_HARD, [readers[4]], detail="HardBounce")
    hear(engine, letter, FAILED, [readers[5]], detail="SMTPApiError")
    hear(engine, letter, COMPLAINED, readers[:1] * 2)
    hear(engine, letter, ANSWERED, readers, detail="AutoResponder")
    counted = returns(engine, letter)
    assert counted == Returns(
        told=True,
        delivered=4,
        bounced=3,
        by_kind={BOUNCED_HARD: 1, BOUNCED_SOFT: 2, FAILED: 1},
        by_type={"Transient": 2, "HardBounce": 1, "SMTPApiError": 1},
        complained=1,
        opened=Touched(0, 0),
        clicked=Touched(0, 0),
    )
    assert list(counted.by_type) == ["Transient", "HardBounce", "SMTPApiError"]
    other, _ = send_to_nobody(engine)
    assert returns(engine, other) == Returns(told=False, by_kind=NOTHING)


def send_to_nobody(engine: Engine) -> tuple[int, list[int]]:
    return send_to(engine, 0, "no", "no")


def test_openings_and_clicks_are_shown_whole_and_of_people(engine: Engine) -> None:
    letter, (ana, ben, cleo, dan) = send_to(engine, 4)
    hear(engine, letter, OPENED, [ana, ana, ben])
    hear(engine, letter, OPENED, [ana, cleo], machine=PROXY)
    hear(engine, letter, CLICKED, [ana, ana, ben], link="comparisons/a-vs-b")
    hear(engine, letter, CLICKED, [dan, ana], link="comparisons/a-vs-b", machine=BURST)
    hear(engine, letter, CLICKED, [dan], link="comparisons/c-vs-d", machine=BURST)
    counted = returns(engine, letter)
    assert (counted.opened, counted.clicked) == (Touched(3, 2), Touched(3, 2))
    assert counted.links == {"comparisons/a-vs-b": Touched(3, 2), "comparisons/c-vs-d": Touched(1, 0)}
    assert counted.machines == {OPENED: {PROXY: 2}, CLICKED: {BURST: 3}}


def test_of_totals_each_time_counts_for_itself(engine: Engine) -> None:
    letter, (reader,) = send_to(engine, 1, "totals", "totals")
    hear(engine, letter, OPENED, [None] * 3)
    hear(engine, letter, OPENED, [None] * 2, machine=PROXY)
    hear(engine, letter, CLICKED, [None, None, reader], link="comparisons/a-vs-b")
    counted = returns(engine, letter)
    assert (counted.opened, counted.clicked) == (Touched(5, 3), Touched(3, 3))
    assert counted.links == {"comparisons/a-vs-b": Touched(3, 3)}


def test_where_nothing_is_noted_there_is_no_figure_unless_something_came(sqlite_engine: Engine) -> None:
    letter, (reader,) = send_to(sqlite_engine, 1, "no", "no")
    hear(sqlite_engine, letter, OPENED, [reader])
    counted = returns(sqlite_engine, letter)
    assert (counted.opened, counted.clicked) == (Touched(1, 1), None)
    assert replace(counted, opened=None, machines={}) == Returns(told=True, by_kind=NOTHING)


def test_only_troubles_of_our_own_alarm_and_only_for_a_while(engine: Engine) -> None:
    letter, readers = send_to(engine, 4)
    hear(engine, letter, BOUNCED_SOFT, readers, detail="Transient")
    hear(engine, letter, BOUNCED_SOFT, readers[:2], detail="DMARCPolicy")
    hear(engine, letter, FAILED, readers[:3], detail="SMTPApiError", at=LATER - timedelta(days=7))
    with reading(engine) as session:
        assert stats.alarming(session, LATER - timedelta(days=1)) == {"DMARCPolicy": 2}
        assert stats.alarming(session, LATER - timedelta(days=8)) == {"SMTPApiError": 3, "DMARCPolicy": 2}


def test_a_million_are_counted_from_the_index_alone(sqlite_engine: Engine) -> None:
    letter, readers = send_to(sqlite_engine, 3)
    hear(sqlite_engine, letter, DELIVERED, readers)
    statements: list[str] = []
    event.listen(sqlite_engine, "before_cursor_execute", lambda _, __, sql, *rest: statements.append(sql))
    returns(sqlite_engine, letter)
    counting = statements[-1]
    with reading(sqlite_engine) as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {counting}", (0,) * counting.count("?"))
        steps = [row[-1] for row in plan]
    assert "SEARCH events USING COVERING INDEX ix_events_letter (letter_id=? AND kind=?)" in steps, steps
    assert not [step for step in steps if "TEMP B-TREE" in step], "a million rows would be sorted"


@pytest.mark.parametrize("kind", [OPENED, CLICKED])
def test_the_two_figures_never_cross(sqlite_engine: Engine, kind: str) -> None:
    letter, readers = send_to(sqlite_engine, 3)
    hear(sqlite_engine, letter, kind, [readers[0], None], machine=BURST)
    hear(sqlite_engine, letter, kind, [readers[0], readers[1], None])
    counted = returns(sqlite_engine, letter)
    touched = counted.opened if kind == OPENED else counted.clicked
    assert touched == Touched(all=4, people=3)

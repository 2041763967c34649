"""How a fault is written, and which calls it strikes."""

import re
from pathlib import Path

import pytest

from newsletter.sandbox.faults import KINDS, Strikes, parse
from newsletter.sandbox.striking import Faults, Telling

DOCUMENT = Path(__file__).parents[2] / "docs" / "sandbox.md"


def struck(faults: Faults, calls: int, path: str = "/email/batch") -> list[int]:
    """The numbers of the calls, from 0, that a fault strikes."""
    return [number for number in range(calls) if faults.strike(path)]


def test_a_fault_is_a_name_and_options() -> None:
    fault = parse(" 429:times=2, retry-after=3,share=0.25,after=1,on=search+templates ")
    assert (fault.name, fault.times, fault.retry_after, fault.share, fault.after, fault.on) == (
        "429",
        2,
        3,
        0.25,
        1,
        ("search", "templates"),
    )
    assert parse("mixed:codes=406+1101,refuse=0.5,delay=0.5").codes == (406, 1101)


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_is_said_with_no_more_than_what_it_needs(name: str) -> None:
    needed = ",".join(f"{key}={value}" for key, value in (("seconds", 5), ("code", 405)) if key in KINDS[name].needs)
    assert parse(f"{name}:{needed}" if needed else name).name == name


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "there is no fault '': choose from drop, "),
        ("dorp", "there is no fault 'dorp': choose from drop, stall, 429, "),
        ("drop:", "the fault 'drop' cannot do anything with '': it takes share=…, times=…, after=…, on=…"),
        ("drop:seconds=2", "the fault 'drop' cannot do anything with 'seconds=2': it takes share=…"),
        ("search-loss:times=2", "cannot do anything with 'times=2': it takes share=…"),
        ("webhook-lost:on=all", "cannot do anything with 'on=all': it takes share=…, times=…, after=…"),
        ("suppression-lag:share=1", "cannot do anything with 'share=1': it takes seconds=…"),
        ("drop:times", "cannot do anything with 'times'"),
        ("drop:share=2", "share of the fault 'drop' must be a number from 0 to 1, not '2'"),
        ("drop:share=nan", "share of the fault 'drop' must be a number from 0 to 1, not 'nan'"),
        ("drop:times=0", "times of the fault 'drop' must be a whole number from 1, not '0'"),
        ("drop:times=-1", "times of the fault 'drop' must be a whole number from 1, not '-1'"),
        ("drop:times=1,times=2", "the fault 'drop' has times twice"),
        ("drop:on=mail", "on of the fault 'drop' must be one of messages, batches, templates, search,"),
        ("429:retry-after=soon", "retry-after of the fault '429' must be a whole number of seconds, not 'soon'"),
        ("stall:seconds=-1", "seconds of the fault 'stall' must be a number of seconds, not '-1'"),
        ("no-code:status=200", "status of the fault 'no-code' must be an HTTP status from 400 to 599, not '200'"),
        ("search-lag", "the fault 'search-lag' needs seconds: write search-lag:seconds=5"),
        ("refused:share=1", "the fault 'refused' needs code: write refused:code=405"),
        ("refused:code=7", "code of the fault 'refused' must be one of 10, 300, 400, "),
        ("mixed:codes=406+", "codes of the fault 'mixed' must be one of 10, "),
        ("mixed:refuse=0.9", "refuse and delay of the fault 'mixed' are shares of one batch: together 1 at most"),
        ("delayed:on=search", "the fault 'delayed' spoils answers about messages: on must be messages or batches"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line_that_says_what_can(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(line)) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


def test_the_document_has_every_fault_and_option() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("\n## Faults")[2].partition("\n## ")[0]
    tabled = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", text, re.MULTILINE)
    options = {"share", "times", "after", "on"}
    assert {name for name, _ in tabled} - options == {*KINDS}
    described = dict(tabled)
    for name, kind in KINDS.items():
        assert not kind.needs or f"`{kind.needs[0]}`" in described[name]
        assert all(f"`{option}`" in text for option in kind.options)


def test_a_fault_strikes_so_many_calls_after_so_many() -> None:
    faults = Faults()
    faults.set("drop:times=2,after=1")
    assert struck(faults, 6) == [1, 2]
    assert faults.struck == {"drop": 2}


def test_a_call_meets_the_first_fault_that_strikes() -> None:
    faults = Faults()
    faults.set("429:times=1", "drop:after=1,times=1", "500:on=search", "search-loss")
    names = [strike.fault.name if strike else None for strike in (faults.strike("/email/batch") for _ in range(4))]
    assert names == ["429", None, "drop", None]


@pytest.mark.parametrize(
    ("on", "path", "strikes"),
    [
        ("", "/email", True),
        ("", "/email/batchWithTemplates", True),
        ("", "/messages/outbound", False),
        ("", "/emails", False),
        ("on=batches", "/email/batch", True),
        ("on=batches", "/email/batchWithTemplates", True),
        ("on=batches", "/email", False),
        ("on=batches", "/email/withTemplate", False),
        ("on=templates", "/templates/w47", True),
        ("on=templates", "/email/withTemplate", False),
        ("on=search", "/messages/outbound/7/details", True),
        ("on=suppressions+search", "/message-streams/broadcast/suppressions/dump", True),
        ("on=all", "/server", True),
    ],
)
def test_a_fault_strikes_messages_unless_it_says_where(on: str, path: str, strikes: bool) -> None:
    faults = Faults()
    faults.set(f"drop:times=5,{on}".rstrip(","))
    assert bool(faults.strike(path)) is strikes


def test_a_share_is_drawn_from_the_seed() -> None:
    def drawn(seed: int) -> list[list[int]]:
        faults = Faults(seed)
        found = []
        for _ in range(2):
            faults.set("accept-then-drop:share=0.1")
            found.append(struck(faults, 1000))
        return found

    first, second = drawn(7)
    assert [first, second] == drawn(7)
    assert first != second
    assert [first, second] != drawn(8)
    assert 60 < len(first) < 140
    assert Faults().seed != Faults().seed


def test_other_faults_do_not_change_what_a_fault_strikes() -> None:
    alone, among = Faults(7), Faults(7)
    alone.set("drop:share=0.5")
    among.set("drop:share=0.5", "500:share=0.5,on=search")
    expected = struck(alone, 50)
    found = []
    for number in range(50):
        among.strike("/messages/outbound")
        found += [number] if among.strike("/email") else []
    assert found == expected


def test_nothing_is_changed_by_a_fault_that_there_is_not() -> None:
    faults = Faults()
    faults.set("drop")
    with pytest.raises(ValueError, match="there is no fault 'dorp'"):
        faults.set("stall", "dorp")
    assert faults.active == ("drop",)
    assert faults.on


def test_what_faults_have_done_can_be_read_after_they_are_cleared_and_is_counted_anew_once_set() -> None:
    faults = Faults()
    faults.set("drop", "429:times=1")
    struck(faults, 3)
    faults.clear()
    assert (faults.on, faults.active, faults.strike("/email")) == (False, (), None)
    assert faults.struck == {"drop": 3, "429": 0}
    faults.set("drop")
    assert faults.struck == {"drop": 0}


def test_several_faults_strike_one_event_and_a_lost_one_is_not_told() -> None:
    faults = Faults()
    assert faults.telling() == Telling()
    faults.set("webhook-duplicated:times=2", "webhook-late:seconds=9,times=1", "webhook-reordered:after=3")
    assert [faults.telling() for _ in range(4)] == [
        Telling(times=2, late=9),
        Telling(times=2),
        Telling(),
        Telling(reordered=True),
    ]
    faults.set("webhook-duplicated", "webhook-lost")
    assert faults.telling().times == 0


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_another_order_is_another_and_loses_nothing(count: int) -> None:
    for seed in range(20):
        order = Faults(seed).disorder(count)
        assert sorted(order) == list(range(count))
        assert (order == list(range(count))) is (count < 2)


def test_every_way_to_strike_has_its_faults() -> None:
    assert {kind.strikes for kind in KINDS.values()} == {*Strikes}

import json
import random
from itertools import chain, combinations

from newsletter.comparisons.categories import muted_among
from newsletter.issues.variants import Plan, Selection, plan
from tests.comparisons.test_categories import of

LEAD = of("Voice", "Search", "Lead")
VOICE = of("Voice", "voice", "Voice")
DATA = of("Databases", "Databases", "Data")
ISSUE = [LEAD, VOICE, DATA]


def muting(*names: str) -> str:
    return json.dumps(sorted(names))


def test_who_has_muted_nothing_of_an_issue_gets_the_issue() -> None:
    assert plan(ISSUE, {"[]": 4, muting("Gardening"): 2, muting("Search"): 1}) == Plan((), {}, 0)


def test_ways_of_muting_that_leave_the_same_share_a_variant() -> None:
    mutings = [muting("Voice"), muting("VOICE"), muting("Gardening", "Voice")]
    found = plan(ISSUE, dict.fromkeys(mutings, 1))
    assert found.selections == (Selection(frozenset({"voice"}), ("Voice",)),)
    assert found.number_of == dict.fromkeys(mutings, 1)


def test_for_whom_nothing_is_left_there_is_no_variant_and_they_are_counted() -> None:
    all_of_it = muting("Voice", "Search", "Databases")
    found = plan(ISSUE, {all_of_it: 7, muting("Databases"): 2})
    assert found.number_of == {all_of_it: None, muting("Databases"): 1}
    assert found.left_out == 7
    assert [selection.without for selection in found.selections] == [{"data"}]


def test_an_issue_of_one_comparison_has_no_variants() -> None:
    assert plan([VOICE], {muting("Voice"): 3, "[]": 1}) == Plan((), {muting("Voice"): None}, 3)


def test_the_same_mutings_give_the_same_numbers_in_any_order() -> None:
    names = ["Voice", "Search", "Databases", "Gardening"]
    subsets = chain.from_iterable(combinations(names, count) for count in range(5))
    mutings = [muting(*subset) for subset in subsets]
    first = plan(ISSUE, dict.fromkeys(mutings, 1))
    for seed in range(5):
        shuffled = random.Random(seed).sample(mutings, len(mutings))
        assert plan(ISSUE, dict.fromkeys(shuffled, 1)) == first


def test_each_reader_is_given_exactly_what_they_have_not_muted() -> None:
    names = ["Voice", "Search", "Databases", "Gardening"]
    mutings = [list(each) for count in range(5) for each in combinations(names, count)]
    found = plan(ISSUE, {muting(*each): 1 for each in mutings})
    for muted in mutings:
        number = found.number_of.get(muting(*muted), 0)
        gone = muted_among(ISSUE, muted)
        if number is None:
            assert len(gone) == len(ISSUE)
        else:
            assert gone == (found.selections[number - 1].without if number else frozenset())
    assert len(found.selections) == len({muted_among(ISSUE, muted) for muted in mutings}) - 2  # all of it, none of it

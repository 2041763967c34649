import json
import random
from itertools import chain, combinations

import pytest

from newsletter.comparisons.categories import muted_among
from newsletter.issues.variants import Choice, Plan, Selection, plan
from tests.comparisons.test_categories import of

LEAD = of("Voice", "Search", "Lead")
VOICE = of("Voice", "voice", "Voice")
DATA = of("Databases", "Databases", "Data")
ISSUE = [LEAD, VOICE, DATA]


def muting(*names: str, language: str | None = None) -> Choice:
    return json.dumps(sorted(names)), language


def test_who_has_muted_nothing_of_an_issue_gets_the_issue() -> None:
    assert plan(ISSUE, {muting(): 4, muting("Gardening"): 2, muting("Search"): 1}) == Plan((), {}, 0)


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
    assert plan([VOICE], {muting("Voice"): 3, muting(): 1}) == Plan((), {muting("Voice"): None}, 3)


def test_the_same_mutings_give_the_same_numbers_in_any_order() -> None:
    names = ["Voice", "Search", "Databases", "Gardening"]
    subsets = chain.from_iterable(combinations(names, count) for count in range(5))
    choices = [muting(*subset, language=code) for subset in subsets for code in (None, "de", "en", "fr")]
    first = plan(ISSUE, dict.fromkeys(choices, 1), ["fr", "de"])
    for seed in range(5):
        shuffled = random.Random(seed).sample(choices, len(choices))
        assert plan(ISSUE, dict.fromkeys(shuffled, 1), ["de", "fr"]) == first


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


def test_each_set_of_comparisons_has_a_variant_for_each_language_in_which_it_is_read() -> None:
    found = plan(
        ISSUE,
        {
            muting(): 9,
            muting(language="de"): 5,
            muting("Gardening", language="de"): 1,
            muting("Voice"): 1,
            muting("Voice", language="de"): 3,
            muting("Voice", "Search", "Databases", language="de"): 2,
        },
        ["de", "fr"],
    )
    without = frozenset({"voice"})
    assert found.selections == (
        Selection(without, ("Voice",)),
        Selection(frozenset(), (), "de"),
        Selection(without, ("Voice",), "de"),
    )
    assert found.number_of == {
        muting("Voice"): 1,
        muting(language="de"): 2,
        muting("Gardening", language="de"): 2,
        muting("Voice", language="de"): 3,
        muting("Voice", "Search", "Databases", language="de"): None,
    }
    assert found.left_out == 2


@pytest.mark.parametrize("language", ["en", "xx"], ids=["the newsletter's own", "one that there is not any more"])
def test_whose_language_is_none_of_the_others_reads_the_newsletters_own(language: str) -> None:
    found = plan(
        ISSUE, {muting(language=language): 1, muting("Voice", language=language): 1, muting("Voice"): 1}, ["de"]
    )
    assert found.selections == (Selection(frozenset({"voice"}), ("Voice",)),)
    assert found.number_of == {muting("Voice", language=language): 1, muting("Voice"): 1}

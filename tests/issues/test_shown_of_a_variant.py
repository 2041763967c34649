"""What an editor is shown of an issue's variants: the shortest of the mutings that lead to each, and who gets none."""

from newsletter.issues.variants import Selection, plan
from tests.comparisons.test_categories import of
from tests.issues.test_variants import muting

VOICE = of("Voice", "Voice", "Voice")
MIXED = of("Databases", "Search", "Mixed")


def test_of_the_mutings_that_leave_the_same_the_shortest_is_shown() -> None:
    short, long = muting("Voice"), muting("Databases", "Voice")
    for order in ((short, long), (long, short)):
        found = plan([VOICE, MIXED], dict.fromkeys(order, 1))
        assert found.selections == (Selection(frozenset({"voice"}), ("Voice",)),)
        assert found.number_of == {short: 1, long: 1}


def test_numbers_go_by_the_length_of_what_is_muted_and_then_by_its_letters() -> None:
    issue = [VOICE, MIXED, of("Art", "Art", "Art")]
    mutings = [muting("Databases", "Search"), muting("Voice"), muting("Art"), muting("Art", "Voice")]
    found = plan(issue, dict.fromkeys(mutings, 1))
    assert [sorted(one.without) for one in found.selections] == [["art"], ["voice"], ["art", "voice"], ["mixed"]]


def test_all_readers_for_whom_nothing_is_left_are_counted_whatever_they_have_muted() -> None:
    found = plan([VOICE], {muting("Voice"): 3, muting("Gardening", "Voice"): 4, muting("Gardening"): 5})
    assert found.left_out == 7

from dataclasses import replace

import pytest

from newsletter.message import Filler, Letter

LETTER = Letter(
    subject="Haiku 75%, Codestral 25%",
    preheader="Ship or skip?",
    html='<p title="%%NAME%%">%%NAME%%, 50%% off</p><a href="%%UNSUBSCRIBE_URL%%">leave</a>',
    text="%%NAME%%\n%%UNSUBSCRIBE_URL%%\n",
)


def test_values_are_escaped_in_html_and_left_alone_in_text() -> None:
    html, text = Filler(LETTER).fill({"NAME": """<b>"O'Brien"&co""", "UNSUBSCRIBE_URL": "https://x.example/?a=1&b=2"})
    escaped = "&lt;b&gt;&quot;O&#x27;Brien&quot;&amp;co"
    assert html == (f'<p title="{escaped}">{escaped}, 50%% off</p><a href="https://x.example/?a=1&amp;b=2">leave</a>')
    assert text == """<b>"O'Brien"&co\nhttps://x.example/?a=1&b=2\n"""


def test_a_value_that_looks_like_a_merge_field_is_not_filled_again() -> None:
    _, text = Filler(LETTER).fill({"NAME": "%%UNSUBSCRIBE_URL%%", "UNSUBSCRIBE_URL": "u"})
    assert text == "%%UNSUBSCRIBE_URL%%\nu\n"


def test_one_reader_leaves_nothing_behind_for_the_next() -> None:
    filler = Filler(LETTER)
    first = filler.fill({"NAME": "Ada", "UNSUBSCRIBE_URL": "1"})
    second = filler.fill({"NAME": "Bo", "UNSUBSCRIBE_URL": "2"})
    assert "Ada" not in "".join(second)
    assert filler.fill({"NAME": "Ada", "UNSUBSCRIBE_URL": "1"}) == first


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match="UNSUBSCRIBE_URL"):
        Filler(LETTER).fill({"NAME": "Ada"})


def test_only_capitals_between_double_percent_signs_are_merge_fields() -> None:
    letter = replace(LETTER, html="%%A%% %%B_C%% %%lower%% %D% 50%%", text="%%E%% %% F %% %%_G%% %%9%%")
    assert letter.merge_fields == {"A", "B_C", "E"}


@pytest.mark.parametrize("part", ["subject", "preheader", "html", "text"])
def test_the_digest_changes_with_every_part(part: str) -> None:
    assert replace(LETTER, **{part: getattr(LETTER, part) + "."}).digest != LETTER.digest
    assert replace(LETTER).digest == LETTER.digest


def test_a_text_that_moves_from_one_part_to_the_next_changes_the_digest() -> None:
    assert Letter("ab", "c", "", "").digest != Letter("a", "bc", "", "").digest
    assert Letter('a","b', "", "", "").digest != Letter("a", "b", "", "").digest


def test_the_digest_is_the_same_on_every_machine() -> None:
    digest = Letter("Zwölf", "“ship”", "<p>é</p>", "a\r\nb").digest
    assert digest == "172029cb59266696b0ac23daafa9957b895ee33414b81c59bbc1202e4ed3ab61"

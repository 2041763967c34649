"""One message on Postmark's wire, field by field: in a stored letter, whole, and to nobody."""

from dataclasses import replace

import orjson
import pytest

from newsletter.delivery.postmark_message import body_writer, common, cut, probe, template_writer
from newsletter.delivery.postmark_template import alias_of, template_of
from newsletter.delivery.provider import Envelope
from newsletter.message import Letter, Recipient

LETTER = Letter("Zwölf: ship?", "not on the wire", "<p>%%NAME%%</p><a href='%%URL%%'>go</a>", "%%NAME%% %%URL%%")
ENVELOPE = Envelope(
    "Wöchentlich <verdicts@example.com>",
    "broadcast",
    "2026-W47",
    "Wöchentlich <weekly.example.com>",
    "Die Rédaction <desk@example.com>",
)
BATCH = "b" * 32
ADA = Recipient(
    "row-1", "ada@bücher.example", {"NAME": "A & B", "URL": "https://x.example/"}, "https://x.example/leave"
)

SHARED = {
    "From": '"Wöchentlich" <verdicts@example.com>',
    "MessageStream": "broadcast",
    "Tag": "2026-W47",
    "TrackOpens": False,
    "TrackLinks": "None",
    "ReplyTo": '"Die Rédaction" <desk@example.com>',
    "To": "ada@xn--bcher-kva.example",
    "Metadata": {"batch": BATCH, "row": "row-1"},
    "Headers": [
        {"Name": "List-Id", "Value": "=?utf-8?q?W=C3=B6chentlich?= <weekly.example.com>"},
        {"Name": "List-Unsubscribe", "Value": "<https://x.example/leave>"},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
    ],
}


def test_a_reader_of_a_stored_letter_is_sent_their_own_values_and_no_more() -> None:
    written = template_writer(LETTER, common(LETTER, ENVELOPE, BATCH))(ADA)
    assert orjson.loads(written) == SHARED | {
        "TemplateAlias": alias_of(LETTER),
        "InlineCss": False,
        "TemplateModel": {"name": "A & B", "url": "https://x.example/"},
    }


def test_a_whole_letter_is_filled_in_and_escaped_in_its_html_alone() -> None:
    written = body_writer(LETTER, common(LETTER, ENVELOPE, BATCH))(ADA)
    assert orjson.loads(written) == SHARED | {
        "Subject": "Zwölf: ship?",
        "HtmlBody": "<p>A &amp; B</p><a href='https://x.example/'>go</a>",
        "TextBody": "A & B https://x.example/",
    }


def test_what_is_not_there_leaves_no_field_and_no_header() -> None:
    shared = common(LETTER, replace(ENVELOPE, list_id=None, reply_to=None), BATCH)
    message = shared.message(replace(ADA, unsubscribe_url=None))
    assert message["Headers"] == []
    assert "ReplyTo" not in message


def test_postmark_is_asked_to_count_what_the_envelope_says_and_links_in_the_html_alone() -> None:
    counted = common(LETTER, replace(ENVELOPE, track_opens=True, track_clicks=True), BATCH).fields
    assert (counted["TrackOpens"], counted["TrackLinks"]) == (True, "HtmlOnly")


def test_a_probe_goes_to_postmarks_black_hole_on_the_stream_that_is_asked_about_and_untracked() -> None:
    message = probe(ENVELOPE, BATCH)
    words = {message.pop("Subject"), message.pop("TextBody")}
    assert all(isinstance(one, str) and one for one in words)
    assert message == {
        "From": '"Wöchentlich" <verdicts@example.com>',
        "To": "test@blackhole.postmarkapp.com",
        "MessageStream": "broadcast",
        "Tag": "probe",
        "Metadata": {"batch": BATCH, "row": "probe"},
        "TrackOpens": False,
        "TrackLinks": "None",
    }


@pytest.mark.parametrize(
    ("letter", "envelope", "batch", "complaint"),
    [
        (replace(LETTER, subject="two\nlines"), ENVELOPE, BATCH, "the subject holds a line break"),
        (replace(LETTER, text="half \ud800"), ENVELOPE, BATCH, "'utf-8' codec can't encode"),
        (replace(LETTER, html="half \ud800"), ENVELOPE, BATCH, "'utf-8' codec can't encode"),
        (replace(LETTER, subject="half \ud800"), ENVELOPE, BATCH, "'utf-8' codec can't encode"),
        (LETTER, replace(ENVELOPE, tag="half \ud800"), BATCH, "'utf-8' codec can't encode"),
        (LETTER, replace(ENVELOPE, sender="nobody"), BATCH, "not an e-mail address"),
        (LETTER, replace(ENVELOPE, reply_to="nobody"), BATCH, "not an e-mail address"),
        (LETTER, ENVELOPE, "a batch", "the batch is not a plain key"),
    ],
)
def test_what_no_message_of_a_batch_can_hold_is_found_before_the_first(
    letter: Letter, envelope: Envelope, batch: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        common(letter, envelope, batch)


def test_a_row_that_is_no_key_is_its_own_readers_trouble() -> None:
    shared = common(LETTER, ENVELOPE, BATCH)
    with pytest.raises(ValueError, match=r"^the row is not a plain key"):
        shared.message(replace(ADA, row="a row"))


def test_a_call_is_cut_before_the_message_that_would_be_too_many_or_too_much() -> None:
    def sizes(messages: list[bytes], **limits: int) -> list[list[int]]:
        return [[number for number, _ in part] for part in cut(enumerate(messages), **limits)]

    one = b"x" * 99  # and a comma: a hundred
    assert sizes([one] * 5, max_batch=2) == [[0, 1], [2, 3], [4]]
    assert sizes([one] * 5, max_call=232) == [[0, 1], [2, 3], [4]]
    assert sizes([one] * 5, max_call=231) == [[0], [1], [2], [3], [4]]
    assert sizes([one, one, b"x" * 199, one], max_call=332) == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("part", "source", "translated"),
    [
        ("html", "<p>%%NAME%%, %%A_B%%</p>", "<p>{{ name }}, {{ a_b }}</p>"),
        ("text", "%%NAME%%: %%A_B%%!", "{{{ name }}}: {{{ a_b }}}!"),
    ],
)
def test_merge_fields_are_escaped_by_postmark_in_html_and_left_alone_in_text(
    part: str, source: str, translated: str
) -> None:
    template = template_of(replace(LETTER, **{part: source}))
    assert template is not None
    assert getattr(template, part) == translated
    assert (template.alias, template.subject) == (alias_of(replace(LETTER, **{part: source})), "Zwölf: ship?")

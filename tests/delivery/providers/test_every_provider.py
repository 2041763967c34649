"""What every provider promises, shown on the three with something real behind each."""

import html
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.delivery.provider import Accepted, CannotAsk, Envelope, NothingSent, Refused
from newsletter.message import Filler, Letter, Recipient
from tests.delivery.providers.carriers import CARRIERS, SECRET, Carrier
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader

ODD_VALUES = [
    'O\'Neil & <Söhne> "GmbH"',
    "",
    "  blanks at both ends  ",
    "{{ name }} }}",
    "=3D = é " * 30,
    "a\nb\n",
    "日本 🙂",
]


@pytest.fixture(params=list(CARRIERS))
def carrier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Carrier]:
    made = CARRIERS[request.param](tmp_path)
    yield made
    made.close()


def test_a_batch_gets_one_outcome_each_in_order(carrier: Carrier) -> None:
    readers = [reader(number) for number in range(7)]
    readers[3] = replace(readers[3], email="no address")
    batch = new_batch()

    outcomes = carrier.provider.send(LETTER, ENVELOPE, readers, batch)

    assert [type(outcome) for outcome in outcomes] == [Accepted] * 3 + [Refused] + [Accepted] * 3
    ids = {outcome.message_id for outcome in outcomes if isinstance(outcome, Accepted)}
    assert len(ids) == 6
    got = {one.row: one for one in carrier.received()}
    assert {row: one.to for row, one in got.items()} == {one.row: one.email for one in readers if one is not readers[3]}
    assert {one.batch for one in got.values()} == {batch}


def test_values_arrive_exactly(carrier: Carrier) -> None:
    readers = [reader(number, name) for number, name in enumerate(ODD_VALUES)]

    carrier.provider.send(LETTER, ENVELOPE, readers, new_batch())

    got = {one.row: one for one in carrier.received()}
    filler = Filler(LETTER)
    for one in readers:
        filled_html, filled_text = filler.fill(one.values)
        # A provider may write a character reference otherwise than Python does; it means the same.
        assert html.unescape(got[one.row].html) == html.unescape(filled_html)
        assert "<Söhne>" not in got[one.row].html
        assert got[one.row].text == filled_text


def test_headers_arrive(carrier: Carrier) -> None:
    one = reader(1)
    carrier.provider.send(LETTER, ENVELOPE, [one, replace(reader(2), unsubscribe_url=None)], new_batch())

    received = {each.row: each.headers for each in carrier.received()}
    headers = received.pop(one.row)
    assert headers["Subject"] == LETTER.subject
    assert headers["From"] == ENVELOPE.sender
    assert headers["Reply-To"].addresses[0].display_name == "Die Rédaction"
    assert headers["Reply-To"].addresses[0].addr_spec == "desk@example.com"
    assert headers["List-Id"] == ENVELOPE.list_id
    assert headers["List-Unsubscribe"] == f"<{one.unsubscribe_url}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["Message-ID"]
    assert headers["Date"]
    (without,) = received.values()
    assert without["List-Unsubscribe"] is None
    assert without["List-Unsubscribe-Post"] is None


def test_find_shows_exactly_what_was_accepted(carrier: Carrier) -> None:
    readers = [reader(number) for number in range(3)] + [reader(9, email="nobody")]
    batch = new_batch()
    outcomes = carrier.provider.send(LETTER, ENVELOPE, readers, batch)
    carrier.provider.send(LETTER, ENVELOPE, [reader(4)], new_batch())

    if not carrier.can_be_asked:
        with pytest.raises(CannotAsk):
            carrier.provider.find(ENVELOPE, batch)
        return
    accepted = {
        one.row: outcome.message_id
        for one, outcome in zip(readers, outcomes, strict=True)
        if isinstance(outcome, Accepted)
    }
    assert len(accepted) == 3
    assert carrier.provider.find(ENVELOPE, batch) == accepted
    assert carrier.provider.find(ENVELOPE, new_batch()) == {}


def test_a_probe_becomes_visible(carrier: Carrier) -> None:
    if not carrier.can_be_asked:
        with pytest.raises(CannotAsk):
            carrier.provider.probe(ENVELOPE, new_batch())
        return
    batch = new_batch()
    carrier.provider.probe(ENVELOPE, batch)
    assert carrier.provider.probe_is_visible(ENVELOPE, batch)


def test_a_provider_that_is_not_there_sends_nothing_and_says_what_to_do(carrier: Carrier) -> None:
    with pytest.raises(NothingSent, match=r"check .*NEWSLETTER_") as caught:
        carrier.absent.send(LETTER, ENVELOPE, [reader()], new_batch())
    assert "\n" not in str(caught.value)


def test_a_provider_that_is_not_there_cannot_be_asked(carrier: Carrier) -> None:
    with pytest.raises(CannotAsk):
        carrier.absent.find(ENVELOPE, new_batch())


def test_the_list_of_those_it_will_not_write_to_is_complete_or_there_is_none(carrier: Carrier) -> None:
    assert list(carrier.provider.listed(ENVELOPE.stream)) == []
    gone = reader(1, email="HardBounce@bounce-testing.postmarkapp.com")
    carrier.provider.send(LETTER, ENVELOPE, [gone, reader(2)], new_batch())

    listed = list(carrier.provider.listed(ENVELOPE.stream))
    if not carrier.provider.keeps_list:
        assert listed == []
        return
    (one,) = listed
    assert (one.email, one.stream, one.why) == (gone.email.lower(), ENVELOPE.stream, "bounced")
    assert abs(datetime.now(UTC) - one.at) < timedelta(minutes=1)


def test_a_list_is_not_empty_because_its_keeper_is_away(carrier: Carrier) -> None:
    if carrier.absent.keeps_list:
        with pytest.raises(CannotAsk):
            carrier.absent.listed(ENVELOPE.stream)


def test_an_empty_batch_is_nothing(carrier: Carrier) -> None:
    assert carrier.absent.send(LETTER, ENVELOPE, [], new_batch()) == []


def test_braces_arrive_as_they_are(carrier: Carrier) -> None:
    letter = Letter("{{ subject }}", "", "<p>{{ name }} {{{%%NAME%%}}} }}</p>", "{{ name }} {%%NAME%%} }}")
    carrier.provider.send(letter, ENVELOPE, [reader()], new_batch())

    (got,) = carrier.received()
    assert got.headers["Subject"] == "{{ subject }}"
    assert got.html.strip() == "<p>{{ name }} {{{Ada}}} }}</p>"
    assert got.text.strip() == "{{ name }} {Ada} }}"


@pytest.mark.parametrize(
    "ending", ["\r\nBcc: eve@evil.example", "\nBcc: eve@evil.example", "\u2028Bcc: eve@evil.example"]
)
def test_no_reader_can_add_a_header(carrier: Carrier, ending: str) -> None:
    good = reader(1)
    readers = [
        good,
        replace(reader(2), email="a@mail.example" + ending),
        replace(reader(3), unsubscribe_url="https://verdicts.example.com/u" + ending),
        replace(reader(4), row="row" + ending),
    ]
    outcomes = carrier.provider.send(LETTER, ENVELOPE, readers, new_batch())

    assert isinstance(outcomes[0], Accepted)
    assert all(isinstance(outcome, Refused) and not outcome.passing for outcome in outcomes[1:])
    (got,) = carrier.received()
    assert got.row == good.row
    assert got.headers["Bcc"] is None


def test_no_address_becomes_two(carrier: Carrier) -> None:
    readers = [reader(1, email="a@mail.example,b@mail.example"), reader(2, email="A <a@mail.example>")]
    outcomes = carrier.provider.send(LETTER, ENVELOPE, readers, new_batch())
    assert all(isinstance(outcome, Refused) and not outcome.passing for outcome in outcomes)
    assert carrier.received() == []


@pytest.mark.parametrize("name", ["sender", "stream", "tag", "list_id", "reply_to"])
def test_no_envelope_holds_a_line_break(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(ENVELOPE, **{name: "x@example.com\r\nBcc: eve@evil.example"})


def test_a_subject_with_a_line_break_is_not_sent(carrier: Carrier) -> None:
    with pytest.raises(NothingSent, match="subject"):
        carrier.provider.send(replace(LETTER, subject="a\r\nBcc: b"), ENVELOPE, [reader()], new_batch())
    assert carrier.received() == []


def test_domains_go_as_punycode_and_other_local_parts_are_refused(carrier: Carrier) -> None:
    readers = [reader(1, email="ada@bücher.example"), reader(2, email="jörg@mail.example")]
    outcomes = carrier.provider.send(LETTER, ENVELOPE, readers, new_batch())

    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], Refused)
    assert not outcomes[1].passing
    (got,) = carrier.received()
    assert got.to == "ada@xn--bcher-kva.example"


@pytest.mark.parametrize("values", [{"NAME": "only"}, {"NAME": "half \ud800", "UNSUBSCRIBE_URL": "x"}])
def test_values_that_cannot_be_filled_in_are_that_readers_trouble_alone(
    carrier: Carrier, values: dict[str, str]
) -> None:
    readers = [Recipient("row-1", "a@mail.example", values), reader(2)]
    outcomes = carrier.provider.send(LETTER, ENVELOPE, readers, new_batch())
    assert [type(outcome) for outcome in outcomes] == [Refused, Accepted]


def test_a_sender_that_is_no_mailbox_stops_the_run(carrier: Carrier) -> None:
    with pytest.raises(NothingSent):
        carrier.provider.send(LETTER, Envelope("nobody", "broadcast", "t", "l.example"), [reader()], new_batch())


def test_secrets_are_in_no_text(carrier: Carrier) -> None:
    assert SECRET not in repr(carrier.provider)
    assert SECRET not in str(vars(carrier.provider))
    with pytest.raises(NothingSent) as caught:
        carrier.absent.send(LETTER, ENVELOPE, [reader()], new_batch())
    assert SECRET not in str(caught.value)


def test_closing_twice_is_fine(carrier: Carrier) -> None:
    carrier.provider.send(LETTER, ENVELOPE, [reader()], new_batch())
    carrier.provider.close()
    carrier.provider.close()

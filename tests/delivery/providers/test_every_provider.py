"""What every provider promises, shown on the three with something real behind each."""

import html
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Accepted, CannotAsk, Envelope, NotSent, Outcome, Provider, Refused, Unknown
from newsletter.delivery.smtp import SmtpProvider
from newsletter.message import Filler, Letter, Recipient
from tests.delivery.providers.carriers import CARRIERS, SECRET, Carrier
from tests.delivery.providers.hostile import BEHAVIOURS, STEPS, Behaviour, HostileSmtp
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.scripted import Request, ScriptedPostmark

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
    first, second = carrier.absent.send(LETTER, ENVELOPE, [reader(1), reader(2)], new_batch())
    assert isinstance(first, NotSent)
    assert re.search(r"check .*NEWSLETTER_", first.reason)
    assert "\n" not in first.reason
    assert second == first
    # It may be back in a minute, without anybody's doing.
    assert not first.lasting


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
    changed: dict[str, Any] = {name: "x@example.com\r\nBcc: eve@evil.example"}
    with pytest.raises(ValueError, match=name):
        replace(ENVELOPE, **changed)


def test_a_subject_with_a_line_break_is_not_sent(carrier: Carrier) -> None:
    outcomes = carrier.provider.send(replace(LETTER, subject="a\r\nBcc: b"), ENVELOPE, [reader()] * 2, new_batch())
    assert [type(outcome) for outcome in outcomes] == [NotSent] * 2
    assert isinstance(outcomes[0], NotSent)
    assert "subject" in outcomes[0].reason
    assert outcomes[0].lasting
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
    envelope = Envelope("nobody", "broadcast", "t", "l.example")
    (outcome,) = carrier.provider.send(LETTER, envelope, [reader()], new_batch())
    assert isinstance(outcome, NotSent)
    assert outcome.lasting


def test_secrets_are_in_no_text(carrier: Carrier) -> None:
    assert SECRET not in repr(carrier.provider)
    assert SECRET not in str(vars(carrier.provider))
    (outcome,) = carrier.absent.send(LETTER, ENVELOPE, [reader()], new_batch())
    assert SECRET not in str(outcome)


def test_closing_twice_is_fine(carrier: Carrier) -> None:
    carrier.provider.send(LETTER, ENVELOPE, [reader()], new_batch())
    carrier.provider.close()
    carrier.provider.close()


def outcomes_of(provider: Provider) -> list[Outcome]:
    """What comes of two readers, and that it is fit to be stored and shown, and came in good time."""
    began = time.monotonic()
    outcomes = provider.send(LETTER, ENVELOPE, [reader(1), reader(2)], new_batch())
    assert time.monotonic() - began < 3
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert not isinstance(outcome, Accepted)
        assert outcome.reason.isprintable()
        assert SECRET not in outcome.reason
    provider.close()
    return outcomes


@pytest.mark.parametrize("stored", [True, False], ids=["at the batch", "at the template"])
@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_a_hostile_api_makes_doubt_of_what_was_posted_and_nothing_else(behave: Behaviour, stored: bool) -> None:
    def script(request: Request) -> None:
        request.close_connection = True
        behave(request.connection, b"HTTP/1.1 200 OK\r\n" if stored else b"HTTP/1.1 200 OK\r\n\r\n[")

    with ScriptedPostmark(script, templates=None if stored else script) as server:
        kinds = {type(outcome) for outcome in outcomes_of(PostmarkProvider(SECRET, server.url, timeout=0.3))}
        assert kinds == {Unknown if stored else NotSent}
        assert server.posts == (1 if stored else 0)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_a_hostile_smtp_server_makes_doubt_of_what_was_handed_over_and_nothing_else(
    behave: Behaviour, step: str
) -> None:
    with HostileSmtp(step, behave) as server:
        provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}?starttls=never", timeout=0.2)
        kinds = {type(outcome) for outcome in outcomes_of(provider)}
    assert (Unknown in kinds) == (step == "dot")
    assert kinds <= ({Unknown, NotSent} if step == "dot" else {Refused, NotSent})


@pytest.mark.parametrize("there", ["a file", "a loop", "a folder that is not there any more"])
def test_a_folder_that_cannot_be_written_into_gets_nothing(there: str, tmp_path: Path) -> None:
    folder = tmp_path / ENVELOPE.tag
    if there == "a file":
        folder.write_text("")
    elif there == "a loop":
        folder.symlink_to(folder)
    else:
        folder.symlink_to(tmp_path / "gone")
    assert {type(outcome) for outcome in outcomes_of(OutboxProvider(tmp_path))} == {NotSent}

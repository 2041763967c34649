"""A provider is asked what became of a batch: what its silence is worth, and what is decided by it."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from newsletter.delivery import doubts
from newsletter.delivery import reconcile as under_test
from newsletter.delivery.claiming import Batch
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.provider import Accepted, CannotAsk, KeepsNoRecord, Refused
from newsletter.delivery.reconcile import DOES_NOT_SHOW, NO_PROBE, Asking, Reconciled, reconcile
from newsletter.sandbox.server import Sandbox
from tests.delivery.providers.moody import Call, Moody
from tests.delivery.readers import ENVELOPE, NOW, books, claim, doubt, drawn_up, record, row_key, rows
from tests.delivery.runs import small_batches

SETTLE = timedelta(minutes=10)
RESTED = NOW + timedelta(hours=1)


def ask(engine: Engine, letter_id: int, provider: Any, now: datetime = RESTED, **others: Any) -> Reconciled:
    return reconcile(Asking(engine, provider, ENVELOPE, SETTLE, lambda: now, **others), letter_id)


def taken(engine: Engine, letter_id: int, provider: Moody, limit: int = 2, now: datetime = NOW) -> Batch:
    """A batch that the provider takes and says so."""
    batch = claim(engine, letter_id, limit, now=now)
    has(engine, letter_id, provider, batch)
    record(engine, letter_id, batch, [Accepted(f"id-{number}") for number, _ in batch.readers], now)
    return batch


def has(engine: Engine, letter_id: int, provider: Moody, batch: Batch) -> None:
    """The provider has a batch, whatever it said."""
    keys = tuple(row_key(engine, letter_id, number) for number, _ in batch.readers)
    provider.take(Call(0, batch.key, keys, 0.0))


def test_what_is_found_is_accepted_at_once_also_before_it_has_rested(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 3), Moody()
    batch = claim(engine, letter_id)
    has(engine, letter_id, provider, batch)
    doubt(engine, letter_id)
    asked = ask(engine, letter_id, provider, NOW)
    assert (asked.accepted, asked.in_doubt, asked.settles_at) == (3, 0, None)
    assert books(engine, letter_id) == Accounting(audience=3, accepted=3)
    assert [row.message_id for row in rows(engine, letter_id)] == list(provider.has[batch.key].values())


def test_of_a_batch_that_is_found_in_part_the_rest_rests_and_is_then_sent_again(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 4), Moody()
    batch = claim(engine, letter_id, 3)
    has(engine, letter_id, provider, Batch(batch.key, batch.readers[1:2]))
    doubt(engine, letter_id)
    taken(engine, letter_id, provider)
    asked = ask(engine, letter_id, provider, NOW + SETTLE - timedelta(seconds=1))
    assert (asked.accepted, asked.requeued, asked.in_doubt, asked.settles_at) == (1, 0, 2, NOW + SETTLE)
    asked = ask(engine, letter_id, provider, NOW + SETTLE)
    assert (asked.accepted, asked.requeued, asked.in_doubt, asked.settles_at) == (0, 2, 0, None)
    assert books(engine, letter_id) == Accounting(audience=4, accepted=2, queued=2)


def test_before_it_has_rested_nothing_is_concluded_from_silence_and_no_control_is_needed(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 3), Moody()
    claim(engine, letter_id, 1, now=NOW + timedelta(minutes=5))
    batch = claim(engine, letter_id)
    doubt(engine, letter_id)
    asked = ask(engine, letter_id, provider, NOW + timedelta(minutes=1))
    assert asked.in_doubt == 3
    assert asked.settles_at == NOW + SETTLE  # the first moment at which something can be decided
    assert (asked.why, asked.needs_editor, provider.probes) == (None, False, [])
    assert provider.asked.count(batch.key) == 1


def test_silence_counts_where_the_batches_after_it_show_and_no_probe_is_sent_then(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 8), Moody()
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    later = [taken(engine, letter_id, provider) for _ in range(3)]
    asked = ask(engine, letter_id, provider)
    assert (asked.requeued, asked.in_doubt, provider.probes) == (2, 0, [])
    assert set(provider.asked) >= {batch.key for batch in later}


def test_where_only_batches_before_it_show_a_probe_is_the_control_once_a_round(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 6), Moody()
    taken(engine, letter_id, provider)
    for _ in range(2):
        claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    asked = ask(engine, letter_id, provider)
    assert (asked.requeued, asked.in_doubt) == (4, 0)
    assert len(provider.probes) == 1


def test_where_not_even_a_probe_shows_an_editor_has_to_decide(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "PROBE_PATIENCE", 0.05)
    letter_id, provider = drawn_up(engine, 2), Moody()
    provider.shows_probes = False
    claim(engine, letter_id)
    doubt(engine, letter_id)
    asked = ask(engine, letter_id, provider)
    assert asked == Reconciled(in_doubt=2, why=NO_PROBE, needs_editor=True)
    assert books(engine, letter_id).in_doubt == 2


@pytest.mark.parametrize("later", [True, False])
def test_where_a_witness_does_not_show_silence_counts_for_nothing(engine: Engine, later: bool) -> None:
    letter_id, provider = drawn_up(engine, 4), Moody()
    if not later:
        witness = taken(engine, letter_id, provider)
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    if later:
        witness = taken(engine, letter_id, provider)
    provider.hidden.add(witness.key)
    asked = ask(engine, letter_id, provider)
    assert asked == Reconciled(in_doubt=2, why=DOES_NOT_SHOW, needs_editor=True)
    assert provider.probes == []
    provider.hidden.clear()
    assert ask(engine, letter_id, provider).requeued == 2


def test_a_witness_that_shows_in_part_is_not_trusted(engine: Engine) -> None:
    """As where a search loses some of what it has: it may have lost the batch that is asked about, too."""
    letter_id, provider = drawn_up(engine, 12), Moody()
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    taken(engine, letter_id, provider, 3)
    partly = taken(engine, letter_id, provider, 3)
    taken(engine, letter_id, provider, 3)
    provider.hidden.add(row_key(engine, letter_id, partly.readers[2][0]))
    asked = ask(engine, letter_id, provider)
    assert (asked.requeued, asked.in_doubt, asked.why) == (0, 2, DOES_NOT_SHOW)


def test_of_a_witness_only_what_the_provider_took_has_to_show(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 5), Moody()
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    batch = claim(engine, letter_id)
    has(engine, letter_id, provider, Batch(batch.key, batch.readers[:1]))
    record(engine, letter_id, batch, [Accepted("m"), Refused("inactive"), Refused("inactive")])
    assert ask(engine, letter_id, provider).requeued == 2


def test_a_witness_that_is_young_is_given_the_time_that_it_may_need_to_show(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 4), Moody()
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    witness = taken(engine, letter_id, provider, now=NOW + timedelta(minutes=9))
    provider.hidden.add(witness.key)
    asked = ask(engine, letter_id, provider, NOW + timedelta(minutes=11))
    assert (asked.in_doubt, asked.needs_editor, asked.why) == (2, False, None)
    assert asked.settles_at == NOW + timedelta(minutes=19)
    asked = ask(engine, letter_id, provider, NOW + timedelta(minutes=19))
    assert (asked.in_doubt, asked.needs_editor, asked.why) == (2, True, DOES_NOT_SHOW)


def test_a_search_that_begins_to_work_between_the_question_and_the_control_is_asked_once_more(engine: Engine) -> None:
    letter_id = drawn_up(engine, 4)

    class Awakening(Moody):
        def find(self, envelope: Any, batch: str) -> Any:
            found = super().find(envelope, batch)
            self.hidden.clear()  # from now on it shows everything
            return found

    provider = Awakening()
    lost = claim(engine, letter_id, 2)
    has(engine, letter_id, provider, lost)
    provider.hidden.add(lost.key)
    doubt(engine, letter_id)
    taken(engine, letter_id, provider)
    asked = ask(engine, letter_id, provider)
    assert (asked.accepted, asked.requeued, asked.in_doubt) == (2, 0, 0)
    assert books(engine, letter_id) == Accounting(audience=4, accepted=4)


@pytest.mark.parametrize("error", [CannotAsk("not just now"), KeepsNoRecord("SMTP keeps no record")])
def test_where_it_cannot_be_asked_nothing_is_decided_and_only_for_ever_needs_an_editor(
    engine: Engine, error: CannotAsk
) -> None:
    letter_id, provider = drawn_up(engine, 3), Moody()
    claim(engine, letter_id)
    doubt(engine, letter_id)
    provider.cannot_ask = error
    asked = ask(engine, letter_id, provider)
    assert (asked.accepted, asked.requeued, asked.in_doubt, asked.why) == (0, 0, 3, str(error))
    assert asked.needs_editor == isinstance(error, KeepsNoRecord)
    assert books(engine, letter_id).in_doubt == 3


def test_where_nobody_may_send_again_it_is_only_asked_what_was_taken(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 6), Moody()
    found = claim(engine, letter_id, 2)
    has(engine, letter_id, provider, found)
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    taken(engine, letter_id, provider)
    asked = ask(engine, letter_id, provider, resend=False)
    assert (asked.accepted, asked.requeued, asked.in_doubt, asked.needs_editor) == (2, 0, 2, False)
    assert asked.why == "only an editor may have it sent again"
    assert provider.probes == []
    assert books(engine, letter_id) == Accounting(audience=6, accepted=4, in_doubt=2)


def test_an_end_from_outside_leaves_what_is_not_decided_as_it_is(engine: Engine) -> None:
    letter_id, provider = drawn_up(engine, 4), Moody()
    for _ in range(2):
        claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    stop = threading.Event()
    stop.set()
    asked = ask(engine, letter_id, provider, stop=stop)
    assert (asked.in_doubt, asked.requeued, provider.asked) == (4, 0, [])
    assert books(engine, letter_id).in_doubt == 4


def test_it_ends_while_it_waits_for_a_probe(engine: Engine) -> None:
    letter_id, stop = drawn_up(engine, 2), threading.Event()

    class Unseen(Moody):
        def probe_is_visible(self, envelope: Any, batch: str) -> bool:
            stop.set()
            return False

    claim(engine, letter_id)
    doubt(engine, letter_id)
    asked = ask(engine, letter_id, Unseen(), stop=stop)  # else it would have half a minute's patience
    assert (asked.in_doubt, asked.requeued) == (2, 0)


def test_the_rows_of_a_live_sender_are_left_alone(engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(engine, 10)
    claim(engine, letter_id)
    asked = ask(engine, letter_id, small_batches(sandbox.url, sandbox.token))
    assert asked == Reconciled()
    assert books(engine, letter_id).sending == 10


def test_two_who_ask_at_once_do_no_harm(engine: Engine) -> None:
    """The second one's whole round falls between the first one's question and its answer."""
    letter_id = drawn_up(engine, 6)
    second: list[Reconciled] = []

    class Interrupted(Moody):
        def find(self, envelope: Any, batch: str) -> Any:
            shown = super().find(envelope, batch)
            if not second:
                second.append(Reconciled())
                second[0] = ask(engine, letter_id, other)
            return shown

    provider, other = Interrupted(), Moody()
    other.has = provider.has
    found = claim(engine, letter_id, 2)
    has(engine, letter_id, provider, found)
    claim(engine, letter_id, 2)
    doubt(engine, letter_id)
    taken(engine, letter_id, provider)
    first = ask(engine, letter_id, provider)
    assert (second[0].accepted, second[0].requeued) == (2, 2)
    assert (first.accepted, first.requeued) == (0, 0)
    assert books(engine, letter_id) == Accounting(audience=6, accepted=4, queued=2)


def test_a_sender_that_was_slow_and_then_died_is_asked_about_long_enough_after_its_last_call(engine: Engine) -> None:
    """The other's batches are later ones by their numbers, and were called first."""
    letter_id, provider = drawn_up(engine, 4), Moody()
    slow = claim(engine, letter_id, 2)
    taken(engine, letter_id, provider)
    an_hour_later = NOW + timedelta(hours=1)
    has(engine, letter_id, provider, slow)
    provider.hidden.add(slow.key)  # the search lags
    doubts.doubt_orphans(engine, letter_id, lambda _: True, an_hour_later)
    asked = ask(engine, letter_id, provider, an_hour_later + timedelta(seconds=1))
    assert (asked.requeued, asked.in_doubt) == (0, 2)
    provider.hidden.clear()
    asked = ask(engine, letter_id, provider, an_hour_later + timedelta(minutes=1))
    assert (asked.accepted, asked.in_doubt) == (2, 0)

"""A letter in variants: each batch is of one, each is loaded when its turn comes, and everybody gets theirs once."""

from collections import Counter

import pytest
from sqlalchemy import Engine, event, update
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlmodel import col, select

from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger, variants
from newsletter.delivery.drain import CONCURRENCY, LETTERS
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.message import Letter
from newsletter.sandbox.mailbox import content_of
from newsletter.sandbox.server import Sandbox
from newsletter.sandbox.templates import MAX_TEMPLATES
from subscribers.subscriber import Subscriber
from tests.delivery.faulty_line import LOSE_ANSWER, LOSE_REQUEST, FaultyLine
from tests.delivery.readers import ENVELOPE, LETTER, NOW, add_readers, books, claim, doubt, recipient, try_claim
from tests.delivery.runs import NEVER, copies, run, small_batches


def variant(number: int) -> Letter:
    words = f"Variant {number} to %%EMAIL%%: %%UNSUBSCRIBE_URL%%"
    return Letter(f"Subject {number}", "", f"<p>{words}</p>", words)


def in_variants(engine: Engine, readers: int, count: int) -> int:
    """A letter in so many variants, number 0 among them, dealt to readers in turn; return its id."""
    add_readers(engine, readers)
    with engine.begin() as connection:
        for number in range(1, count):
            dealt = col(Subscriber.id) % count == number
            connection.execute(update(Subscriber).where(dealt).values(muted=f'["{number}"]'))
    with writing(engine) as session:
        stored = ledger.store(session, LETTER, ENVELOPE.tag, NOW)
        for number in range(1, count):
            variants.freeze(session, stored, number, variant(number), [f"b{number}", f"a{number}"])
        ledger.draw_up(session, stored, {(f'["{number}"]', None): number for number in range(1, count)})
        session.commit()
        assert stored.id is not None
        return stored.id


def subjects(sandbox: Sandbox, count: int) -> dict[str, str]:
    """Address -> the subject that it was sent; fails where one was sent two letters, or another reader's variant."""
    sent = [message for message in sandbox.messages if message.tag == ENVELOPE.tag]
    assert max(copies(sandbox).values()) == 1
    found = {}
    for message in sent:
        number = (int(message.recipients[0].removeprefix("reader").partition("@")[0]) + 1) % count
        content = content_of(message)
        assert content.subject == (f"Subject {number}" if number else LETTER.subject)
        assert f"Variant {number} to {message.recipients[0]}" in content.text or number == 0
        found[message.recipients[0]] = content.subject
    return found


def test_a_batch_is_of_one_variant(engine: Engine) -> None:
    letter_id = in_variants(engine, 30, 3)
    taken = []
    while batch := try_claim(engine, letter_id, 8):
        assert {number % 3 for number, _ in batch.readers} == {batch.variant}
        taken += [number for number, _ in batch.readers]
    assert sorted(taken) == list(range(1, 31))


def test_each_reader_is_sent_their_own_variant_once(engine: Engine, sandbox: Sandbox) -> None:
    letter_id = in_variants(engine, 60, 5)
    sent = run(engine, small_batches(sandbox.url, sandbox.token), letter_id)
    assert sent.accounting == ledger.Accounting(audience=60, accepted=60)
    assert len(subjects(sandbox, 5)) == 60


def test_what_is_in_doubt_is_found_or_sent_again_in_its_own_variant(engine: Engine, sandbox: Sandbox) -> None:
    letter_id = in_variants(engine, 60, 3)
    with FaultyLine(sandbox.url, None, LOSE_ANSWER, LOSE_REQUEST, None) as line:
        sent = run(engine, small_batches(line.url, sandbox.token), letter_id)
    assert sent.accounting == ledger.Accounting(audience=60, accepted=60)
    assert len(subjects(sandbox, 3)) == 60


def test_a_dead_senders_batch_is_found_whatever_its_variant(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = in_variants(sqlite_engine, 6, 2)
    provider = small_batches(sandbox.url, sandbox.token)
    with reading(sqlite_engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
    for number in (0, 1):
        batch = claim(sqlite_engine, letter_id, 10)
        assert batch.variant == number
        with reading(sqlite_engine) as session:
            letter = variants.letter_of(session, stored, number)
        readers = [recipient(stored.row_key(one), one, email) for one, email in batch.readers]
        provider.send(letter, ENVELOPE, readers, batch.key)  # and the sender dies before it writes this down

    sent = run(sqlite_engine, provider, letter_id, settle=NEVER)

    assert sent.accounting == ledger.Accounting(audience=6, accepted=6)
    assert len(subjects(sandbox, 2)) == 6


def test_more_variants_than_the_provider_keeps_templates_all_go_out_once(
    sqlite_engine: Engine, sandbox: Sandbox
) -> None:
    count = MAX_TEMPLATES + 20
    letter_id = in_variants(sqlite_engine, 2 * count, count)
    sent = run(sqlite_engine, PostmarkProvider(sandbox.token, sandbox.url, timeout=10), letter_id)
    assert sent.accounting == ledger.Accounting(audience=2 * count, accepted=2 * count)
    assert Counter(subjects(sandbox, count).values()) == Counter(
        {LETTER.subject: 2, **{f"Subject {number}": 2 for number in range(1, count)}}
    )
    whole_bodies = [message for message in sandbox.messages if "HtmlBody" in message.fields()]
    assert len(whole_bodies) == 2 * 20


def test_a_variant_is_loaded_once_or_so_and_few_are_held(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = in_variants(sqlite_engine, 400, 40)
    loads: list[str] = []

    def loaded(*arguments: object) -> None:
        statement = str(arguments[2])
        if "FROM letter_variants" in statement:
            loads.append(statement)

    event.listen(sqlite_engine, "before_cursor_execute", loaded)
    run(sqlite_engine, small_batches(sandbox.url, sandbox.token, size=5), letter_id)
    assert LETTERS < 40
    assert 39 <= len(loads) <= 39 * CONCURRENCY  # at worst each thread loads for itself what two of them begin at once
    assert len(subjects(sandbox, 40)) == 400


def test_who_left_is_put_aside_whatever_their_variant(sqlite_engine: Engine) -> None:
    letter_id = in_variants(sqlite_engine, 9, 3)
    with sqlite_engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.id) % 3 == 1).values(status="unsubscribed"))
    taken = []
    while batch := try_claim(sqlite_engine, letter_id):
        taken.append(batch.variant)
    assert taken == [0, 2]
    assert books(sqlite_engine, letter_id) == ledger.Accounting(audience=9, sending=6, left=3)


def test_a_variant_is_found_by_what_it_leaves_out(engine: Engine) -> None:
    letter_id = in_variants(engine, 3, 3)
    with reading(engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
        assert variants.find(session, stored, ["a2", "b2"]) == variants.letter_of(session, stored, 2) == variant(2)
        assert variants.find(session, stored, ["a2"]) is None
        assert variants.find(session, stored, ["a2", "b2"], "de") is None
        assert variants.find(session, stored, []) == LETTER
        assert variants.find(session, stored, [], "de") is None
        assert variants.letter_of(session, stored, 0) == LETTER
        with pytest.raises(NoResultFound):
            variants.letter_of(session, stored, 3)


def test_the_list_is_drawn_up_by_what_is_muted_and_by_language(engine: Engine) -> None:
    """Also of who mutes something, or chooses another language, after it was decided who gets what."""
    voice, all_of_it, since_then = '["Voice"]', '["All"]', '["Since then"]'
    variant_of = {
        (voice, None): 1,
        (voice, "en"): 1,
        ("[]", "de"): 2,
        (voice, "de"): 3,
        ('["Gardening"]', "de"): 2,
        (all_of_it, "de"): None,
    }
    expected = {
        ("[]", None): 0,
        ("[]", "en"): 0,
        ("[]", "xx"): 0,
        ("[]", "de"): 2,
        (voice, None): 1,
        (voice, "en"): 1,
        (voice, "de"): 3,
        (voice, "xx"): 0,
        ('["Gardening"]', "de"): 2,
        ('["Gardening"]', None): 0,
        (since_then, "de"): 2,
        (since_then, "en"): 0,
    }
    choices = [*expected, (all_of_it, "de"), (all_of_it, None)]
    add_readers(engine, len(choices))
    with engine.begin() as connection:
        for number, (muted, language) in enumerate(choices, start=1):
            chosen = update(Subscriber).where(col(Subscriber.id) == number).values(muted=muted, language=language)
            connection.execute(chosen)
    with writing(engine) as session:
        stored = ledger.store(session, LETTER, ENVELOPE.tag, NOW)
        assert ledger.draw_up(session, stored, variant_of) == len(expected)
        session.commit()
    with reading(engine) as session:
        rows = session.exec(select(Subscriber.muted, Subscriber.language, Delivery.variant).join(Delivery))
        assert {(muted, language): number for muted, language, number in rows} == expected


def test_a_number_stands_for_one_variant_and_never_for_the_letter_itself(engine: Engine) -> None:
    letter_id = in_variants(engine, 3, 2)
    for number in (0, 1):
        with writing(engine) as session:
            stored = session.get_one(StoredLetter, letter_id)
            with pytest.raises(IntegrityError):
                variants.freeze(session, stored, number, variant(9), ["z"])


def test_what_has_rested_goes_back_in_its_own_variant(sqlite_engine: Engine) -> None:
    letter_id = in_variants(sqlite_engine, 4, 2)
    first = claim(sqlite_engine, letter_id, 10)
    second = claim(sqlite_engine, letter_id, 10)
    doubt(sqlite_engine, letter_id)
    doubts.requeue(sqlite_engine, letter_id, second.key)
    again = claim(sqlite_engine, letter_id, 10)
    assert (again.variant, again.readers) == (second.variant, second.readers) != (first.variant, first.readers)

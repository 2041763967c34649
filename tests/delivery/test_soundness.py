"""What was damaged in the database is not sent."""

from contextlib import closing

import pytest
from sqlalchemy import Engine, text

from newsletter.db import reading
from newsletter.delivery import soundness
from newsletter.delivery.ledger import Accounting, StoredLetter
from newsletter.delivery.soundness import Flawed
from newsletter.sandbox.mailbox import content_of
from newsletter.sandbox.server import Sandbox
from tests.delivery.readers import accept, books, claim, doubt, drawn_up
from tests.delivery.runs import copies, run, small_batches
from tests.delivery.test_variants import in_variants


def execute(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql))


def flaw(engine: Engine, letter_id: int) -> str | None:
    with reading(engine) as session:
        return soundness.flaw(session, session.get_one(StoredLetter, letter_id))


def test_a_letter_is_sound_at_every_step_of_its_way(engine: Engine) -> None:
    letter_id = drawn_up(engine, 30)
    assert flaw(engine, letter_id) is None
    batch = claim(engine, letter_id, 10)
    assert flaw(engine, letter_id) is None
    claim(engine, letter_id, 10)
    accept(engine, letter_id, batch)
    doubt(engine, letter_id)
    assert books(engine, letter_id) == Accounting(audience=30, accepted=10, in_doubt=10, queued=10)
    assert flaw(engine, letter_id) is None


def test_a_claim_of_another_letter_is_none_of_this_one(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    claim(engine, letter_id)
    other = drawn_up(engine, 0)
    execute(engine, f"UPDATE claims SET letter_id = {other}")
    assert flaw(engine, letter_id) == (
        "of 1 readers it is not known when they were sent to, and by whom; "
        "`newsletter db check` names all that is wrong"
    )


@pytest.mark.parametrize("column", ["subject", "preheader", "html", "text"])
def test_a_letter_whose_words_were_changed_goes_to_nobody(engine: Engine, sandbox: Sandbox, column: str) -> None:
    letter_id = drawn_up(engine, 5)
    execute(engine, f"UPDATE letters SET {column} = 'Buy now'")
    with closing(small_batches(sandbox.url, sandbox.token)) as provider:
        sent = run(engine, provider, letter_id)
    assert sent.accounting == Accounting(audience=5, queued=5)
    assert sent.needs_editor == sent.stopped
    assert str(sent.stopped).startswith("the letter has been changed since it was frozen")
    assert copies(sandbox) == {}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE letter_variants SET html = 'Buy now' WHERE number = 2", "variant 2 of the letter has been changed"),
        ("DELETE FROM letter_variants WHERE number = 2", "variant 2 of the letter is gone"),
    ],
)
def test_a_variant_that_was_damaged_goes_to_nobody_and_waits_for_an_editor(
    engine: Engine, sandbox: Sandbox, damage: str, said: str
) -> None:
    letter_id = in_variants(engine, 30, 3)
    execute(engine, damage)
    with closing(small_batches(sandbox.url, sandbox.token)) as provider:
        sent = run(engine, provider, letter_id)
    assert sent.needs_editor is not None
    assert sent.needs_editor.startswith(said)
    assert sent.accounting.queued >= 10
    assert sent.accounting.queued + sent.accounting.accepted == 30
    assert not [message for message in sandbox.messages if content_of(message).subject == "Subject 2"]


def test_who_asks_for_what_is_not_there_is_told(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    with reading(engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
        assert soundness.whole_letter(session, stored, 0).digest == stored.digest
        with pytest.raises(Flawed, match="variant 7 of the letter is gone"):
            soundness.whole_letter(session, stored, 7)

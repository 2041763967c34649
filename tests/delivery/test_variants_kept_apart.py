"""Two letters that leave out the same: each has its own variant of it."""

from sqlalchemy import Engine

from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.message import Letter
from tests.delivery.readers import ENVELOPE, LETTER, NOW


def test_what_is_left_out_of_one_letter_finds_no_variant_of_another(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        letters = [ledger.store(session, LETTER, ENVELOPE.tag, NOW) for _ in range(3)]
        for stored, words in zip(letters, ("first", "second"), strict=False):
            variants.freeze(session, stored, 1, Letter(words, words, words, words), ["b", "a"])
        session.commit()
    with reading(sqlite_engine) as session:
        found = [variants.find(session, stored, {"a", "b"}) for stored in letters]
        assert [one and one.subject for one in found] == ["first", "second", None]
        assert [variants.letter_of(session, stored, 1).text for stored in letters[:2]] == ["first", "second"]
        assert [variants.letter_of(session, stored, 0) for stored in letters] == [LETTER] * 3

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import keys
from newsletter.db import reading, sqlite_file, writing
from tests.newsroom import MONDAY


def make(engine: Engine, name: str = "the site") -> str:
    with writing(engine) as session:
        secret = keys.make(session, name, MONDAY)
        session.commit()
        return secret


def holder(engine: Engine, secret: str) -> str | None:
    with reading(engine) as session:
        key = keys.known(session, secret)
        return key.name if key else None


def test_a_key_is_its_programs_until_it_is_revoked_and_never_again(engine: Engine) -> None:
    secret, other = make(engine), make(engine, "another")
    assert secret.startswith("watv_")
    assert len(secret) == len("watv_") + 43
    assert (holder(engine, secret), holder(engine, other)) == ("the site", "another")
    with writing(engine) as session:
        assert keys.revoke(session, "the site", MONDAY) is True
        session.commit()
    assert (holder(engine, secret), holder(engine, other)) == (None, "another")
    with writing(engine) as session:
        assert keys.revoke(session, "the site", MONDAY + timedelta(days=1)) is False
        assert keys.revoke(session, "no such", MONDAY) is None
        session.commit()
    with reading(engine) as session:
        assert [(key.name, key.revoked_at) for key in keys.every(session)] == [("the site", MONDAY), ("another", None)]


@pytest.mark.parametrize(
    "wrong", ["", " ", "watv_", "the site", "' OR 1=1 --", "%", "_" * 48, "\0", "\x80ÿ", "\u202e", "a" * 100_000]
)
def test_what_is_no_key_is_nobodys(engine: Engine, wrong: str) -> None:
    make(engine)
    assert holder(engine, wrong) is None


def test_neither_the_hash_nor_a_part_of_a_key_is_one(engine: Engine) -> None:
    secret = make(engine)
    with reading(engine) as session:
        digest = keys.every(session)[0].digest
    for near in (digest, secret[:-1], secret + "=", secret + "\n", f" {secret}", secret.swapcase(), secret[5:]):
        assert holder(engine, near) is None


@pytest.mark.parametrize("name", ["the site", "  the   site ", "", "a\x1b[31m", "a\u202eb", "caf\udcff", "x" * 101])
def test_a_name_that_is_taken_or_cannot_be_shown_is_refused_in_a_line(engine: Engine, name: str) -> None:
    make(engine)
    with writing(engine) as session, pytest.raises(ValueError, match="key") as refused:
        keys.make(session, name, MONDAY)
    assert str(refused.value).isprintable()
    with reading(engine) as session:
        assert len(keys.every(session)) == 1


def test_the_use_of_a_key_is_noted_once_a_day(engine: Engine) -> None:
    make(engine)
    evening = MONDAY.replace(hour=23, minute=59)
    for moment, due in ((MONDAY, True), (evening, False), (evening + timedelta(minutes=1), True)):
        with writing(engine) as session:
            key = keys.every(session)[0]
            assert keys.to_be_noted(key, moment) is due
            keys.note_use(session, key, moment)
            session.commit()
    with reading(engine) as session:
        assert keys.every(session)[0].used_at == MONDAY.replace(hour=0) + timedelta(days=1)


def test_a_key_is_nowhere_in_the_databases_files(sqlite_engine: Engine) -> None:
    secret = make(sqlite_engine, "a name that is there")
    file = sqlite_file(sqlite_engine)
    assert file is not None
    stored = b"".join(path.read_bytes() for path in Path(file).parent.glob(f"{file.name}*"))
    assert b"a name that is there" in stored
    assert secret.encode() not in stored
    assert secret.removeprefix(keys.PREFIX).encode() not in stored

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import Signer

from subscribers.tokens import ADDRESS, CONFIRM, LIFETIMES, PREFERENCES, UNSUBSCRIBE, VOTE, BadToken, Expired, Tokens

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
TOKENS = Tokens(["the newest key"])
TOKEN = TOKENS.make(UNSUBSCRIBE, 4711)


@pytest.mark.parametrize("number", [0, 1, 35, 36, 4711, 2**31, 2**63 - 1])
def test_a_token_comes_back_as_the_reader_that_it_was_made_for(number: int) -> None:
    assert TOKENS.read(UNSUBSCRIBE, TOKENS.make(UNSUBSCRIBE, number)) == number


def test_a_token_is_short_and_safe_in_an_address_and_always_the_same() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", TOKENS.make(UNSUBSCRIBE, 2**63 - 1))
    assert TOKENS.make(UNSUBSCRIBE, 4711) == TOKEN


@given(number=st.integers(min_value=0), keys=st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_a_token_is_what_itsdangerous_alone_would_sign(number: int, keys: list[str]) -> None:
    made = Tokens(keys).make(UNSUBSCRIBE, number)
    alone = Signer(list(reversed(keys)), salt=UNSUBSCRIBE, digest_method=sha256)
    assert alone.sign(made.partition(".")[0]).decode() == made


def any_token(purpose: str) -> str:
    return TOKENS.make_passing(purpose, 4711, NOW) if purpose in LIFETIMES else TOKENS.make(purpose, 4711)


@pytest.mark.parametrize(("made", "read"), list(permutations([UNSUBSCRIBE, CONFIRM, PREFERENCES, ADDRESS, VOTE], 2)))
def test_a_token_for_one_purpose_is_no_good_for_another(made: str, read: str) -> None:
    with pytest.raises(BadToken) as refused:
        TOKENS.read_passing(read, any_token(made), NOW)
    assert not isinstance(refused.value, Expired)
    with pytest.raises(BadToken):
        TOKENS.read(UNSUBSCRIBE, any_token(made if made != UNSUBSCRIBE else read))


@pytest.mark.parametrize("purpose", LIFETIMES)
def test_a_passing_token_is_good_for_its_lifetime_and_then_says_whose_it_was(purpose: str) -> None:
    token = TOKENS.make_passing(purpose, 4711, NOW)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,56}", token)
    for later in (timedelta(0), LIFETIMES[purpose] - timedelta(minutes=1)):
        assert TOKENS.read_passing(purpose, token, NOW + later) == (4711, NOW)
    for later in (LIFETIMES[purpose], timedelta(days=4000)):
        with pytest.raises(Expired) as over:
            TOKENS.read_passing(purpose, token, NOW + later)
        assert over.value.number == 4711


def test_the_end_of_a_token_cannot_be_put_off() -> None:
    token = TOKENS.make_passing(CONFIRM, 4711, NOW)
    later, _ = TOKENS.make_passing(CONFIRM, 4711, NOW + timedelta(days=1)).rsplit(".", 1)
    with pytest.raises(BadToken):
        TOKENS.read_passing(CONFIRM, f"{later}.{token.rsplit('.', 1)[1]}", NOW)


def test_an_unending_token_is_no_passing_one_of_the_same_number() -> None:
    with pytest.raises(BadToken):
        TOKENS.read_passing(UNSUBSCRIBE, TOKEN, NOW)


def test_a_token_of_another_installation_is_refused() -> None:
    with pytest.raises(BadToken):
        TOKENS.read(UNSUBSCRIBE, Tokens(["another key"]).make(UNSUBSCRIBE, 4711))


def test_after_a_rotation_old_links_still_work_and_new_ones_carry_the_new_key() -> None:
    rotated = Tokens(["the key after that", "the newest key"])
    assert rotated.read(UNSUBSCRIBE, TOKEN) == 4711
    fresh = rotated.make(UNSUBSCRIBE, 4711)
    assert Tokens(["the key after that"]).read(UNSUBSCRIBE, fresh) == 4711
    with pytest.raises(BadToken):
        TOKENS.read(UNSUBSCRIBE, fresh)


def test_a_key_that_was_dropped_is_good_for_nothing() -> None:
    with pytest.raises(BadToken):
        Tokens(["the key after that"]).read(UNSUBSCRIBE, TOKEN)


def test_a_change_of_any_character_is_seen() -> None:
    for place in range(len(TOKEN) - 1):  # the last one holds two bits that mean nothing
        changed = TOKEN[:place] + ("A" if TOKEN[place] != "A" else "B") + TOKEN[place + 1 :]
        with pytest.raises(BadToken):
            TOKENS.read(UNSUBSCRIBE, changed)


def test_a_signature_does_not_fit_another_reader() -> None:
    _, signature = TOKEN.rsplit(".", 1)
    other, _ = TOKENS.make(UNSUBSCRIBE, 4712).rsplit(".", 1)
    with pytest.raises(BadToken):
        TOKENS.read(UNSUBSCRIBE, f"{other}.{signature}")


@pytest.mark.parametrize("said", ["", "x.y", "३", "ｚ", " 1", "-1", "1_0", "+5", "not a number!"])
def test_what_we_signed_ourselves_for_something_else_is_no_reader(said: str) -> None:
    signed = Signer(["the newest key"], salt="another purpose").sign(said.encode()).decode()
    with pytest.raises(BadToken):
        TOKENS.read(UNSUBSCRIBE, signed)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        ".",
        "..",
        "4711",
        "4711.",
        ".abc",
        "३७.x",
        TOKEN[:-2],
        TOKEN + "\n",
        TOKEN.upper(),
        f" {TOKEN}",
        "\udcff.x",
        "\x00",
        "é.é",
        "a" * 100_000,
        "%2e",
        TOKEN.replace(".", ".."),
    ],
    ids=lambda garbage: ascii(garbage)[:20],
)
def test_garbage_is_refused_without_a_word(garbage: str) -> None:
    with pytest.raises(BadToken) as caught:
        TOKENS.read(UNSUBSCRIBE, garbage)
    assert str(caught.value) == ""


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        TOKENS.read(UNSUBSCRIBE, text)


def test_no_key_shows_in_a_repr() -> None:
    assert "hunter2" not in repr(Tokens(["hunter2"]))

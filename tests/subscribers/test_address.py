from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscribers.address import MAX_LENGTH, Address, _checked, _ordinary, parse_address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana@Example.COM", "ana@example.com"),
        (" ana@example.com\t", "ana@example.com"),
        ("lena@bücher.example", "LENA@xn--bcher-kva.example"),
        ("lena@BÜCHER.example", "lena@bücher.example"),
        ("Ada.Lovelace@gmail.com", "adalovelace@gmail.com"),
        ("a.d.a@googlemail.com", "ada@gmail.com"),
        ("a.da+letters@gmail.com", "ada+letters@GoogleMail.com"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert parse_address(one).key == parse_address(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.com", "ana@example.org"),
        ("ana@example.com", "ana+news@example.com"),
        ("ana@example.com", "a.na@example.com"),
        ("ana@example.com", "ana@mail.example.com"),
        ("ana@gmail.com", "ana+news@gmail.com"),
        ("ana@gmail.com", "a.na@gmail.com.example"),
        ("ana@gmail.com", "ana@gmail.example"),
        ("ana@stra\u00dfe.example", "ana@strasse.example"),
    ],
)
def test_different_addresses_have_different_keys(one: str, other: str) -> None:
    assert parse_address(one).key != parse_address(other).key


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("Ana@Example.com", "ana@example.com"),
        ("ana+news+more@example.com", "ana@example.com"),
        ("a.na+1@googlemail.com", "ana@gmail.com"),
        ("+1@example.com", "+1@example.com"),
    ],
)
def test_a_mailbox_is_an_address_without_what_follows_a_plus(written: str, mailbox: str) -> None:
    assert parse_address(written).mailbox == mailbox


def test_an_address_is_written_to_as_its_reader_spelled_it() -> None:
    assert parse_address("Sean.O'Brien@Example.com").email == "Sean.O'Brien@example.com"
    assert parse_address("lena@xn--bcher-kva.example").email == "lena@bücher.example"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "ana@example",
        "a@b@example.com",
        "ana@exa mple.com",
        "Ana <ana@example.com>",
        "ana@example.com\nBcc: bo@example.com",
        "ana@example..com",
        ".ana@example.com",
        "ana@-example.com",
        "ana@[127.0.0.1]",
        '"ana"@example.com',
        "ana@example.com,bo@example.com",
        "ana\x00@example.com",
        "\udcff@example.com",
        "stra\u00dfe@example.com",
        "\u00dcn\u00ef@b\u00fccher.example",
    ],
    ids=ascii,
)
def test_what_is_no_address_is_refused_in_one_line(written: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{10,}$"):
        parse_address(written)


def test_the_longest_address_is_254_characters() -> None:
    domain = ".".join(["d" * 60] * 3 + ["example"])
    longest = "a" * (MAX_LENGTH - len(domain) - 1) + "@" + domain
    assert len(parse_address(longest).email) == MAX_LENGTH
    with pytest.raises(ValueError, match=r"too long|longer than"):
        parse_address("a" + longest)


SHAPED = st.from_regex(
    r"[A-Za-z0-9_+.'-]{0,70}@[A-Za-z0-9.-]{0,40}\.?(com|example|test|local|Onion|arpa|c|1|x1|xn--p1ai|gmail\.com)?",
    fullmatch=True,
)


@settings(max_examples=1500, deadline=None)
@given(SHAPED | st.emails() | st.text(max_size=20))
@example("a@" + "b" * 63 + ".com")
@example("a" * 64 + "@example.com")
@example("a" * 65 + "@example.com")
@example("a@ab--c.example")
@example("a@example.com\n")
@example("K@example.com")
def test_the_short_way_says_what_the_library_says(written: str) -> None:
    def said(parse: Callable[[str], Address]) -> Address | str:
        try:
            return parse(written.strip())
        except ValueError as error:
            return str(error)

    assert said(parse_address) == said(_checked)


@pytest.mark.parametrize("written", ["ana.b+news@example.com", "ANA@mail.Example.co.uk", "x_1@bo-x.example"])
def test_most_addresses_take_the_short_way(written: str) -> None:
    assert _ordinary(written) == _checked(written)

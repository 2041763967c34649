"""What may be written into a message's head: what passes, as what, and the words in which the rest is refused."""

from typing import Any

import pytest

from newsletter.delivery.provider import Envelope
from newsletter.delivery.wire import Mailbox, Unwritable, address, key, link, mailbox, one_line


@pytest.mark.parametrize("written", ["a@b.example", "A.b+c@B-c.example", "a@b.co", "a" * 64 + "@b.example"])
def test_a_plain_address_passes_as_it_is(written: str) -> None:
    assert address(written) == written


def test_a_domain_outside_ascii_is_written_in_punycode() -> None:
    assert address("a@bücher.example") == "a@xn--bcher-kva.example"


def test_an_address_of_254_characters_passes_and_no_longer_one() -> None:
    def written(length: int) -> str:
        return "a" * 64 + "@" + ".".join(["b" * 60] * 3) + "." + "c" * (length - 64 - 1 - 182 - 1)

    assert len(address(written(254))) == 254
    with pytest.raises(Unwritable, match=r"^not an e-mail address: .*too long"):
        address(written(255))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("ä@b.example", "the part before the @ is not ASCII, and is not carried"),
        ("a@b", "not an e-mail address: The part after the @-sign is not valid"),
        ("", "not an e-mail address: "),
        ("a b@c.example", "not an e-mail address: "),
        ("a@b.example\n", "not an e-mail address: "),
        ("a@b.example\r\nBcc: x@y.example", "not an e-mail address: "),
        ("a@b.example,c@d.example", "not an e-mail address: "),
        ("Ada <a@b.example>", "not an e-mail address: "),
        ('"a b"@c.example', "not an e-mail address: "),
    ],
)
def test_what_is_not_one_bare_address_is_refused_in_one_line(written: str, complaint: str) -> None:
    with pytest.raises(Unwritable) as caught:
        address(written)
    assert str(caught.value).startswith(complaint)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a@b.example", Mailbox("", "a@b.example")),
        ("Ada <a@b.example>", Mailbox("Ada", "a@b.example")),
        ('"Lovelace, Ada" <a@bücher.example>', Mailbox("Lovelace, Ada", "a@xn--bcher-kva.example")),
    ],
)
def test_a_mailbox_has_a_name_perhaps_and_an_address(written: str, read: Mailbox) -> None:
    assert mailbox(written) == read


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", r"not a mailbox: "),
        ("<>", r"not a mailbox: <>"),
        ("Ada\n <a@b.example>", r"the address holds a line break or a control character"),
        ("Ada <ada>", r"not an e-mail address: .+"),
    ],
)
def test_what_is_no_mailbox_is_refused_in_words(written: str, complaint: str) -> None:
    with pytest.raises(Unwritable, match=f"^{complaint}$"):
        mailbox(written)


def test_the_domain_of_a_mailbox_is_what_stands_behind_its_last_at() -> None:
    assert Mailbox("", "a@b.example").domain == "b.example"
    assert Mailbox("", '"a@home"@b.example').domain == "b.example"


@pytest.mark.parametrize("mark", ["\r", "\n", "\x00", "\x0b", "\x0c", "\x1f", "\x7f", "\x85", "\u2028", "\u2029"])
def test_whatever_some_parser_takes_for_a_lines_end_is_refused(mark: str) -> None:
    with pytest.raises(Unwritable, match=r"^the tag holds a line break or a control character$"):
        one_line("the tag", f"2026{mark}W47")
    with pytest.raises(ValueError, match=r"^the envelope's tag holds a line break"):
        Envelope("a@b.example", "broadcast", f"2026{mark}W47", None)


@pytest.mark.parametrize("name", ["sender", "stream", "tag", "list_id", "reply_to"])
def test_an_envelope_names_the_field_that_holds_a_line_break(name: str) -> None:
    fields: dict[str, Any] = dict.fromkeys(("sender", "stream", "tag", "list_id", "reply_to"), "plain") | {
        name: "two\nlines"
    }
    with pytest.raises(Unwritable, match=f"^the envelope's {name} holds a line break or a control character$"):
        Envelope(**fields)


def test_what_is_one_line_passes_as_it_is() -> None:
    assert one_line("the tag", "Grüße: “2026” – 日本") == "Grüße: “2026” – 日本"
    assert one_line("the tag", "") == ""


@pytest.mark.parametrize("url", ["https://x.example/a?b=c&d=%20", "http://127.0.0.1:8000/", "https://" + "x" * 900])
def test_a_plain_link_passes_as_it_is(url: str) -> None:
    assert link(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x.example/", "https://", "https://x.example/a b", "https://x.example/>", 'https://x.example/"',
     "https://x.example/\n", "https://bücher.example/", "https://" + "x" * 901, "HTTPS://x.example/"],
)  # fmt: skip
def test_a_link_that_could_leave_its_brackets_is_refused(url: str) -> None:
    with pytest.raises(Unwritable, match=r"^the unsubscribe link is not a plain http\(s\) URL$"):
        link(url)


@pytest.mark.parametrize("value", ["a", "AZaz09_.~+=-", "x" * 80])
def test_a_plain_key_passes_as_it_is(value: str) -> None:
    assert key("the row", value) == value


@pytest.mark.parametrize("value", ["", "x" * 81, "a b", "a/b", "a\n", "é", "a:b"])
def test_what_is_no_plain_key_is_refused_and_named(value: str) -> None:
    with pytest.raises(Unwritable, match=r"^the row is not a plain key of at most 80 characters$"):
        key("the row", value)

"""What is kept of where something came from."""

import pytest

from subscribers.whence import network_of, shortened_agent, shortened_network

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("address", "counts_for", "shortened"),
    [
        ("203.0.113.7", "203.0.113.7/32", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("testclient", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_network_is_cut_by_its_kind(address: str | None, counts_for: str | None, shortened: str | None) -> None:
    assert network_of(address) == counts_for
    assert shortened_network(address) == shortened


@pytest.mark.parametrize(
    ("user_agent", "kept"),
    [
        (FIREFOX, "Mozilla Gecko Firefox"),
        (CHROME, "Mozilla AppleWebKit Chrome Mobile Safari"),
        ("Thing/1.0 (a (nested) one) Other/2", "Thing Other"),
        ("Cut/1.0 (by a limit somewhere Chr", "Cut"),
        ("/1.0 (only this)", None),
        ("", None),
        (None, None),
    ],
)
def test_a_user_agent_keeps_the_names_of_its_products(user_agent: str | None, kept: str | None) -> None:
    assert shortened_agent(user_agent) == kept
    assert shortened_agent(kept) == kept

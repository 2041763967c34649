"""From where was something said, and how much of that is kept?

Pure. Network addresses and user agents are personal data: enough of them is kept to prove a consent and to count a
network's attempts, and after a while only what no longer leads to one person.
"""

import ipaddress
import re

_COMMENT = re.compile(r"\([^()]*\)")
_LONGEST_AGENT = 200  # characters of what is left of a user agent


def network_of(address: str | None) -> str | None:
    """Whom a network address counts for: itself, or the /64 of an IPv6 one; None for what is no IP address.

    Whoever has one IPv6 address mostly has all of its /64, and could come from another one each time.
    """
    return _network(address, 32, 64)


def shortened_network(address: str | None) -> str | None:
    """The /24 of an IPv4 address, the /48 of an IPv6 one; None for what is no IP address."""
    return _network(address, 24, 48)


def shortened_agent(user_agent: str | None) -> str | None:
    """The names of a user agent's products, without versions and comments: `Mozilla Gecko Firefox`."""
    bare = user_agent or ""
    while (inner := _COMMENT.sub(" ", bare)) != bare:
        bare = inner
    bare = bare.partition("(")[0].replace(")", " ")  # a comment that was cut off with the rest
    names = [word.partition("/")[0] for word in bare.split()]
    return " ".join(name for name in names if name)[:_LONGEST_AGENT] or None


def _network(address: str | None, ipv4_bits: int, ipv6_bits: int) -> str | None:
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped:
        known = known.ipv4_mapped  # ::ffff:203.0.113.7 is how some servers write 203.0.113.7
    bits = ipv4_bits if known.version == 4 else ipv6_bits
    return str(ipaddress.ip_network(f"{known}/{bits}", strict=False))

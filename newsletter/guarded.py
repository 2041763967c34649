"""Where may we be led by an address that somebody else has written? To the public internet, and nowhere inside.

Promises: only http and https, at their own ports, and to IP addresses that anybody could ask; a connection goes to the
very address that was looked at, with the name kept for TLS and for the server, so that what the name means a moment
later changes nothing; no proxy of the environment has a part in it.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

PORTS: Final = (80, 443)
LONGEST: Final = 2048  # characters of an address

Found = tuple[str, int]
"""An IP address and a port."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_INSIDE: Final = tuple(
    # What carries an IPv4 address (mapped and translated ones, 6to4, Teredo, NAT64 for local use), what sites once had,
    # blocks of special use of which Python's versions think differently, and an address at which Azure's machines ask
    # their host, as if it were of the internet.
    map(
        ip_network,
        (
            *("::/64", "2002::/16", "2001::/23", "64:ff9b:1::/48", "fec0::/10", "100::/64", "3fff::/20", "5f00::/16"),
            *("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
        ),
    )
)
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]+", re.ASCII)


def look_up(host: str, port: int) -> list[str]:
    """All IP addresses of a name, as this machine finds them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Refused(Exception):  # noqa: N818  the name says what happened
    """We do not ask this; the text says why."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, whatever it is wrapped in."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if any(ip in network for network in _INSIDE):
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip in _NAT64:  # what a network without IPv4 calls an address of it
            return is_public(str(IPv4Address(int(ip) & 0xFFFFFFFF)))
    odd = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local or ip.is_private
    return ip.is_global and not odd


@dataclass(frozen=True)
class Target:
    """What is asked for an address on the web."""

    secure: bool
    host: str
    port: int
    path: str


def refuse_inside(target: Target, addresses: Iterable[str], also: Collection[Found] = ()) -> None:
    """Raises Refused unless all these IP addresses of a target's name, and its port, may be asked.

    `also` may be asked besides: for tests, which have nothing but their own machine.
    """
    for address in addresses:
        if (address, target.port) in also:
            continue
        if not is_public(address):
            raise Refused("it leads into a network that is not the public internet")
        if target.port not in PORTS:
            raise Refused(f"port {target.port} is neither 80 nor 443")


class Line(http.client.HTTPConnection):
    """A connection to an address that was looked at, under the name by which it was asked for."""

    def __init__(self, target: Target, address: str, timeout: float, trust: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._address = address
        self._trust = trust
        self._named = target.host
        self.default_port = 443 if target.secure else 80  # the Host header leaves it out

    def connect(self) -> None:
        """Make the connection; no name is looked up again."""
        self.sock: Any = socket.create_connection((self._address, self.port), self.timeout)
        if self._trust is not None:
            name = self._named.rstrip(".")
            # In two steps, so that a handshake that never ends can be cut.
            self.sock = self._trust.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
            self.sock.do_handshake()


def target_of(url: str) -> Target:
    """What is to be asked for an address. Raises Refused."""
    if len(url) > LONGEST:
        raise Refused(f"it is longer than {LONGEST:,} characters")
    if any(character.isspace() or not character.isprintable() for character in url) or "\\" in url:
        raise Refused("it holds a character that no address has")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Refused("it is no address that can be read") from None
    if parts.scheme not in ("http", "https"):
        raise Refused(f"{parts.scheme or 'nothing'} is neither http nor https")
    if "@" in parts.netloc:
        raise Refused("it holds a name or a password")
    secure = parts.scheme == "https"
    return Target(secure, _ascii(host), port or (443 if secure else 80), _path(parts))


def _ascii(host: str) -> str:
    try:
        written = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        written = ""
    if not _HOST.fullmatch(written) or len(written) > 253:
        raise Refused("its name cannot be a host's")
    return written


def _path(parts: SplitResult) -> str:
    return quoted(parts.path or "/") + (f"?{quoted(parts.query)}" if parts.query else "")


def quoted(text: str) -> str:
    """Text as it may stand in a request's first line; what is quoted already stays."""
    return quote(text, safe="/:?#[]@!$&'()*+,;=%~-._", encoding="utf-8", errors="replace")

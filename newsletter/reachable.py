"""Does an address on the web answer? Asked politely, and so that nobody can have us ask inside our own network.

Promises: nothing is asked that `guarded` does not let through; a name is looked up once for each question, and each
redirect is followed by hand and checked like the first address. Nothing is sent but the question: no cookie and no
password; at most `MOST_READ` bytes of an answer are read, and none is unpacked. It all ends in time, however slowly
anything answers.
"""

import http.client
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from newsletter import guarded
from newsletter.delivery.deadline import Deadline
from newsletter.delivery.provider import spoken
from newsletter.guarded import LONGEST, Found, Line, Refused, Target, look_up, quoted, target_of

OK: Final = "ok"
MOVED: Final = "redirects"
UNSAFE: Final = "not https"
UNSURE: Final = "cannot be told"
DEAD: Final = "dead"
REFUSED: Final = "not asked"

VERDICTS: Final = {
    OK: "it answers",
    MOVED: "it answers, at another address",
    UNSAFE: "it is, or leads to, an address without TLS",
    UNSURE: "somebody answers who does not answer programs",
    DEAD: "it does not answer, or says that there is nothing",
    REFUSED: "we do not ask such an address",
}

TIMEOUT: Final = 5.0  # seconds for one question, from the look-up to the answer
TOTAL: Final = 30.0  # seconds for all addresses together
AT_ONCE: Final = 4
MOST_HOPS: Final = 5  # redirects
MOST_READ: Final = 1024  # bytes of an answer's body
MOST_TRIED: Final = 2  # addresses of one name

NOT_FOR_PROGRAMS: Final = frozenset({401, 403, 407, 408, 425, 429, 451, 503, 999})
"""What servers say to programs about pages that they do show to people."""

Resolve = Callable[[str, int], Sequence[str]]
"""Looks a name up: (name, port) -> IP addresses. Raises OSError."""


@dataclass(frozen=True)
class Answer:
    """What came of asking one address."""

    url: str
    verdict: str
    """One of `VERDICTS`."""
    why: str = ""
    leads_to: str = ""
    """Where redirects end."""


@dataclass(frozen=True)
class Checker:
    """How addresses are asked. What has defaults here is for tests alone: no setting reaches it."""

    agent: str
    """What we call ourselves to the servers that we ask."""
    resolve: Resolve = look_up
    also: Collection[Found] = ()
    """Addresses and ports that may be asked though they are not of the public internet."""
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    timeout: float = TIMEOUT
    total: float = TOTAL

    def check(self, urls: Sequence[str]) -> list[Answer]:
        """Ask each address once; the answers in the order of the addresses. Raises nothing.

        At most `AT_ONCE` at a time, and never two questions to one host; what has not been answered in `total` seconds
        cannot be told, and says so.
        """
        until = time.monotonic() + self.total
        waiting = deque(dict.fromkeys(urls))
        answers: dict[str, Answer] = {}
        hosts: dict[str, threading.Lock] = {}

        def work() -> None:
            with suppress(IndexError):
                while time.monotonic() < until:
                    url = waiting.popleft()
                    answers[url] = _Asked(self, url, hosts, until).answer()

        # Not an executor's: those are waited for when the program ends, and a look-up may hang.
        threads = [threading.Thread(target=work, name=f"links-{n}", daemon=True) for n in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        late = f"no answer within the {self.total:g} s that all addresses have together"
        return [answers.get(url) or Answer(url, UNSURE, late) for url in urls]


class _Asked:
    """One address being asked."""

    def __init__(self, checker: Checker, url: str, hosts: dict[str, threading.Lock], until: float) -> None:
        self._checker = checker
        self._url = url
        self._hosts = hosts
        self._until = until

    def answer(self) -> Answer:
        url, hops = self._url, 0
        try:
            while True:
                status, location = self._ask(url)
                if not (300 <= status < 400 and location and status != 304):
                    return self._verdict(url, status)
                hops += 1
                if hops > MOST_HOPS:
                    return Answer(self._url, DEAD, f"more than {MOST_HOPS} redirects")
                url = urljoin(url, quoted(location.encode("latin-1", "replace").decode("utf-8", "replace")))
        except Refused as error:
            # It is kept, and shown: of what is refused for its length, no more than of what is not.
            return Answer(self._url, REFUSED, str(error), url[:LONGEST] if hops else "")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(self._url, DEAD, _said(error), url if hops else "")

    def _verdict(self, url: str, status: int) -> Answer:
        leads_to = url if _plain(url) != _plain(self._url) else ""
        if status in NOT_FOR_PROGRAMS:
            return Answer(self._url, UNSURE, f"HTTP {status}", leads_to)
        if not (200 <= status < 300 or status == 416):  # of a page that is empty there is no part
            return Answer(self._url, DEAD, f"HTTP {status}", leads_to)
        if not (url.startswith("https://") and self._url.startswith("https://")):
            return Answer(self._url, UNSAFE, "", leads_to)
        return Answer(self._url, MOVED if leads_to else OK, "", leads_to)

    def _ask(self, url: str) -> tuple[int, str]:
        """Status and Location of an address: HEAD, and GET where that says no."""
        target = target_of(url)
        status, location = self._once("HEAD", target)
        return self._once("GET", target) if status >= 400 else (status, location)

    def _once(self, method: str, target: Target) -> tuple[int, str]:
        left = self._until - time.monotonic()
        turn = self._hosts.setdefault(target.host, threading.Lock())
        if left <= 0 or not turn.acquire(timeout=left):
            raise TimeoutError
        try:
            addresses = self._checker.resolve(target.host, target.port)
            guarded.refuse_inside(target, addresses, self._checker.also)
            for place, address in enumerate(addresses[:MOST_TRIED], start=1):
                try:
                    return self._talk(method, target, address)
                except ConnectionRefusedError:
                    if place == min(MOST_TRIED, len(addresses)):
                        raise
            raise OSError("the name has no address")
        finally:
            turn.release()

    def _talk(self, method: str, target: Target, address: str) -> tuple[int, str]:
        seconds = max(0.1, min(self._checker.timeout, self._until - time.monotonic()))
        line = Line(target, address, seconds, self._checker.trust if target.secure else None)
        deadline = Deadline(seconds, lambda: line.sock)
        try:
            with deadline:
                line.request(method, target.path, headers=self._headers(method))
                response = line.getresponse()
                if method == "GET":
                    response.read(MOST_READ)
                status, location = response.status, response.getheader("Location") or ""
        except (OSError, http.client.HTTPException):
            if deadline.passed:
                raise TimeoutError from None
            raise
        finally:
            line.close()
        if deadline.passed:
            raise TimeoutError
        return status, location

    def _headers(self, method: str) -> dict[str, str]:
        asked = {"User-Agent": self._checker.agent, "Accept": "text/html,*/*;q=0.5", "Connection": "close"}
        # As it is: what is packed would have to be unpacked, and nobody knows how large it then is.
        asked["Accept-Encoding"] = "identity"
        return asked | ({"Range": f"bytes=0-{MOST_READ - 1}"} if method == "GET" else {})


def _plain(url: str) -> str:
    """An address without what makes no difference: what stands behind `#`, and a slash at the end."""
    return url.partition("#")[0].rstrip("/")


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {spoken(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection could be made"
    if isinstance(error, socket.gaierror):
        return "there is no such name"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers there"
    if isinstance(error, http.client.HTTPException):
        return "what it answers is no HTTP"
    return "the connection was cut" if isinstance(error, OSError) else "its answer cannot be read"

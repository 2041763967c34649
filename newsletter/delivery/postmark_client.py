"""How is Postmark called without ever sending twice? postmarker, with its transport made strict.

Promises: a request is made once (no retries, no redirects followed); it takes a bounded time in all, however slowly it
is answered, and bounded memory; whatever goes wrong is one of three exceptions, which differ in what they say about the
request: it never left, its answer is lost, or it was answered with an error. The server token is in no text that comes
out of here.
"""

import socket
import ssl
import threading
import time
import weakref
from typing import Any, ClassVar

import orjson
import requests
import urllib3
from postmarker.core import USER_AGENT, PostmarkClient
from requests.adapters import HTTPAdapter

from newsletter.delivery.deadline import Deadline
from newsletter.delivery.provider import spoken

CONNECT_TIMEOUT = 10  # seconds; a connection that takes longer will not come
IDLE = 20  # seconds after which a connection is not used again: the other side may have dropped it silently
LONGEST_ANSWER = 64 * 2**20  # bytes; the longest that we ask for is a list of suppressions, some 150 bytes each
_PIECE = 2**16  # bytes


class NotReached(Exception):  # noqa: N818  the name says what happened
    """The connection was never made: nothing of the request has left."""


class AnswerLost(Exception):  # noqa: N818  the name says what happened
    """The request has left, or may have; there is no answer that can be read."""


class ErrorAnswer(Exception):  # noqa: N818  the name says what happened
    """Postmark, or something on the way to it, answered with an HTTP status other than 2xx.

    `code` is Postmark's own ErrorCode, None where the body has none (a proxy, a firewall). The two are different
    numbers that overlap (HTTP 401, ErrorCode 401), so read them as a pair. `retry_after` and `date` are the headers of
    these names, as they were written; "" where there was none.
    """

    def __init__(self, status: int, code: int | None, message: str, retry_after: str = "", date: str = "") -> None:
        super().__init__(f"HTTP {status}{'' if code is None else f', code {code}'}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.date = date


class _Noting:
    """A connection that notes its socket. http.client forgets it before the answer is read, where none is to follow."""

    noted: ClassVar[socket.socket | None] = None
    """The last that was made by connections of the class."""
    _sock: socket.socket | None = None

    @property
    def sock(self) -> socket.socket | None:
        return self._sock

    @sock.setter
    def sock(self, made: socket.socket | None) -> None:
        self._sock = made
        if made is not None:
            type(self).noted = made


class _Lines(HTTPAdapter):
    """Knows the socket in use: the last one that was made, as there is one thread and one host."""

    _connections: type[_Noting] = _Noting

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _Noting):  # a pool that we have not met
            pool.ConnectionCls = self._connections = type("_Noted", (_Noting, pool.ConnectionCls), {})
        return pool

    def in_use(self) -> socket.socket | None:
        """The socket of the call under way; None before there is one."""
        return self._connections.noted


class StrictClient(PostmarkClient):  # type: ignore[misc]  # postmarker has no types
    """A postmarker client for one thread. `timeout` is in seconds, for one call from its first byte to its last."""

    def __init__(self, token: str, api_url: str, timeout: float) -> None:
        super().__init__(
            server_token=token,
            root_api_url=api_url,
            timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            max_retries=0,
        )
        # No .netrc, no proxy from the environment: letters go where the settings say.
        self.session.trust_env = False
        self.session.max_redirects = 0
        self._seconds = timeout
        self._lines = _Lines()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, self._lines)
        self._last_used = time.monotonic()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.root_api_url}>"

    def _call(
        self,
        method: str,
        root: str,
        endpoint: str,
        data: object = None,
        headers: dict[str, str] | None = None,
        **query: object,
    ) -> Any:
        """Make one request and return its JSON. Raises NotReached, AnswerLost, ErrorAnswer.

        The parent would let requests write the JSON: three times the bytes for Cyrillic letters, several times
        the work, redirects followed with the batch sent again, and KeyError for an error page.
        """
        if time.monotonic() - self._last_used > IDLE:
            self.session.close()
        sent_headers = {"Accept": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
        body = None
        if data is not None:
            sent_headers["Content-Type"] = "application/json"
            body = orjson.dumps(data)
        deadline = Deadline(self._seconds, self._lines.in_use)
        try:
            with deadline:
                response = self.session.request(
                    method,
                    root.rstrip("/") + endpoint,
                    params=query,
                    data=body,
                    headers=sent_headers,
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                )
                content = _read(response)
        except Exception as error:  # noqa: BLE001  whatever went wrong, the request may have left
            trouble = self._transport_error(error)
            if deadline.passed and isinstance(trouble, AnswerLost):
                trouble = self._too_late()
            raise trouble from None
        finally:
            self._last_used = time.monotonic()
        if deadline.passed:  # what has come until then may look whole
            raise self._too_late()
        if not 200 <= response.status_code < 300:
            raise self._error_answer(response, content)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise AnswerLost(f"HTTP {response.status_code} with an answer that is not JSON") from None

    def _transport_error(self, error: Exception) -> NotReached | AnswerLost:
        # The innermost cause, without the address of the object that met it.
        cause = str(_wrapped(error)[-1]).rpartition("): ")[2]
        text = self._without_token(f"{type(error).__name__}: {cause}")
        return NotReached(text) if _was_never_sent(error) else AnswerLost(text)

    def _too_late(self) -> AnswerLost:
        return AnswerLost(f"the answer took longer than {self._seconds:g} s")

    def _error_answer(self, response: requests.Response, content: bytes) -> ErrorAnswer:
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            body = {}
        code = body.get("ErrorCode")
        said = (body.get("Message"), body.get("message"), response.reason)
        message = next((words for words in map(self._without_token, said) if words), "no reason given")
        return ErrorAnswer(
            response.status_code,
            code if type(code) is int else None,
            message,
            response.headers.get("Retry-After", ""),
            response.headers.get("Date", ""),
        )

    def _without_token(self, words: object) -> str:
        """One line without our secret, whoever has repeated it to us."""
        return spoken(words.replace(self.server_token, "[token]") if isinstance(words, str) else words)


class Clients:
    """One StrictClient for each thread that asks, since a requests session is not made to be shared."""

    def __init__(self, token: str, api_url: str, timeout: float) -> None:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("the Postmark server token is empty or holds characters that no token has")
        self._arguments = (token, api_url, timeout)
        self._of_thread = threading.local()
        # Weak: a thread that ends takes its client along.
        self._all: weakref.WeakSet[StrictClient] = weakref.WeakSet()
        self._lock = threading.Lock()

    def mine(self) -> StrictClient:
        """The calling thread's client."""
        client: StrictClient | None = getattr(self._of_thread, "client", None)
        if client is None:
            client = self._of_thread.client = StrictClient(*self._arguments)
            with self._lock:
                self._all.add(client)
        return client

    def close(self) -> None:
        """Close every thread's connections. Idempotent; a later call would open new ones."""
        with self._lock:
            for client in self._all:
                client.session.close()


def _read(response: requests.Response) -> bytes:
    """The whole body. Raises requests.RequestException, also for one that is too long."""
    pieces, size = [], 0
    for piece in response.iter_content(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_ANSWER:
            response.close()
            raise requests.RequestException(f"more than {LONGEST_ANSWER >> 20} MB of an answer")
    return b"".join(pieces)


def _was_never_sent(error: Exception) -> bool:
    """Whether the connection was certainly not made. In doubt: no."""
    never = (
        requests.ConnectTimeout,
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidHeader,
    )
    return isinstance(error, never) or any(map(_is_about_connecting, _wrapped(error)))


def _is_about_connecting(error: BaseException) -> bool:
    # Refused, no route, no such host; a certificate that does not fit, or no TLS where TLS was expected.
    return isinstance(error, urllib3.exceptions.NewConnectionError | ssl.SSLCertVerificationError) or (
        isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER"
    )


def _wrapped(error: BaseException) -> list[BaseException]:
    """The exceptions that this one carries, itself included.

    By argument and reason only: `__context__` may be a trouble of the caller's, of another request.
    """
    found = [error]
    for one in found:
        inner = [*one.args, getattr(one, "reason", None)]
        found.extend(part for part in inner if isinstance(part, BaseException) and part not in found)
    return found

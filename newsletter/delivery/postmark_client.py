"""How is Postmark called without ever sending twice? postmarker, with its transport made strict.

Promises: a request is made once (no retries, no redirects followed); it waits a bounded time; whatever goes wrong
is one of three exceptions, which differ in what they say about the request: it never left, its answer is
lost, or it was answered with an error. The server token is in no text that comes out of here.
"""

import ssl
import threading
import time
import weakref
from typing import Any

import orjson
import requests
import urllib3
from postmarker.core import USER_AGENT, PostmarkClient

CONNECT_TIMEOUT = 10  # seconds; a connection that takes longer will not come
IDLE = 20  # seconds after which a connection is not used again: the other side may have dropped it silently


class NotReached(Exception):  # noqa: N818  the name says what happened
    """The connection was never made: nothing of the request has left."""


class AnswerLost(Exception):  # noqa: N818  the name says what happened
    """The request has left, or may have; there is no answer that can be read."""


class ErrorAnswer(Exception):  # noqa: N818  the name says what happened
    """Postmark, or something on the way to it, answered with an HTTP status other than 2xx.

    `code` is Postmark's own ErrorCode, None where the body has none (a proxy, a firewall). The two are different
    numbers that overlap (HTTP 401, ErrorCode 401), so read them as a pair.
    """

    def __init__(self, status: int, code: int | None, message: str) -> None:
        super().__init__(f"HTTP {status}{'' if code is None else f', code {code}'}: {message}")
        self.status = status
        self.code = code
        self.message = message


class StrictClient(PostmarkClient):  # type: ignore[misc]  # postmarker has no types
    """A postmarker client for one thread. `timeout` is in seconds, for one call's answer."""

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
        try:
            response = self.session.request(
                method,
                root.rstrip("/") + endpoint,
                params=query,
                data=body,
                headers=sent_headers,
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._transport_error(error) from None
        finally:
            self._last_used = time.monotonic()
        if not 200 <= response.status_code < 300:
            raise self._error_answer(response)
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise AnswerLost(f"HTTP {response.status_code} with an answer that is not JSON") from None

    def _transport_error(self, error: requests.RequestException) -> NotReached | AnswerLost:
        # The innermost cause, without the address of the object that met it.
        cause = str(_wrapped(error)[-1]).rpartition("): ")[2]
        text = self._without_token(f"{type(error).__name__}: {cause}")
        return NotReached(text) if _was_never_sent(error) else AnswerLost(text)

    def _error_answer(self, response: requests.Response) -> ErrorAnswer:
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            return ErrorAnswer(response.status_code, None, response.reason or "no reason given")
        code = body.get("ErrorCode")
        message = str(body.get("Message") or body.get("message") or response.reason or "no reason given")
        return ErrorAnswer(response.status_code, code if type(code) is int else None, self._without_token(message))

    def _without_token(self, text: str) -> str:
        """One line without our secret, whoever has repeated it to us."""
        return " ".join(text.replace(self.server_token, "[token]").split())


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


def _was_never_sent(error: requests.RequestException) -> bool:
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

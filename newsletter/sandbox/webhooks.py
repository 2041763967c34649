"""What is told to an endpoint about accepted messages, what came of them later, and changed suppressions?

One JSON object a POST, from a thread of its own, so that no answer waits for it. What the endpoint does not take is not
told again: the sandbox has no retry schedule. Faults may lose events, tell them twice, late or in another order.
"""

import heapq
import itertools
import logging
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
import requests

from newsletter.sandbox import events
from newsletter.sandbox.aftermath import Happening, SubscriptionChange, at_once
from newsletter.sandbox.checks import Json
from newsletter.sandbox.mailbox import Message
from newsletter.sandbox.striking import Faults

TIMEOUT = 5  # seconds that the endpoint has to answer
PAUSE = 0.02  # seconds between two looks at the clock, and without an event after which those set aside are told
ASIDE = 50  # events that are set aside at most, to be told in another order

_log = logging.getLogger(__name__)


class _Event(NamedTuple):
    """An event and the number by which an endpoint knows that it has been told it before."""

    body: Json
    trace: str


class _Appointment(NamedTuple):
    """Something to do at a moment; `number` keeps those of one moment in order."""

    moment: datetime
    number: int
    keep: Callable[[], object]


class Webhooks:
    """Tells an endpoint, in the order of events but for `faults`. `clock` gives aware moments.

    `url` may carry a user and a password for basic authentication.
    """

    def __init__(self, url: str, faults: Faults, clock: Callable[[], datetime]) -> None:
        self._url = url
        self._faults = faults
        self._clock = clock
        self._queue: queue.SimpleQueue[list[Message] | Happening | _Appointment | None] = queue.SimpleQueue()
        self._number = itertools.count()
        self._appointments: list[_Appointment] = []
        self._aside: list[_Event] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def accepted(self, messages: list[Message]) -> None:
        """Tell what became of accepted messages."""
        self._queue.put(messages)

    def happened(self, happening: Happening) -> None:
        """Tell what happened later, or to a suppression."""
        self._queue.put(happening)

    def at(self, moment: datetime, keep: Callable[[], object]) -> None:
        """Do something at a moment, from the thread of the events."""
        self._queue.put(_Appointment(moment, next(self._number), keep))

    def close(self) -> None:
        """Stop at once; what has not been told yet is dropped. Idempotent."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(TIMEOUT + 1)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._closing.is_set():
                try:
                    item = self._queue.get(timeout=PAUSE if self._appointments or self._aside else None)
                except queue.Empty:
                    self._tell_those_aside(session)
                else:
                    self._take(session, item)
                while self._appointments and self._appointments[0].moment <= self._clock():
                    heapq.heappop(self._appointments).keep()

    def _take(self, session: requests.Session, item: list[Message] | Happening | _Appointment | None) -> None:
        if isinstance(item, _Appointment):
            heapq.heappush(self._appointments, item)
        elif item is not None:
            for body in _events(item):
                if self._closing.is_set():
                    return
                event = _Event(body, str(uuid.uuid4()))
                if self._faults.on:
                    self._tell_as_faults_say(session, event)
                else:
                    self._post(session, event)

    def _tell_as_faults_say(self, session: requests.Session, event: _Event) -> None:
        telling = self._faults.telling()
        for _ in range(telling.times):
            if telling.late:
                moment = self._clock() + timedelta(seconds=telling.late)
                self._take(session, _Appointment(moment, next(self._number), lambda: self._post(session, event)))
            elif telling.reordered:
                self._aside.append(event)
            else:
                self._post(session, event)
        if len(self._aside) >= ASIDE:
            self._tell_those_aside(session)

    def _tell_those_aside(self, session: requests.Session) -> None:
        aside, self._aside = self._aside, []
        for index in self._faults.disorder(len(aside)):
            if not self._closing.is_set():
                self._post(session, aside[index])

    def _post(self, session: requests.Session, told_event: _Event) -> None:
        event = told_event.body
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Postmark",
            "X-PM-Webhook-Trace-Id": told_event.trace,
            "X-PM-Retries-Remaining": "0",
        }
        try:
            answer = session.post(self._url, data=orjson.dumps(event), headers=headers, timeout=TIMEOUT)
            told = answer.status_code == 200
        except requests.RequestException as error:
            # The error's own text may hold the URL, and with it a password.
            _log.warning("the webhook was not told of a %s: %s", event["RecordType"], type(error).__name__)
        else:
            if not told:
                _log.warning("the webhook answered %d to a %s", answer.status_code, event["RecordType"])


def _events(item: list[Message] | Happening) -> Iterator[Json]:
    if isinstance(item, list):
        for message in item:
            fields = message.fields()
            for happening in at_once(message):
                yield events.posted(happening, fields)
        return
    about = item.cause if isinstance(item, SubscriptionChange) else item.message
    yield events.posted(item, about.fields() if about else {})

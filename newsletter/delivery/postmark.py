"""How does Postmark carry a letter? Stored once as a template, then a few hundred bytes a reader.

Promises: one POST per batch (per part of one, where whole bodies have to go), never repeated; what is not certainly
accepted, refused or not sent is unknown. Where the letter cannot be a template, or Postmark will not store it, whole
bodies go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import orjson

from newsletter.delivery import postmark_answers as answers
from newsletter.delivery import postmark_message, postmark_returned, postmark_suppressions
from newsletter.delivery.postmark_client import AnswerLost, Clients, ErrorAnswer, NotReached
from newsletter.delivery.postmark_message import MAX_BATCH, PROBE, Writer, body_writer, cut, template_writer
from newsletter.delivery.postmark_template import NotStored, Shelf
from newsletter.delivery.provider import CannotAsk, Envelope, Listed, NotSent, Outcome, Refused, Shown, Unknown
from newsletter.message import Letter, Recipient

PAGE = 500  # messages, the most that one search answers
SEARCH_WINDOW = 10_000  # messages; beyond it the search answers with an error, or with the same page for ever
MOST_PAGES = SEARCH_WINDOW // PAGE
STATUSES = (None, "queued")  # what is searched for: what Postmark shows by itself, and what it has taken and holds back


class PostmarkProvider:
    """Postmark through postmarker. `timeout` is in seconds, for one call in all.

    Raises ValueError for a token that cannot be one. `today` is the clock for templates' dates.
    """

    name = "postmark"
    max_batch = MAX_BATCH
    keeps_list = True
    keeps_history = True

    def __init__(
        self,
        token: str,
        api_url: str = "https://api.postmarkapp.com/",
        timeout: float = 60.0,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._api_url = api_url
        self.account = sha256(f"{api_url} {token}".encode()).hexdigest()[:16]
        self._clients = Clients(token, api_url, timeout)
        self._shelf = Shelf(self._clients, today)

    def __repr__(self) -> str:
        return f"PostmarkProvider({self._api_url!r})"

    def send(self, letter: Letter, envelope: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        """Send one batch; see Provider.send."""
        if not recipients:
            return []
        try:
            shared = postmark_message.common(letter, envelope, batch)
            stored = self._shelf.store(letter)
        except ValueError as error:
            return [NotSent(f"the letter cannot be sent: {error}", lasting=True)] * len(recipients)
        except NotStored as error:
            return [error.outcome] * len(recipients)
        outcomes: list[Outcome | None] = [None] * len(recipients)
        everyone = list(range(len(recipients)))
        if stored:
            write = template_writer(letter, shared)
            gone = self._post("/email/batchWithTemplates", write, recipients, everyone, outcomes)
            if not gone:
                return _settled(outcomes)
            # Somebody has removed the template meanwhile. These were refused for it, so they may go whole.
            self._shelf.forget(letter)
            everyone = gone
        self._post("/email/batch", body_writer(letter, shared), recipients, everyone, outcomes)
        return _settled(outcomes)

    def find(self, envelope: Envelope, batch: str) -> Mapping[str, str]:
        """Row -> MessageID from Postmark's search, all pages; see Provider.find.

        An account under review takes messages and holds them back; those show only to whoever asks for queued ones.
        """
        rows: dict[str, str] = {}
        for status in STATUSES:
            for row, message_id in self._search(envelope.stream, batch, status):
                # Two messages for one row are Postmark's double: the same one of them is named each time.
                rows[row] = min(message_id, rows.get(row, message_id))
        return rows

    def probe(self, envelope: Envelope, batch: str) -> None:
        """Send a message to Postmark's black hole, findable as the row "probe"; see Provider.probe."""
        try:
            message = postmark_message.probe(envelope, batch)
        except ValueError as error:
            raise CannotAsk(str(error)) from None
        answer = self._ask("POST", "/email", data=message)
        if not isinstance(answer, dict) or not answer.get("MessageID"):
            raise CannotAsk("Postmark answered the probe without a MessageID")

    def probe_is_visible(self, envelope: Envelope, batch: str) -> bool:
        """Whether the search shows the probe; see Provider.probe_is_visible."""
        return PROBE in self.find(envelope, batch)

    def listed(self, stream: str) -> Iterator[Listed]:
        """A stream's suppressions, all in one answer; see Provider.listed."""
        try:
            answer = self._ask("GET", f"/message-streams/{quote(stream, safe='')}/suppressions/dump")
            return iter(postmark_suppressions.read(answer, stream))
        except CannotAsk as error:
            raise CannotAsk(f"the suppressions of the stream {stream}: {error}") from None
        except ValueError as error:
            raise CannotAsk(f"the suppressions of the stream {stream} cannot be read: {error}") from None

    def returned(self, stream: str, since: datetime, until: datetime) -> Iterator[Shown]:
        """A stream's bounces and complaints, as Postmark lists them, the oldest days first; see Provider.returned."""
        return postmark_returned.between(self._ask, stream, since, until)

    def kept_out(self, stream: str, since: datetime) -> Iterator[Shown]:
        """A stream's suppressions since a moment, as they are dumped; see Provider.kept_out."""
        return postmark_returned.suppressed(self._ask, stream, since)

    def history(self, message_id: str) -> Shown | None:
        """A message's details, with its letter and its `MessageEvents`; see Provider.history."""
        return postmark_returned.details(self._ask, message_id)

    def tidy(self, before: date) -> int:
        """Remove the letters that were stored before a day; see Provider.tidy.

        Postmark keeps 100 templates a server. A letter that is still in use is stored again when it is next sent.
        """
        return self._shelf.discard(before)

    def close(self) -> None:
        """Close every thread's connections. Idempotent."""
        self._clients.close()

    def _ask(self, method: str, endpoint: str, data: object = None, missing: int | None = None, **query: object) -> Any:
        """Ask; None where Postmark says, by the code `missing`, that it has no such thing. Raises CannotAsk."""
        try:
            return self._clients.mine().call(method, endpoint, data=data, **query)
        except ErrorAnswer as error:
            if missing is not None and (error.status, error.code) == (422, missing):
                return None
            raise CannotAsk(answers.explain(error)) from None
        except (NotReached, AnswerLost) as error:
            raise CannotAsk(f"Postmark could not be asked: {error}") from None

    def _search(self, stream: str, batch: str, status: str | None) -> Iterator[tuple[str, str]]:
        """(row, MessageID) of what the search shows of a batch. Raises CannotAsk where that is not certainly all."""
        only: dict[str, Any] = {} if status is None else {"status": status}
        offset = 0
        for _ in range(MOST_PAGES):
            page = self._ask(
                "GET",
                "/messages/outbound",
                count=PAGE,
                offset=offset,
                # Without the stream Postmark searches its transactional one and finds nothing of an issue.
                messagestream=stream,
                metadata_batch=batch,
                **only,
            )
            try:
                total, found = answers.read_search(page, batch)
            except ValueError as error:
                raise CannotAsk(f"Postmark's search answered in a form we cannot read: {error}") from None
            yield from found
            offset += len(page["Messages"])
            if offset >= total:
                return
            if not page["Messages"]:
                raise CannotAsk(f"Postmark's search counts {total} messages and shows {offset}")
        raise CannotAsk("Postmark shows more messages under one batch key than can be listed")

    def _post(
        self,
        endpoint: str,
        write: Writer,
        recipients: Sequence[Recipient],
        which: Iterable[int],
        outcomes: list[Outcome | None],
    ) -> list[int]:
        """Write and send the messages of some recipients, filling in their outcomes.

        Returns those who were refused because the template is gone, and may be sent to in another way.
        """
        gone: list[int] = []
        stopped: NotSent | None = None
        for part in cut(_written(write, recipients, which, outcomes)):
            if stopped is None:
                verdicts = self._call_once(endpoint, [message for _, message in part])
                stopped = answers.stops_the_rest(verdicts)
            else:
                verdicts = [answers.Verdict(stopped)] * len(part)
            for (number, _), verdict in zip(part, verdicts, strict=True):
                outcomes[number] = verdict.outcome
                if verdict.code == answers.TEMPLATE_NOT_FOUND:
                    gone.append(number)
        if stopped is None:
            return gone
        for number in gone:
            outcomes[number] = stopped
        return []

    def _call_once(self, endpoint: str, messages: list[bytes]) -> list[answers.Verdict]:
        """Make one call: a verdict each."""
        # Not `client.emails.send_batch`: it adds an empty list of attachments to each message and takes headers
        # as a dict only. `client.call` is the same road, and the bytes that were counted are the bytes that go.
        written = [orjson.Fragment(message) for message in messages]
        data: object = {"Messages": written} if endpoint.endswith("Templates") else written
        outcome: Outcome
        try:
            return answers.read(self._clients.mine().call("POST", endpoint, data=data), len(messages))
        except NotReached as error:
            outcome = NotSent(answers.explain_unreached(error))
        except ErrorAnswer as error:
            if (error.status, error.code) == (422, answers.TEMPLATE_NOT_FOUND):
                refused = Refused(answers.explain(error), passing=True)
                return [answers.Verdict(refused, error.code)] * len(messages)
            outcome = answers.outcome_of(error)
        except AnswerLost as error:
            outcome = Unknown(f"no answer of Postmark's: {error}")
        return [answers.Verdict(outcome)] * len(messages)


def _written(
    write: Writer, recipients: Sequence[Recipient], which: Iterable[int], outcomes: list[Outcome | None]
) -> Iterator[tuple[int, bytes]]:
    """Each recipient's number and message; one that cannot be written is refused alone."""
    for number in which:
        try:
            yield number, write(recipients[number])
        except KeyError as error:
            outcomes[number] = Refused(f"no value for the merge field {error}")
        except (ValueError, TypeError) as error:  # TypeError: orjson, of text that is no Unicode
            outcomes[number] = Refused(f"cannot be written: {error}")


def _settled(outcomes: list[Outcome | None]) -> list[Outcome]:
    return [outcome or Unknown("never asked") for outcome in outcomes]

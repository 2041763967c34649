"""How does Postmark carry a letter? Stored once as a template, then a few hundred bytes a reader.

Promises: one POST per batch (per part of one, where whole bodies have to go), never repeated; what is not certainly
accepted or refused is unknown. Where the letter cannot be a template, or Postmark will not store it, whole bodies go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import orjson

from newsletter.delivery import postmark_answers as answers
from newsletter.delivery import postmark_message, postmark_suppressions
from newsletter.delivery.postmark_client import AnswerLost, Clients, ErrorAnswer, NotReached
from newsletter.delivery.postmark_message import MAX_BATCH, PROBE, Writer, body_writer, cut, template_writer
from newsletter.delivery.postmark_template import Shelf
from newsletter.delivery.provider import (
    CannotAsk,
    Envelope,
    Listed,
    NothingSent,
    NotSent,
    Outcome,
    Refused,
    Unknown,
)
from newsletter.message import Letter, Recipient

PAGE = 500  # messages, the most that one search answers
SEARCH_WINDOW = 10_000  # messages; beyond it the search answers with an error, or with the same page for ever


class PostmarkProvider:
    """Postmark through postmarker. `timeout` is in seconds, for one call's answer.

    Raises ValueError for a token that cannot be one. `today` is the clock for templates' dates.
    """

    name = "postmark"
    max_batch = MAX_BATCH
    keeps_list = True

    def __init__(
        self,
        token: str,
        api_url: str = "https://api.postmarkapp.com/",
        timeout: float = 60.0,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._api_url = api_url
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
        except ValueError as error:
            raise NothingSent(f"the letter cannot be sent: {error}") from None
        outcomes: list[Outcome | None] = [None] * len(recipients)
        everyone = list(range(len(recipients)))
        if self._shelf.store(letter):
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
        """Row -> MessageID from Postmark's search, all pages; see Provider.find."""
        rows: dict[str, str] = {}
        offset = 0
        while True:
            page = self._ask(
                "GET",
                "/messages/outbound",
                count=PAGE,
                offset=offset,
                # Without the stream Postmark searches its transactional one and finds nothing of an issue.
                messagestream=envelope.stream,
                metadata_batch=batch,
            )
            try:
                total, messages = int(page["TotalCount"]), list(page["Messages"])
                for message in messages:
                    metadata = message.get("Metadata") or {}
                    # Compared again: a search that overlooks the filter must not pass others' mail off as ours.
                    if metadata.get("batch") == batch and metadata.get("row"):
                        rows.setdefault(metadata["row"], message["MessageID"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise CannotAsk(f"Postmark's search answered in a form we cannot read: {error!r}") from None
            offset += len(messages)
            if offset >= total or not messages:
                return rows
            if offset >= SEARCH_WINDOW:
                raise CannotAsk(f"Postmark shows {total} messages under one batch key, more than can be listed")

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

    def tidy(self, before: date) -> int:
        """Remove the letters that were stored before a day; see Provider.tidy.

        Postmark keeps 100 templates a server. A letter that is still in use is stored again when it is next sent.
        """
        return self._shelf.discard(before)

    def close(self) -> None:
        """Close every thread's connections. Idempotent."""
        self._clients.close()

    def _ask(self, method: str, endpoint: str, data: object = None, **query: object) -> Any:
        try:
            return self._clients.mine().call(method, endpoint, data=data, **query)
        except ErrorAnswer as error:
            raise CannotAsk(answers.explain(error)) from None
        except (NotReached, AnswerLost) as error:
            raise CannotAsk(f"Postmark could not be asked: {error}") from None

    def _post(
        self,
        endpoint: str,
        write: Writer,
        recipients: Sequence[Recipient],
        which: Iterable[int],
        outcomes: list[Outcome | None],
    ) -> list[int]:
        """Write and send the messages of some recipients, filling in their outcomes.

        Returns those who were refused because the template is gone. Raises NothingSent while nothing has been
        sent; later such a trouble makes the rest NotSent, so that the outcomes before it are kept.
        """
        gone: list[int] = []
        stopped: str | None = None
        asked = any(outcome is not None for outcome in outcomes)
        for part in cut(_written(write, recipients, which, outcomes)):
            numbers = [number for number, _ in part]
            if stopped is None:
                verdicts = self._call_once(endpoint, [message for _, message in part])
                stopped = verdicts if isinstance(verdicts, str) else answers.stops_everything(verdicts)
                if stopped is not None and not asked:
                    raise NothingSent(stopped)
                asked = True
                if not isinstance(verdicts, str):
                    for number, verdict in zip(numbers, verdicts, strict=True):
                        outcomes[number] = verdict.outcome
                        if verdict.code == answers.TEMPLATE_NOT_FOUND:
                            gone.append(number)
                    continue
            for number in numbers:
                outcomes[number] = NotSent(stopped or "")
        return gone

    def _call_once(self, endpoint: str, messages: list[bytes]) -> list[answers.Verdict] | str:
        """Make one call: a verdict each, or the reason why certainly nothing was sent."""
        # Not `client.emails.send_batch`: it adds an empty list of attachments to each message and takes headers
        # as a dict only. `client.call` is the same road, and the bytes that were counted are the bytes that go.
        written = [orjson.Fragment(message) for message in messages]
        data: object = {"Messages": written} if endpoint.endswith("Templates") else written
        try:
            answer = self._clients.mine().call("POST", endpoint, data=data)
        except NotReached as error:
            return answers.explain_unreached(error)
        except ErrorAnswer as error:
            if (error.status, error.code) == (422, answers.TEMPLATE_NOT_FOUND):
                refused = Refused(answers.explain(error), passing=True)
                return [answers.Verdict(refused, error.code)] * len(messages)
            if answers.certainly_not_sent(error):
                return answers.explain(error)
            unknown = Unknown(f"Postmark answered {error}")
        except Exception as error:  # noqa: BLE001  whatever went wrong, the messages may have left
            unknown = Unknown(f"no answer of Postmark's: {error}")
        else:
            return answers.read(answer, len(messages))
        return [answers.Verdict(unknown)] * len(messages)


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

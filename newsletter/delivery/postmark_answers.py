"""What does an answer of Postmark's mean for a batch? One table, with a reason at each odd row.

Pure. Promises: a message with a MessageID is accepted, whatever else is said about it; only what was certainly
refused is called refused; everything else is unknown. A code that is not in the table is no error.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from newsletter.delivery import wire
from newsletter.delivery.postmark_client import ErrorAnswer, NotReached
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown, spoken

INVALID_MESSAGE = 300
INACTIVE_RECIPIENT = 406
TEMPLATE_NOT_FOUND = 1101
LONGEST_REST = 15 * 60.0  # seconds; whoever asks for more is asked again after so long

ADVICE = {
    10: "check NEWSLETTER_POSTMARK_SERVER_TOKEN",
    400: "NEWSLETTER_FROM has no sender signature at Postmark; add it there",
    401: "the sender signature of NEWSLETTER_FROM is not confirmed; follow the link in Postmark's mail",
    402: "Postmark could not read our request; report this as a bug",
    403: "Postmark could not read our request; report this as a bug",
    405: "the Postmark account may not send just now; look at its credits and its status",
    409: "Postmark could not read our request; report this as a bug",
    410: "more messages in one call than Postmark takes; report this as a bug",
    412: "the Postmark account awaits approval and may write to its own domain only; ask Postmark",
    413: "the Postmark account may not send; ask Postmark",
    422: "the Postmark server or account is not valid; check NEWSLETTER_POSTMARK_SERVER_TOKEN",
    1226: "check NEWSLETTER_POSTMARK_STREAM and NEWSLETTER_POSTMARK_TRANSACTIONAL_STREAM",
    1235: "check NEWSLETTER_POSTMARK_STREAM",
    1236: "the message stream cannot send; check NEWSLETTER_POSTMARK_STREAM",
    1238: "Postmark owns List-Unsubscribe on this stream; set NEWSLETTER_UNSUBSCRIBE=provider or ask Postmark",
    1480: "this machine's address is not on the Postmark server's list of allowed ones",
}
"""Postmark's ErrorCode -> what to do. Each would meet every other batch as well, until somebody has mended it."""

ONE_MESSAGE_MAY_BE_ODD = (402, 403, 409, 410)
"""Codes that, given for one message, may be about something that only this message holds."""

STATUS_ADVICE = {
    401: "check NEWSLETTER_POSTMARK_SERVER_TOKEN",
    403: "something on the way to Postmark turned us away; check the network and Postmark's status page",
    404: "check NEWSLETTER_POSTMARK_API_URL",
    413: "the request was larger than Postmark takes; report this as a bug",
    415: "Postmark did not take our request's headers; report this as a bug",
}
"""HTTP status -> what to do, where the status alone proves that nothing was sent.

Not 408 or 429: whether part of a batch may have been taken is nowhere written. Not 5xx: Postmark says of its own 500
that the message is *usually* lost. Not 3xx: whoever answers so may have passed the request on.
"""

LASTING_STATUSES = (401, 413, 415)
"""Of these, those that only a person can mend. A 403 or 404 without Postmark's code is some proxy's or firewall's."""

_MESSAGE_ID = re.compile(r"[!-~]{1,200}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_NAMES_THE_READER = re.compile(r"'to'|inactive", re.IGNORECASE)
_NAMES_OUR_PART = re.compile(r"'?\b(from|reply-?to|metadata|headers?|subject|body|attachments?)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """One message's outcome, and the ErrorCode that led to it (None, or 0, where there was no error)."""

    outcome: Outcome
    code: int | None = None


def read(answer: object, expected: int) -> list[Verdict]:
    """Read the JSON of an HTTP 200 to a batch of `expected` messages: a verdict each, in order."""
    if not isinstance(answer, list) or len(answer) != expected:
        # Even where items name MessageIDs: which item is whose can only be guessed, and the search knows.
        shape = f"{len(answer)} items" if isinstance(answer, list) else f"a {type(answer).__name__}"
        return [Verdict(Unknown(f"Postmark answered {expected} messages with {shape}"))] * expected
    return _each_its_own(_account_trouble([_read_item(item) for item in answer]))


def stops_the_rest(verdicts: list[Verdict]) -> NotSent | None:
    """What becomes of the parts of a batch that have not been sent yet; None where they may go.

    Not after a lost answer: it says nothing of the next. But whoever wants to be left alone is.
    """
    outcomes = [verdict.outcome for verdict in verdicts]
    not_sent = [outcome for outcome in outcomes if isinstance(outcome, NotSent)]
    busy = [outcome for outcome in outcomes if isinstance(outcome, Unknown) and outcome.rest is not None]
    if not_sent:
        return not_sent[0]
    return NotSent(busy[0].reason, rest=busy[0].rest) if busy else None


def read_search(answer: object, batch: str) -> tuple[int, list[tuple[str, str]]]:
    """Read one page of a search: how many messages there are in all, and (row, MessageID) of this batch's on the page.

    Raises ValueError, naming nobody, for what is not in the form that we know.
    """
    total, messages = (answer.get("TotalCount"), answer.get("Messages")) if isinstance(answer, dict) else (None, None)
    if type(total) is not int or not isinstance(messages, list):
        raise ValueError("there is no list of messages with its count in it")
    found = []
    for number, message in enumerate(messages):
        metadata = (message.get("Metadata") or {}) if isinstance(message, dict) else None
        if not isinstance(metadata, dict):
            raise ValueError(f"message {number} is none")  # noqa: TRY004
        # Compared again: a search that overlooks the filter must not pass others' mail off as ours.
        if metadata.get("batch") == batch:
            row, known = metadata.get("row"), message_id(message.get("MessageID"))
            if not isinstance(row, str) or known is None:
                raise ValueError(f"message {number} has no row or no MessageID")
            found.append((wire.key("a row", row), known))
    return total, found


def message_id(value: object) -> str | None:
    """A MessageID that can be one and can be stored; None for anything else."""
    return value if isinstance(value, str) and _MESSAGE_ID.fullmatch(value) else None


def outcome_of(error: ErrorAnswer) -> NotSent | Unknown:
    """What an error answer to a whole request means for each of its messages."""
    # 422 (and 400, 405) are Postmark's refusals only when they carry its code; without, something else has spoken.
    if error.status in STATUS_ADVICE or (error.status in (400, 405, 422) and bool(error.code)):
        return NotSent(explain(error), lasting=lasting(error))
    return Unknown(f"Postmark answered {error}", rest(error))


def lasting(error: ErrorAnswer) -> bool:
    """Whether only a person can mend what this answer complains of."""
    return error.status in LASTING_STATUSES or _advice_by_code(error) is not None


def rest(error: ErrorAnswer) -> float | None:
    """Seconds for which Postmark wants to be left alone, as in Unknown. 0.0 also where what it says cannot be read."""
    if error.status not in (408, 429) and not 500 <= error.status < 600:
        return None
    if _SECONDS.fullmatch(error.retry_after):
        return min(float(error.retry_after), LONGEST_REST)
    try:
        # Both by the clock of the one who answers; ours may be wrong.
        pause = parsedate_to_datetime(error.retry_after) - parsedate_to_datetime(error.date)
    except (ValueError, TypeError, OverflowError):  # TypeError: one of them says its time zone and one does not
        return 0.0
    return min(max(pause.total_seconds(), 0.0), LONGEST_REST)


def explain(error: ErrorAnswer) -> str:
    """One line: Postmark's words and what to do about it."""
    advice = _advice_by_code(error) or STATUS_ADVICE.get(error.status)
    return f"Postmark refused the request ({error})" + (f": {advice}" if advice else "")


def explain_unreached(error: NotReached) -> str:
    """One line on a connection that was never made."""
    return f"Postmark cannot be reached: check the network and NEWSLETTER_POSTMARK_API_URL ({error})"


def _advice_by_code(error: ErrorAnswer) -> str | None:
    # Postmark gives its codes with 401, 415 and 422; other 4xx with one of them are no less its own words.
    refused = 400 <= error.status < 500 and error.status not in (408, 429)
    return ADVICE.get(error.code) if refused and error.code is not None else None


def _account_trouble(verdicts: list[Verdict]) -> list[Verdict]:
    """Those whose refusal is about us and not about them become NotSent, lasting.

    Whether such codes come for the whole request or item by item is not documented for all of them; and the credits may
    be used up in the midst of a batch.
    """
    alike = len(verdicts) > 1 and len({verdict.code for verdict in verdicts}) == 1
    found = []
    for verdict in verdicts:
        outcome, advice = verdict.outcome, ADVICE.get(verdict.code or 0)
        if isinstance(outcome, Refused) and advice and (alike or verdict.code not in ONE_MESSAGE_MAY_BE_ODD):
            ours = NotSent(f"Postmark refused the message ({outcome.reason}): {advice}", lasting=True)
            found.append(replace(verdict, outcome=ours))
        else:
            found.append(verdict)
    return found


def _each_its_own(verdicts: list[Verdict]) -> list[Verdict]:
    """A MessageID that stands twice in one answer belongs to nobody: whose it is can only be guessed."""
    ids = Counter(verdict.outcome.message_id for verdict in verdicts if isinstance(verdict.outcome, Accepted))
    if len(ids) == sum(ids.values()):
        return verdicts
    doubt = Verdict(Unknown("Postmark gave one MessageID to several messages"))
    return [
        doubt if isinstance(verdict.outcome, Accepted) and ids[verdict.outcome.message_id] > 1 else verdict
        for verdict in verdicts
    ]


def _read_item(item: object) -> Verdict:
    if not isinstance(item, dict):
        return Verdict(Unknown("Postmark answered one message with something that is no object"))
    found, code = message_id(item.get("MessageID")), item.get("ErrorCode")
    if found is not None:
        # Also without ErrorCode: so it answers when it has taken the message but delivery may be delayed.
        return Verdict(Accepted(found), 0)
    if item.get("MessageID") is not None:
        # A refusal has none. Whoever writes something there may have taken the message, whatever the code says.
        return Verdict(Unknown("Postmark gave one message an id that cannot be one"))
    if type(code) is not int or code == 0:
        return Verdict(Unknown("Postmark gave one message neither an id nor an error"))
    words = spoken(item.get("Message"))
    reason = f"Postmark, code {code}: {words}"
    if code == 101:
        # "Unexpected error", of which Postmark says that the message is usually lost. Usually is not always.
        return Verdict(Unknown(reason, rest=0.0), code)
    return Verdict(Refused(reason, passing=not _is_final(code, words)), code)


def _is_final(code: int, words: str) -> bool:
    """Whether another try is useless: the reader's address is at fault, not our settings or program."""
    if code == INACTIVE_RECIPIENT:
        return True
    if code == INVALID_MESSAGE:
        # Most often the address; but the same code is given for our From or metadata, and those we can mend.
        return bool(_NAMES_THE_READER.search(words)) or not _NAMES_OUR_PART.search(words)
    return False

"""What does an answer of Postmark's mean for a batch? One table, with a reason at each odd row.

Pure. Promises: a message with a MessageID is accepted, whatever else is said about it; only what was certainly
refused is called refused; everything else is unknown. A code that is not in the table is no error.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from newsletter.delivery.postmark_client import ErrorAnswer, NotReached
from newsletter.delivery.provider import Accepted, Outcome, Refused, Unknown

INVALID_MESSAGE = 300
INACTIVE_RECIPIENT = 406
TEMPLATE_NOT_FOUND = 1101

ADVICE = {
    10: "check NEWSLETTER_POSTMARK_SERVER_TOKEN",
    400: "NEWSLETTER_FROM has no sender signature at Postmark; add it there",
    401: "the sender signature of NEWSLETTER_FROM is not confirmed; follow the link in Postmark's mail",
    402: "Postmark could not read our request; report this as a bug",
    403: "Postmark could not read our request; report this as a bug",
    405: "the Postmark account may not send just now; look at its credits and its status",
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
"""Postmark's ErrorCode -> what to do. As the answer to a whole request each would stop every other batch as well."""

ONE_MESSAGE_MAY_BE_ODD = (402, 403, 410)
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
    return [_read_item(item) for item in answer]


def certainly_not_sent(error: ErrorAnswer) -> bool:
    """Whether an error answer proves that nothing of the request was taken."""
    # 422 (and 400, 405) are Postmark's refusals only when they carry its code; without, something else has spoken.
    return error.status in STATUS_ADVICE or (error.status in (400, 405, 422) and bool(error.code))


def explain(error: ErrorAnswer) -> str:
    """One line: Postmark's words and what to do about it."""
    by_code = ADVICE.get(error.code) if error.status in (401, 422) and error.code is not None else None
    advice = by_code or STATUS_ADVICE.get(error.status)
    return f"Postmark refused the request ({error})" + (f": {advice}" if advice else "")


def explain_unreached(error: NotReached) -> str:
    """One line on a connection that was never made."""
    return f"Postmark cannot be reached: check the network and NEWSLETTER_POSTMARK_API_URL ({error})"


def stops_everything(verdicts: Iterable[Verdict]) -> str | None:
    """The reason, where every message was refused with one code that would stop every other batch as well.

    Whether such codes come for the whole request or item by item is not documented for all of them.
    """
    found = list(verdicts)
    codes = {verdict.code for verdict in found if isinstance(verdict.outcome, Refused)}
    if len(codes) == 1 and all(isinstance(verdict.outcome, Refused) for verdict in found):
        outcome, advice = found[0].outcome, ADVICE.get(codes.pop() or 0)
        if advice and isinstance(outcome, Refused) and found[0].code not in ONE_MESSAGE_MAY_BE_ODD:
            return f"Postmark refused every message ({outcome.reason}): {advice}"
    return None


def _read_item(item: object) -> Verdict:
    if not isinstance(item, dict):
        return Verdict(Unknown("Postmark answered one message with something that is no object"))
    message_id, code = item.get("MessageID"), item.get("ErrorCode")
    if isinstance(message_id, str) and message_id:
        # Also without ErrorCode: so it answers when it has taken the message but delivery may be delayed.
        return Verdict(Accepted(message_id), 0)
    if type(code) is not int or code == 0:
        return Verdict(Unknown("Postmark gave one message neither an id nor an error"))
    words = " ".join(str(item.get("Message", "")).split())
    reason = f"Postmark, code {code}: {words}"
    if code == 101:
        # "Unexpected error", of which Postmark says that the message is usually lost. Usually is not always.
        return Verdict(Unknown(reason), code)
    return Verdict(Refused(reason, passing=not _is_final(code, words)), code)


def _is_final(code: int, words: str) -> bool:
    """Whether another try is useless: the reader's address is at fault, not our settings or program."""
    if code == INACTIVE_RECIPIENT:
        return True
    if code == INVALID_MESSAGE:
        # Most often the address; but the same code is given for our From or metadata, and those we can mend.
        return bool(_NAMES_THE_READER.search(words)) or not _NAMES_OUR_PART.search(words)
    return False

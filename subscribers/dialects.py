"""Which column of a CSV file means what? The exports of seven services, our own, and plain files.

Pure. Whose export a file is, its header says; docs/importing.md has the table, with where each was looked up. Where
a column or a word could mean two things, the less willing one counts, or the row is refused: nobody becomes active by
a guess.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

FIELDS: Final = {
    "email": "the address",
    "status": "whether they get letters",
    "source": "where they agreed",
    "consented_at": "when they agreed",
    "since": "since when they have that status",
    "network": "the IP address from which they agreed",
    "muted_categories": "categories that they do not want",
    "paused_until": "when a rest ends",
    "suppressed_for": "why they must not be written to",
    "language": "the language that they read",
}
"""What is read of a row."""

IGNORE: Final = "ignore"

OURS: Final = tuple(FIELDS)
"""The columns of our own export, in order."""

REJECTS: Final = ("line", "reason")
"""The columns that a file of rejected rows has behind those of the file that they come from."""


@dataclass(frozen=True)
class Standing:
    """How somebody stands: a status, and of the suppressed why."""

    status: str
    suppressed_for: str | None = None

    @property
    def is_a_wish(self) -> bool:
        """Whether it says that the reader wants no more letters, and not only what became of their mail."""
        return self in (LEFT, COMPLAINED)


PENDING: Final = Standing("pending")
ACTIVE: Final = Standing("active")
PAUSED: Final = Standing("paused")
LEFT: Final = Standing("unsubscribed")
BARRED: Final = Standing("suppressed", "manual")
BOUNCED: Final = Standing("suppressed", "hard_bounce")
COMPLAINED: Final = Standing("suppressed", "complaint")

UNWILLING: Final = ("suppressed", "unsubscribed", "paused", "pending", "active")
"""The least willing first: of two things that a row says of a reader, the first counts."""

WORDS: Final = {
    "pending": PENDING,
    "unconfirmed": PENDING,
    "active": ACTIVE,
    "subscribed": ACTIVE,
    "confirmed": ACTIVE,
    "enabled": ACTIVE,
    "paused": PAUSED,
    "unsubscribed": LEFT,
    "cancelled": LEFT,
    "canceled": LEFT,
    "disabled": LEFT,
    "suppressed": BARRED,
    "blocklisted": BARRED,
    "blacklisted": BARRED,
    "cleaned": BOUNCED,
    "bounced": BOUNCED,
    "undeliverable": BOUNCED,
    "complained": COMPLAINED,
}
"""Words that mean the same wherever they stand. Any other word refuses the row."""

FILLED: Final = "filled"


@dataclass(frozen=True)
class Sign:
    """A column that tells that somebody does not get letters: when it is `filled`, `true` or `false`."""

    column: str
    when: str
    standing: Standing


@dataclass(frozen=True)
class Dialect:
    """One service's way to write its readers down. Column names in lower case."""

    name: str
    marks: Sequence[frozenset[str]] = ()
    """Sets of columns: a header that has all of one set is this service's."""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Field -> columns; the first that is not empty counts."""
    signs: Sequence[Sign] = ()
    words: Mapping[str, Standing] = field(default_factory=dict)
    """What its words for a status mean, where `WORDS` does not say it."""
    says_status: bool = False
    """Whether a reader without a status is a mistake in the file, not one who is active."""


def _marks(*sets: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(each.split(", ")) for each in sets)


EMAIL: Final = ("email", "email address", "email_address", "e-mail", "e-mail address")

DIALECTS: Final = (
    Dialect("our own", _marks("email, status, since, suppressed_for, consented_at"), says_status=True),
    Dialect(
        "Mailchimp",
        _marks("email address, member_rating", "email address, optin_time", "email address, leid, euid"),
        {
            "consented_at": ("confirm_time", "optin_time"),
            "network": ("confirm_ip", "optin_ip"),
            "since": ("unsub_time", "clean_time"),
        },
        (Sign("unsub_time", FILLED, LEFT), Sign("clean_time", FILLED, BOUNCED)),
    ),
    Dialect(
        "Substack",
        _marks("email, email_disabled", "email, active_subscription", "email, stripe plan, start date"),
        {"consented_at": ("created_at", "start date")},
        # Not active_subscription, expiry and plan: they are about money.
        (Sign("email_disabled", "true", LEFT),),
    ),
    Dialect(
        "Ghost",
        _marks("email, subscribed_to_emails"),
        {"consented_at": ("created_at",)},
        (Sign("subscribed_to_emails", "false", LEFT), Sign("deleted_at", FILLED, LEFT)),
    ),
    Dialect(
        "listmonk",
        _marks("uuid, email, attributes, status"),
        {"consented_at": ("created_at",)},
        says_status=True,
    ),
    Dialect(
        "Buttondown",
        _marks(
            "email, creation_date, type", "email_address, creation_date, type", "email, creation_date, subscriber_type"
        ),
        {
            "status": ("type", "subscriber_type"),
            "consented_at": ("creation_date",),
            "network": ("ip_address",),
            "since": ("unsubscription_date", "undeliverability_date"),
        },
        (Sign("unsubscription_date", FILLED, LEFT), Sign("undeliverability_date", FILLED, BOUNCED)),
        {
            **dict.fromkeys(("regular", "premium", "trialed", "unpaid", "gifted", "churning", "churned"), ACTIVE),
            "past_due": ACTIVE,
            "paused": ACTIVE,  # the payments are, not the letters
            "unactivated": PENDING,
            "removed": LEFT,
        },
        says_status=True,
    ),
    Dialect(
        "Kit",
        _marks(
            "first_name, email, status, created_at",
            "first_name, email_address, status, created_at",
            "first_name, email_address, state, created_at",
        ),
        {"status": ("status", "state"), "consented_at": ("created_at",), "since": ("canceled_at", "cancelled_at")},
        (Sign("canceled_at", FILLED, LEFT), Sign("cancelled_at", FILLED, LEFT)),
        {"inactive": PENDING},  # has not pressed the button of the confirmation
        says_status=True,
    ),
    Dialect(
        "beehiiv",
        _marks(
            *(f"email, status, {own}" for own in ("tier", "free tier", "subscription_tier", "subscription tier")),
            *(f"email, status, {own}" for own in ("acquisition_source", "referral_code")),
        ),
        {"consented_at": ("created_at", "created at", "subscribed_at"), "since": ("unsubscribed_at",)},
        words={"inactive": LEFT, "validating": PENDING, "invalid": BOUNCED},
        says_status=True,
    ),
)

PLAIN: Final = Dialect("plain", columns={"consented_at": ("consented_at", "subscribed_at", "created_at")})

EVERYWHERE: Final = (Sign("unsubscribed_at", FILLED, LEFT),)


@dataclass(frozen=True)
class Reading:
    """How the rows of one file are read: positions of columns, counted from 0."""

    dialect: str
    columns: Mapping[str, tuple[int, ...]]
    """Field -> where it stands; the first that is not empty counts."""
    signs: tuple[tuple[int, Sign], ...]
    words: Mapping[str, Standing]
    unsaid: Standing | None
    """How somebody stands of whom the row says nothing; None refuses the row."""
    told_by_name: bool
    """Whether `unsaid` is what the file's name says."""
    not_read: tuple[str, ...]
    header: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether the file is one of our own exports, where cells that look like formulas are guarded."""
        return self.dialect == DIALECTS[0].name


def recognise(header: Sequence[str], file_name: str, mapping: Mapping[str, str]) -> Reading:
    """How a file is read that has this header line. `mapping`: a column's name -> a field or `ignore`.

    Raises ValueError with one line.
    """
    names = [name.strip("\ufeff").strip().lower() for name in header]
    given = {column.strip().lower(): wanted for column, wanted in mapping.items()}
    for column in given:
        if column not in names:
            raise ValueError(f"there is no column {column!r} to be mapped; there are: {', '.join(filter(None, names))}")
    dialect = next((one for one in DIALECTS if any(marks <= set(names) for marks in one.marks)), PLAIN)
    free = [name if name not in given else "" for name in names]

    columns: dict[str, tuple[int, ...]] = {}
    for wanted in FIELDS:
        chosen = [column for column, meaning in given.items() if meaning == wanted]
        known = dialect.columns.get(wanted, (wanted,)) if wanted != "email" else EMAIL
        where = names if chosen else free
        found = [column for column in chosen or known if column in where]
        for column in found:
            if where.count(column) > 1 and wanted != "email":
                raise ValueError(f"two columns are called {column!r}; rename one of them")
        columns[wanted] = tuple(position for column in found for position in _all(where, column))
    if len(columns["email"]) != 1:
        raise ValueError('the header line must have one column "email" (or say which is: --map "COLUMN=email")')
    signs = tuple(
        (free.index(sign.column), sign) for sign in (*dialect.signs, *EVERYWHERE) if free.count(sign.column) == 1
    )
    unsaid, told_by_name = _unsaid(dialect, names, file_name)
    read = {position for positions in columns.values() for position in positions} | {at for at, _ in signs}
    read |= {position for position, name in enumerate(names) if given.get(name) == IGNORE}
    if tuple(names[-len(REJECTS) :]) == REJECTS:
        read |= {len(names) - 1, len(names) - 2}
    return Reading(
        dialect=dialect.name,
        columns={wanted: positions for wanted, positions in columns.items() if positions},
        signs=signs,
        words={**WORDS, **dialect.words},
        unsaid=unsaid,
        told_by_name=told_by_name,
        not_read=tuple(name for position, name in enumerate(names) if name and position not in read),
        header=tuple(names),
    )


def _all(names: Sequence[str], wanted: str) -> list[int]:
    return [position for position, name in enumerate(names) if name == wanted]


def _unsaid(dialect: Dialect, names: Sequence[str], file_name: str) -> tuple[Standing | None, bool]:
    """How those stand of whom a row says nothing, and whether the file's name told it."""
    if dialect.says_status:
        return None, False
    first = (re.findall(r"[a-z]+", file_name.lower()) or [""])[0]
    if first in ("nonsubscribed", "archived"):
        raise ValueError(f"the file's name says {first}: nobody in it gets letters or agreed to; it is not imported")
    standing = WORDS.get(first, ACTIVE)
    if standing != ACTIVE:
        return standing, True
    # Mailchimp gives those who left and those who bounced a file of their own, which somebody may have renamed.
    if dialect.name == "Mailchimp" and "last_changed" not in names:
        if "unsub_time" in names:
            return LEFT, False
        if "clean_time" in names:
            return BOUNCED, False
    return ACTIVE, False

"""What does a letter to one person say? Five kinds, each with one thing to press.

Pure. Both parts of the letter, HTML and text, are printed from the same note. All texts are plain and cut to fit:
whoever prints them escapes them. Who it goes to is no part of it: the templates leave that as merge fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from newsletter.rendering.armour import isolate
from newsletter.rendering.edition import Masthead
from newsletter.rendering.excerpt import excerpt
from newsletter.rendering.page import MASTHEAD_NAME, POSTAL_ADDRESS

CONFIRM: Final = "confirm"
WELCOME: Final = "welcome"
LINK: Final = "link"
ADDRESS: Final = "address"
NOTICE: Final = "notice"

# Characters. A subject shows whole in lists of messages up to 60.
_NAME_IN_SUBJECT, _LATEST = 30, 100

# A template engine of the sender's fills these in; Markup, so that they are not escaped like texts.
_CONFIRM_URL, _PREFERENCES_URL = Markup("%%CONFIRM_URL%%"), Markup("%%PREFERENCES_URL%%")
_ADDRESS_URL, _UNSUBSCRIBE_URL = Markup("%%ADDRESS_URL%%"), Markup("%%UNSUBSCRIBE_URL%%")

FIELDS: Final = {
    CONFIRM: frozenset({"EMAIL", "CONFIRM_URL"}),
    WELCOME: frozenset({"EMAIL", "PREFERENCES_URL", "UNSUBSCRIBE_URL"}),
    LINK: frozenset({"EMAIL", "PREFERENCES_URL"}),
    ADDRESS: frozenset({"EMAIL", "ADDRESS_URL"}),
    NOTICE: frozenset({"EMAIL", "PREFERENCES_URL"}),
}
"""Kind -> the merge fields of its letter."""


@dataclass(frozen=True)
class Latest:
    """The newest issue that has gone out."""

    week: str
    """ISO week, `2026-W47`."""
    subject: str


@dataclass(frozen=True)
class Link:
    """What can be pressed, and where it leads: an address, or a merge field as Markup."""

    label: str
    url: str


@dataclass(frozen=True)
class Note:
    """A letter to one person, as it shows."""

    name: str
    subject: str
    preheader: str
    headline: str
    before: tuple[str, ...]
    """Paragraphs above the button."""
    button: Link
    after: tuple[str, ...]
    """Paragraphs below it."""
    links: tuple[Link, ...]
    """What else can be pressed."""
    because: str
    """Why it came: goes on after "This letter went to ADDRESS"."""
    postal_address: str


@dataclass(frozen=True)
class _Words:
    """What is a kind's own of a note. `subject` ends before the newsletter's name."""

    subject: str
    preheader: str
    headline: str
    before: tuple[str, ...]
    button: Link
    after: tuple[str, ...]
    because: str
    links: tuple[Link, ...] = ()


def note(kind: str, masthead: Masthead, latest: Latest | None = None) -> Note:
    """What a letter of a kind says. `latest` shows in a welcome only. Raises KeyError for an unknown kind."""
    name = excerpt(masthead.name, MASTHEAD_NAME)
    words = _KINDS[kind](isolate(name), masthead, latest)
    return Note(
        name=name,
        subject=f"{words.subject} {isolate(excerpt(masthead.name, _NAME_IN_SUBJECT))}",
        preheader=words.preheader,
        headline=words.headline,
        before=words.before,
        button=words.button,
        after=words.after,
        links=words.links,
        because=words.because,
        postal_address=excerpt(masthead.postal_address, POSTAL_ADDRESS),
    )


def _confirm(name: str, _: Masthead, __: Latest | None) -> _Words:
    return _Words(
        subject="Please confirm:",
        preheader="One button on our page, then you are on the list. Nothing happens until you press it.",
        headline="Shall we write to you once a week?",
        before=(f"Somebody asked us to send {name} to this address, once a week. If that was you, press the button.",),
        button=Link("Yes, confirm", _CONFIRM_URL),
        after=(
            "It opens a page that says the same once more, with a button of its own. Nothing is done until you press "
            "that one. The link works for seven days.",
            "If it was not you, do nothing. You get no newsletter from us, and an address that nobody confirms is "
            "forgotten after 30 days.",
        ),
        because="because somebody typed it into our sign-up form.",
    )


def _welcome(name: str, masthead: Masthead, latest: Latest | None) -> _Words:
    own_page = Link("Open your own page", _PREFERENCES_URL)
    leave = Link("Unsubscribe", _UNSUBSCRIBE_URL)
    what = (
        f"From now on {name} comes to you once a week. Each comparison puts two tools side by side, and says who of a "
        "panel of reviewers would ship them."
    )
    yours = (
        "You have a page of your own, without a password: choose categories, pause for some weeks, change your "
        "address, or leave. Every issue brings a fresh link to it."
    )
    if latest is None:
        return _Words(
            subject="Welcome to",
            preheader="You are on the list. The next issue comes by itself.",
            headline="You are on the list",
            before=(what, yours),
            button=own_page,
            after=(),
            links=(leave,),
            because="because you confirmed that you want to read us.",
        )
    return _Words(
        subject="Welcome to",
        preheader="You are on the list. Here is the latest issue, until the next one comes by itself.",
        headline="You are on the list",
        before=(what, f"Until the next one comes, here is the latest: “{isolate(excerpt(latest.subject, _LATEST))}”."),
        button=Link("Read the latest issue", masthead.links.issue(latest.week)),
        after=(yours,),
        links=(own_page, leave),
        because="because you confirmed that you want to read us.",
    )


def _link(name: str, _: Masthead, __: Latest | None) -> _Words:
    return _Words(
        subject="Your own page at",
        preheader="We know this address already. The link opens your own page; nothing has changed.",
        headline="Here is your own page",
        before=(
            f"Somebody, probably you, gave this address to {name} once more, or asked for a fresh link. We know the "
            "address already, and nothing has changed.",
        ),
        button=Link("Open your page", _PREFERENCES_URL),
        after=(
            "There you see what we hold of you, and can choose, pause, come back, leave, or have all of it forgotten.",
            "The link is a key to it and works for 60 days, so do not pass this letter on. If it was not you who "
            "asked, do nothing.",
        ),
        because="because somebody gave it to us.",
    )


def _address(name: str, _: Masthead, __: Latest | None) -> _Words:
    return _Words(
        subject="Confirm your new address:",
        preheader="One button on our page, then our letters come here. Nothing happens until you press it.",
        headline="Shall we write to you here?",
        before=(
            f"A reader of {name} asked us to send it to this address from now on. If that was you, press the button.",
        ),
        button=Link("Yes, use this address", _ADDRESS_URL),
        after=(
            "It opens a page that says the same once more, with a button of its own. Nothing is done until you press "
            "that one. The link works for one day.",
            "If it was not you, do nothing, and nothing will change.",
        ),
        because="because a reader gave it to us as their new address.",
    )


def _notice(name: str, _: Masthead, __: Latest | None) -> _Words:
    # The address that was named stands nowhere: it is not the reader's until its owner has said so.
    return _Words(
        subject="A new address was asked for:",
        preheader="Nothing has changed yet. Was it not you? Then open your own page and keep your address.",
        headline="Shall we write to you elsewhere?",
        before=(
            f"Somebody, probably you, asked us to send {name} to another address from now on. Nothing has changed yet: "
            "they have to confirm it there.",
            "Was it you? Then there is nothing to do here. Was it not you? Open your own page and press “Keep my "
            "address”.",
        ),
        button=Link("Open your own page", _PREFERENCES_URL),
        after=(
            "The link is a key to it, so do not pass this letter on. It works for 60 days, but no longer once the new "
            "address is confirmed. If that was not you, answer this letter.",
        ),
        because="because it is the address that we have of you.",
    )


_KINDS: Final[dict[str, Callable[[str, Masthead, Latest | None], _Words]]] = {
    CONFIRM: _confirm,
    WELCOME: _welcome,
    LINK: _link,
    ADDRESS: _address,
    NOTICE: _notice,
}

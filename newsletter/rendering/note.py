"""What does a letter to one person say? Six kinds, each with one thing to press.

Pure. Both parts of the letter, HTML and text, are printed from the same note, which speaks the reader's language. All
texts are plain and cut to fit: whoever prints them escapes them. Who it goes to is no part of it: the templates leave
that as merge fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from newsletter.language import Speech
from newsletter.rendering.armour import isolate
from newsletter.rendering.edition import Masthead
from newsletter.rendering.excerpt import excerpt
from newsletter.rendering.page import MASTHEAD_NAME, POSTAL_ADDRESS

CONFIRM: Final = "confirm"
WELCOME: Final = "welcome"
LINK: Final = "link"
ADDRESS: Final = "address"
NOTICE: Final = "notice"
CHANGED: Final = "changed"

# Characters. A subject shows whole in lists of messages up to 60.
_NAME_IN_SUBJECT, _LATEST, _SOCIAL = 30, 100, 40

# A template engine of the sender's fills these in; Markup, so that they are not escaped like texts.
_CONFIRM_URL, _PREFERENCES_URL = Markup("%%CONFIRM_URL%%"), Markup("%%PREFERENCES_URL%%")
_ADDRESS_URL, _UNSUBSCRIBE_URL = Markup("%%ADDRESS_URL%%"), Markup("%%UNSUBSCRIBE_URL%%")

FIELDS: Final = {
    CONFIRM: frozenset({"EMAIL", "CONFIRM_URL"}),
    WELCOME: frozenset({"EMAIL", "PREFERENCES_URL", "UNSUBSCRIBE_URL"}),
    LINK: frozenset({"EMAIL", "PREFERENCES_URL"}),
    ADDRESS: frozenset({"EMAIL", "ADDRESS_URL"}),
    NOTICE: frozenset({"EMAIL", "PREFERENCES_URL"}),
    CHANGED: frozenset({"EMAIL", "PREFERENCES_URL"}),
}
"""Kind -> the merge fields of its letter, in the order in which a reader may meet them."""

_HERE: Final = "\0"  # where the reader's address stands in a sentence, until that is cut in two


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

    language: str
    """The one that it speaks (ISO 639)."""
    direction: str
    """In which direction that is written: "ltr" or "rtl"."""
    name: str
    logo: str
    subject: str
    preheader: str
    headline: str
    before: tuple[str, ...]
    """Paragraphs above the button."""
    quoted: str | None
    """What an editor has said, below those: the subject of the latest issue."""
    quoted_language: str | None
    """That one's, where it is not the letter's."""
    button: Link
    after: tuple[str, ...]
    """Paragraphs below it."""
    links: tuple[Link, ...]
    """What else can be pressed."""
    because: tuple[str, str]
    """Why it came: a sentence, before and behind the reader's address."""
    social: tuple[Link, ...]
    """Where else we can be found."""
    postal_address: str


@dataclass(frozen=True)
class _Words:
    """What is a kind's own of a note. `because` holds the reader's address as `_HERE`."""

    subject: str
    preheader: str
    headline: str
    before: tuple[str, ...]
    button: Link
    after: tuple[str, ...]
    because: str
    links: tuple[Link, ...] = ()
    quoted: str | None = None


@dataclass(frozen=True)
class _Telling:
    """What the words of a note depend on."""

    say: Speech
    name: str
    """The newsletter's, as it stands in a sentence."""
    short: str
    """The same for a subject."""
    masthead: Masthead
    latest: Latest | None


def note(kind: str, masthead: Masthead, latest: Latest | None, say: Speech) -> Note:
    """What a letter of a kind says. `latest` shows in a welcome only. Raises KeyError for an unknown kind."""
    name = excerpt(masthead.name, MASTHEAD_NAME)
    short = isolate(excerpt(masthead.name, _NAME_IN_SUBJECT))
    words = _KINDS[kind](_Telling(say, isolate(name), short, masthead, latest))
    before, _, behind = words.because.partition(_HERE)
    return Note(
        language=say.code,
        direction=say.direction,
        name=name,
        logo=excerpt(masthead.logo or masthead.name, MASTHEAD_NAME),
        subject=words.subject,
        preheader=words.preheader,
        headline=words.headline,
        before=words.before,
        quoted=words.quoted,
        quoted_language=masthead.language if masthead.language != say.code else None,
        button=_in_language(words.button, masthead, say),
        after=words.after,
        links=tuple(_in_language(link, masthead, say) for link in words.links),
        because=(before, behind),
        social=tuple(Link(excerpt(where, _SOCIAL), url) for where, url in masthead.social),
        postal_address=excerpt(masthead.postal_address, POSTAL_ADDRESS),
    )


def _in_language(link: Link, masthead: Masthead, say: Speech) -> Link:
    """The page that speaks the letter's language; all links but those at the foot lead to ours."""
    return Link(link.label, link.url + masthead.query(say.code))


def _confirm(of: _Telling) -> _Words:
    say = of.say
    return _Words(
        subject=say("Please confirm: {name}", name=of.short),
        preheader=say("One button on our page, then you are on the list. Nothing happens until you press it."),
        headline=say("Shall we write to you once a week?"),
        before=(
            say(
                "Somebody asked us to send {name} to this address, once a week. If that was you, press the button.",
                name=of.name,
            ),
        ),
        button=Link(say("Yes, confirm"), _CONFIRM_URL),
        after=(
            say(
                "It opens a page that says the same once more, with a button of its own. Nothing is done until you "
                "press that one. The link works for seven days."
            ),
            say(
                "If it was not you, do nothing. You get no newsletter from us, and an address that nobody confirms is "
                "forgotten after 30 days."
            ),
        ),
        because=say("This letter went to {email} because somebody typed it into our sign-up form.", email=_HERE),
    )


def _welcome(of: _Telling) -> _Words:
    say = of.say
    own_page = Link(say("Open your own page"), _PREFERENCES_URL)
    leave = Link(say("Unsubscribe"), _UNSUBSCRIBE_URL)
    subject = say("Welcome to {name}", name=of.short)
    headline = say("You are on the list")
    because = say("This letter went to {email} because you confirmed that you want to read us.", email=_HERE)
    what = say(
        "{name} comes to you once a week from now on. Each comparison puts two tools side by side, and says who of a "
        "panel of reviewers would ship them.",
        name=of.name,
    )
    yours = say(
        "You have a page of your own, without a password: choose categories, pause for some weeks, change your "
        "address, or leave. Every issue brings a fresh link to it."
    )
    if of.latest is None:
        return _Words(
            subject=subject,
            preheader=say("You are on the list. The next issue comes by itself."),
            headline=headline,
            before=(what, yours),
            button=own_page,
            after=(),
            links=(leave,),
            because=because,
        )
    return _Words(
        subject=subject,
        preheader=say("You are on the list. Here is the latest issue, until the next one comes by itself."),
        headline=headline,
        before=(what, say("Until the next one comes, here is the latest:")),
        quoted=say("“{subject}”", subject=isolate(excerpt(of.latest.subject, _LATEST))),
        button=Link(say("Read the latest issue"), of.masthead.links.issue(of.latest.week)),
        after=(yours,),
        links=(own_page, leave),
        because=because,
    )


def _link(of: _Telling) -> _Words:
    say = of.say
    return _Words(
        subject=say("Your own page at {name}", name=of.short),
        preheader=say("We know this address already. The link opens your own page; nothing has changed."),
        headline=say("Here is your own page"),
        before=(
            say(
                "Somebody, probably you, gave this address to {name} once more, or asked for a fresh link. We know the "
                "address already, and nothing has changed.",
                name=of.name,
            ),
        ),
        button=Link(say("Open your own page"), _PREFERENCES_URL),
        after=(
            say(
                "There you see what we hold of you, and can choose, pause, come back, leave, or have all of it "
                "forgotten."
            ),
            say(
                "The link is a key to it and works for 60 days, so do not pass this letter on. If it was not you who "
                "asked, do nothing."
            ),
        ),
        because=say("This letter went to {email} because somebody gave it to us.", email=_HERE),
    )


def _address(of: _Telling) -> _Words:
    say = of.say
    return _Words(
        subject=say("Confirm your new address: {name}", name=of.short),
        preheader=say("One button on our page, then our letters come here. Nothing happens until you press it."),
        headline=say("Shall we write to you here?"),
        before=(
            say(
                "A reader of {name} asked us to send it to this address from now on. If that was you, press the "
                "button.",
                name=of.name,
            ),
        ),
        button=Link(say("Yes, use this address"), _ADDRESS_URL),
        after=(
            say(
                "It opens a page that says the same once more, with a button of its own. Nothing is done until you "
                "press that one. The link works for one day."
            ),
            say("If it was not you, do nothing, and nothing will change."),
        ),
        because=say("This letter went to {email} because a reader gave it to us as their new address.", email=_HERE),
    )


def _notice(of: _Telling) -> _Words:
    # The address that was named stands nowhere: it is not the reader's until its owner has said so.
    say = of.say
    return _Words(
        subject=say("A new address was asked for: {name}", name=of.short),
        preheader=say("Nothing has changed yet. Was it not you? Then open your own page and keep your address."),
        headline=say("Shall we write to you elsewhere?"),
        before=(
            say(
                "Somebody, probably you, asked us to send {name} to another address from now on. Nothing has changed "
                "yet: they have to confirm it there.",
                name=of.name,
            ),
            say(
                "Was it you? Then there is nothing to do here. Was it not you? Open your own page and press “Keep my "
                "address”."
            ),
        ),
        button=Link(say("Open your own page"), _PREFERENCES_URL),
        after=(
            say(
                "The link is a key to it, so do not pass this letter on. It works for 60 days, but no longer once the "
                "new address is confirmed. If that was not you, answer this letter."
            ),
        ),
        because=say("This letter went to {email} because it is the address that we have of you.", email=_HERE),
    )


def _changed(of: _Telling) -> _Words:
    # It goes to the address as it is now, whose owner has just pressed a button: the former one stands nowhere.
    say = of.say
    return _Words(
        subject=say("Your address was changed: {name}", name=of.short),
        preheader=say("Our letters come here from now on. Was it not you? Your own page puts that right."),
        headline=say("Your address was changed"),
        before=(
            say("{name} comes to this address from now on, and to no other.", name=of.name),
            say(
                "Links to your own page in letters from before the change do not open it any more. Here is a fresh one."
            ),
        ),
        button=Link(say("Open your own page"), _PREFERENCES_URL),
        after=(
            say("The link is a key to your own page and works for 60 days, so do not pass this letter on."),
            say(
                "Was it not you? Then somebody pressed the button in a letter to this address. Open the page to leave, "
                "to name another address or to have all of it forgotten, or answer this letter."
            ),
        ),
        because=say("This letter went to {email} because it was confirmed as a reader’s new address.", email=_HERE),
    )


_KINDS: Final[dict[str, Callable[[_Telling], _Words]]] = {
    CONFIRM: _confirm,
    WELCOME: _welcome,
    LINK: _link,
    ADDRESS: _address,
    NOTICE: _notice,
    CHANGED: _changed,
}

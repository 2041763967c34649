"""What do pages share whose address is a key? Such links stand in letters: scanners open them, readers forward them.

Promises: nobody else hears of the address; a link that is not ours changes nothing and is told so plainly.
"""

from typing import Final

from fastapi import Response

from newsletter.web.site import Site, notice

PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
"""The address of these pages is a key: nobody else is to hear of it."""


def bad_link(site: Site, *more: str) -> Response:
    """To a link that we did not make, or that was cut."""
    return notice(
        site,
        site.say("This link is incomplete"),
        site.say("Nothing has changed. Part of the address is missing or was altered on its way here."),
        site.say("Please open the link from the letter again, or copy all of it."),
        *more,
        status=404,
        headers=PRIVATE,
    )


def nobody(site: Site, status: int = 200) -> Response:
    """To a good link that leads to nobody: a preview's, or that of a reader who was erased."""
    return notice(
        site,
        site.say("You are not on the list"),
        site.say("We hold nothing of you, and will not write to you."),
        status=status,
        headers=PRIVATE,
    )


def sent_to_you(site: Site) -> Response:
    """To a wish for a letter. The same whoever asks, and whether a letter follows or not."""
    return notice(
        site,
        site.say("Look into your inbox"),
        site.say(
            "If this address may get a letter from us, a new one with a fresh link is on its way. It can take a minute "
            "or two; do look among the spam as well. We send at most one an hour and three a day."
        ),
        headers=PRIVATE,
    )


def sign_up_again(site: Site, title: str, *paragraphs: str) -> Response:
    """To what cannot be done any more, but may begin anew."""
    return notice(site, title, *paragraphs, headers=PRIVATE, begins_anew=True)

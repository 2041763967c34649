"""What is to be done now? The first page of the desk."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from newsletter import counting, queues, today
from newsletter.comparisons import comparison
from newsletter.editors import log
from newsletter.editors.editor import APPROVE, every
from newsletter.health import FINE, SENDING, WRONG
from newsletter.today import Card
from newsletter.web.desk.frame import Here, page
from newsletter.web.desk.health import of_everything

router = APIRouter(default_response_class=HTMLResponse)

LATELY: Final = 5  # entries of the log
NEWEST: Final = 5  # comparisons


@router.get("")
def overview(desk: Here) -> Response:
    """The week's issue, and whatever asks for somebody."""
    zone = desk.site.assembly.rules.zone
    with desk.reading() as session:
        begun = today.beginning(session)
        left = queues.left(session)
        cards = today.cards(
            session, desk.site.assembly.rules, desk.now, left, lambda at: f"{at.astimezone(zone):%a %d %b, %H:%M}"
        )
        waiting, numbers = today.new_comparisons(session, desk.now, NEWEST)
        newest = comparison.load_many(session, numbers)
        lately = log.newest(session, most=LATELY)
        names = {editor.id: editor.name for editor in every(session)}
        grown = counting.growth_of(session, 1)
        stale = counting.stale(session, [counting.GROWTH], desk.now)
        troubles = [each for each in of_everything(desk, session) if each.level != FINE and each.what != SENDING]
    desk.site.bookkeeper.want(stale)
    if not desk.may(APPROVE):
        cards = [_without(card, today.APPROVE) for card in cards]
    return page(
        desk,
        "overview.html",
        new=not (begun.comparisons and begun.readers and begun.issues),
        begun=begun,
        cards=cards,
        grown=grown,
        waiting=waiting,
        newest=newest,
        lately=[(entry, names.get(entry.editor_id, "the clock or the command line")) for entry in lately],
        wrong=[each for each in troubles if each.level == WRONG],
        looks=len([each for each in troubles if each.level != WRONG]),
    )


def _without(card: Card, name: str) -> Card:
    """A card without one of its links."""
    return replace(card, links=tuple(link for link in card.links if link[0] != name))

"""How do all the other letters look? Those to one person, each in each language, on one page."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from newsletter.language import available
from newsletter.specimens import PURPOSES, Specimen, specimen, specimens
from newsletter.web.desk import framed
from newsletter.web.desk.frame import Desk, Here, page

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/letters")
def letters(desk: Here) -> Response:
    """All of them, as the sample reader is sent them."""
    with desk.reading() as session:
        found = list(specimens(session, desk.site.assembly.welcome_desk, available(), desk.now))
    return framed.letters_only(desk, page(desk, "letters.html", letters=found), "/letters/")


@router.get("/letters/{kind}/{language}/letter.html")
def letter_html(desk: Here, kind: str, language: str, dark: str = "") -> Response:
    """One of them, byte for byte; `dark`: as a frame shows it (`framed`)."""
    one = _one(desk, kind, language)
    return framed.html(desk, one.html, f"{one.stem}.html", dark)


@router.get("/letters/{kind}/{language}/letter.txt")
def letter_text(desk: Here, kind: str, language: str) -> Response:
    """Its text, byte for byte."""
    one = _one(desk, kind, language)
    return framed.download(one.text, f"{one.stem}.txt", "text/plain; charset=utf-8")


@router.get("/letters/{kind}/{language}/letter.eml")
def letter_source(desk: Here, kind: str, language: str) -> Response:
    """The whole message, for a mail program."""
    one = _one(desk, kind, language)
    return framed.download(one.source, f"{one.stem}.eml", "message/rfc822")


def _one(desk: Desk, kind: str, language: str) -> Specimen:
    """Raises HTTPException, 404, for a letter that there is not."""
    if kind not in PURPOSES or language not in available():
        raise HTTPException(404)
    with desk.reading() as session:
        return specimen(session, desk.site.assembly.welcome_desk, kind, language, desk.now)

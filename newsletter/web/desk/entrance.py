"""How does an editor come in, and go? The only pages of the desk that ask for nobody.

Promises: the answer to a wrong address, a wrong password and a wrong code is one and the same; what a mail scanner
opens changes nothing; whoever comes in has a session that was made for them just then, and the browser's earlier one is
over.
"""

from datetime import datetime
from typing import Any, Final

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from newsletter.db import reading, writing
from newsletter.editors import accounts, log, password, second_step, sessions, signing_in
from newsletter.editors.editor import Editor
from newsletter.editors.signing_in import CameIn, TooOften, Typed
from newsletter.web.desk import cookies, trust
from newsletter.web.desk.cookies import secret_of
from newsletter.web.desk.frame import (
    HOME,
    LOGIN,
    Here,
    NotSignedIn,
    guard,
    lead_to,
    local_path,
    outside,
    signed_in,
    tell,
)
from newsletter.web.form import Form, Sent, whence
from newsletter.web.site import Site

NOT_IN: Final = "That did not let you in. Look at the address, the password and the code; each code is good once."
WAIT: Final = "That was tried too often. Please wait {} minutes, and then try again."
BUSY: Final = "Many are signing in just now. Please try again in a minute."
BUSY_FOR: Final = 60  # seconds
WRONG_CODE: Final = "This is not the code that belongs to the picture. Wait for the next one, and type that."
TOO_OLD: Final = "The picture was shown too long ago. Take in this one instead, and remove the other from your app."

router = APIRouter(default_response_class=HTMLResponse)
noted = structlog.get_logger()


@router.get("/login")
def login(request: Request, next: str = "") -> Response:  # noqa: A002  as it is called in the address
    """Where one signs in."""
    wanted = local_path(next) or HOME
    if secret_of(request):
        try:
            signed_in(request)
        except NotSignedIn:
            pass
        else:
            return lead_to(request, wanted)
    return _door(request, "login.html", wanted=wanted)


@router.post("/login")
def come_in(request: Request, sent: Form) -> Response:
    """Sign somebody in."""
    site: Site = request.app.state.site
    wanted = local_path(sent.one("next")) or HOME
    typed = Typed(sent.one("address"), _as_typed(sent, "password"), sent.one("code"))
    kept = {"wanted": wanted, "address": typed.address[:320]}
    if not trust.was_before_the_door(request, sent.one("csrf")):
        return _door(request, "login.html", 403, wrong=trust.REFUSED, **kept)
    try:
        done = signing_in.sign_in(
            site.engine,
            typed,
            whence(request),
            site.clock(),
            known_as=cookies.known_as(request),
            before=secret_of(request),
        )
    except password.Busy:
        return _later(_door(request, "login.html", 503, wrong=BUSY, **kept), BUSY_FOR)
    if isinstance(done, TooOften):
        noted.warning("desk: tried too often", network=whence(request).network)
        seconds = int(done.wait.total_seconds())
        return _later(_door(request, "login.html", 429, wrong=WAIT.format(seconds // 60), **kept), seconds)
    if not isinstance(done, CameIn):
        noted.warning("desk: not let in", network=whence(request).network)
        return _door(request, "login.html", 422, wrong=NOT_IN, **kept)
    answer = lead_to(request, wanted)
    _let_in(site, answer, done)
    return answer


@router.get("/invited/{token}")
def invited(request: Request, token: str) -> Response:
    """Where somebody who is invited sets a password and a second step. Looking changes nothing."""
    site: Site = request.app.state.site
    with reading(site.engine) as session:
        who = accounts.invited(session, token, site.clock())
    return _over(request) if who is None else _invitation(request, token, who, second_step.new_secret())


@router.post("/invited/{token}")
def take_up(request: Request, token: str, sent: Form) -> Response:
    """Take an invitation up, and come in."""
    site: Site = request.app.state.site
    now = site.clock()
    with reading(site.engine) as session:
        who = accounts.invited(session, token, now)
    if who is None:
        return _over(request)
    secret = trust.carried(site, sent.one("secret"), token)
    shown = secret or second_step.new_secret()
    if not trust.was_before_the_door(request, sent.one("csrf")):
        return _invitation(request, token, who, shown, 403, wrong=trust.REFUSED)
    chosen = _as_typed(sent, "password")
    wrong = password.what_is_wrong(chosen, _as_typed(sent, "again"), known_of(site, who))
    if wrong is not None:
        return _invitation(request, token, who, shown, 422, wrong_password=wrong)
    if secret is None:
        return _invitation(request, token, who, shown, 422, wrong_code=TOO_OLD)
    step = second_step.step_of(secret, sent.one("code"), now, None)
    if step is None:
        return _invitation(request, token, who, secret, 422, wrong_code=WRONG_CODE)
    try:
        done = _take_up(request, token, chosen, secret, step, now)
    except password.Busy:
        return _later(_invitation(request, token, who, secret, 503, wrong=BUSY), BUSY_FOR)
    if done is None:
        return _over(request)
    answer = lead_to(request, HOME)
    _let_in(site, answer, done)
    tell(site, answer, "Your account is ready, and you are signed in.")
    return answer


@router.post("/logout", dependencies=[Depends(guard)])
def logout(desk: Here) -> Response:
    """End this session."""
    assert desk.signed_in.id is not None  # it was read from the database
    with writing(desk.site.engine) as session:
        sessions.end(session, desk.signed_in.id)
        log.write(session, desk.now, desk.by, "signed out")
        session.commit()
    answer = lead_to(desk.request, LOGIN)
    cookies.forget_cookie(desk.site, answer, cookies.SESSION)
    return answer


def known_of(site: Site, editor: Editor) -> tuple[str, ...]:
    """What others know of somebody, and would try first as their password."""
    return editor.email, editor.name, site.assembly.settings.name


def _take_up(request: Request, token: str, chosen: str, secret: str, step: int, now: datetime) -> CameIn | None:
    site: Site = request.app.state.site
    kept = password.hashed(chosen)
    with writing(site.engine) as session:
        editor = accounts.take_up(session, token, kept, secret, step, now)
        if editor is None or editor.id is None:
            return None
        made = signing_in.open_session(session, editor, whence(request), now, secret_of(request))
        session.commit()
    return CameIn(editor.id, made)


def _let_in(site: Site, answer: Response, done: CameIn) -> None:
    cookies.sign_in(site, answer, done.editor_id, done.secret)
    trust.close_door(site, answer)
    noted.info("desk: signed in", editor=done.editor_id)


def _invitation(request: Request, token: str, who: Editor, secret: str, status: int = 200, **wrong: str) -> Response:
    site: Site = request.app.state.site
    link = second_step.link(secret, who.email, site.assembly.settings.name)
    return _door(
        request,
        "invited.html",
        status,
        who=who,
        path=f"{HOME}/invited/{token}",
        secret=second_step.in_groups(secret),
        picture=second_step.picture(link),
        carried=trust.carry(site, secret, token),
        least=password.LEAST,
        **wrong,
    )


def _door(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    site: Site = request.app.state.site
    cookie, proof = trust.before_the_door(request)
    answer = outside(request, template, status, csrf=proof, **values)
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address may be an invitation
    trust.open_door(site, answer, cookie)
    return answer


def _over(request: Request) -> Response:
    """The same to a link that was used, replaced, cut or made up, or whose time is over."""
    words = (
        "Each invitation is good once, and for three days; a newer one replaces it. If you have an account already, "
        "sign in with it.",
        "Else ask whoever sent it for a new one.",
    )
    return outside(request, "away.html", 404, title="This invitation is not good any more", paragraphs=words)


def _later(answer: Response, seconds: int) -> Response:
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _as_typed(sent: Sent, name: str) -> str:
    """A field with the blanks around it: they are part of a password."""
    return next(iter(sent.all(name)), "")

"""How does an editor come in, and go? The only pages of the desk that ask for nobody."""

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from newsletter.db import writing
from newsletter.editors import log, sessions
from newsletter.web.desk.frame import HEADERS, LOGIN, Furniture, Here, cookie_name, guard

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/login")
def login(request: Request) -> Response:
    """Where one signs in."""
    furniture: Furniture = request.app.state.furniture
    return HTMLResponse(furniture.templates.get_template("login.html").render(), headers=HEADERS)


@router.post("/logout", dependencies=[Depends(guard)])
def logout(desk: Here) -> Response:
    """End this session."""
    assert desk.signed_in.id is not None  # it was read from the database
    with writing(desk.site.engine) as session:
        sessions.end(session, desk.signed_in.id)
        log.write(session, desk.now, desk.by, "signed out")
        session.commit()
    answer = RedirectResponse(LOGIN, 303, HEADERS)
    answer.delete_cookie(cookie_name(desk.site), path="/")
    return answer

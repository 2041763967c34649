"""What is to be done now? The first page of the desk."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from newsletter.web.desk.frame import Here, page

router = APIRouter(default_response_class=HTMLResponse)


@router.get("")
def overview(desk: Here) -> Response:
    """The week's issue, and whatever asks for somebody."""
    return page(desk, "overview.html")

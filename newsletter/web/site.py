"""What do all pages share? The assembly behind them, the clock, the templates and the style sheet.

Promises: every text is escaped on its way into a page, and a name that a template does not know is an error, not a gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlalchemy import Engine

from newsletter import migrations, wording
from newsletter.assembly import Assembly
from newsletter.language import ENGLISH, ISSUE, PAGES, Speech, available, filled, speech
from newsletter.links import Links
from newsletter.places import TEMPLATES
from newsletter.web.door import Door
from newsletter.web.intake import Intake
from newsletter.web.postman import Postman

FOLDER = TEMPLATES / "pages"
CACHED = "public, max-age=300"  # seconds; a correction shows within five minutes
LONGEST_HEADER = 500  # characters of an Accept-Language that are looked at

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Site:
    """One running set of pages."""

    assembly: Assembly
    clock: Clock
    """Says what time it is, aware."""
    engine: Engine
    """At whatever migration the database is: pages neither make nor change tables."""
    migration: str | None
    """What the database should be at."""
    templates: Environment
    style: str
    """The style sheet."""
    postman: Postman
    """Carries letters to one person a moment after a page has asked for them; at work while the pages are served."""
    intake: Intake
    """Writes what the provider posts, and what pages note of themselves."""
    door: Door
    """Notes which links of letters were opened."""
    say: Speech = field(default_factory=lambda: speech(ENGLISH, PAGES))
    """The language of the answer: what the address asks for, else what the browser prefers, else the newsletter's."""

    @property
    def say_of_issues(self) -> Speech:
        """The same language, in the words of issues."""
        return speech(self.say.code, ISSUE)


def open_site(assembly: Assembly, clock: Clock) -> Site:
    """Make ready what all requests share. No connection is made yet."""
    style = assembly.rules.masthead.theme.style() + (FOLDER / "style.css").read_text(encoding="utf-8")
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    settings = assembly.settings
    # Pages link to each other by path, so that they also work at an address other than the public one; a path in
    # BASE_URL (pages below https://example.com/letters) is kept.
    templates.globals |= {
        "newsletter": settings.name,
        "postal_address": settings.postal_address,
        "links": Links(urlsplit(settings.base_url).path.rstrip("/")),
        "style_version": sha256(style.encode()).hexdigest()[:12],
    }
    # All of them now, and never again: an upgrade puts new ones on the disk before this process is restarted, and they
    # would meet old code.
    for name in templates.list_templates(["html"]):
        templates.get_template(name)
    postman = Postman(assembly, clock)
    intake = Intake(assembly.bare_engine, settings.postmark_stream, clock)
    door = Door(intake)
    return Site(assembly, clock, assembly.bare_engine, migrations.newest(), templates, style, postman, intake, door)


def site_of(request: Request) -> Site:
    """The site that a request came to, in the language that the request wants."""
    site: Site = request.app.state.site
    return replace(site, say=speech(_wanted(request, site.assembly.settings.language), PAGES))


Here = Annotated[Site, Depends(site_of)]
"""The site that a request came to, as a parameter of an endpoint."""


def page(
    site: Site, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Fill one of `templates/pages` and answer with it, in the language of the request.

    Templates print sentences by `_("… {name} …", name=…)` and `many("{count} …", "{count} …", number)`; `say` is the
    language itself.
    """
    say = site.say

    def sentence(text: str, **names: object) -> Markup:
        return Markup(filled(say.translated(text), names, _escaped))  # noqa: S704 - all of it is escaped

    def many(one: str, other: str, count: int, **names: object) -> Markup:
        told = {"count": say.number(count), **names}
        return Markup(filled(say.counted(one, other, count), told, _escaped))  # noqa: S704 - all of it is escaped

    words = {"_": sentence, "many": many, "say": say, "sign_up": wording.sign_up(site.assembly.settings.name)}
    headers = {"Content-Language": say.code, **(headers or {})}
    return HTMLResponse(site.templates.get_template(template).render(words | values), status, headers)


def notice(
    site: Site,
    title: str,
    *paragraphs: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    begins_anew: bool = False,
) -> HTMLResponse:
    """A page that says one thing, and leads on: to the latest issue, or to the sign-up for what begins anew."""
    values = {"title": title, "paragraphs": paragraphs, "begins_anew": begins_anew}
    return page(site, "notice.html", status, headers, **values)


def cached(request: Request, answer: Response) -> Response:
    """Let browsers and proxies keep an answer for a while, and send it again only where it has changed."""
    tag = f'"{sha256(answer.body).hexdigest()[:32]}"'
    headers = {"Cache-Control": CACHED, "ETag": tag, "Vary": "Accept-Language"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


def _escaped(value: object) -> str:
    return str(escape(value))


def _wanted(request: Request, own: str) -> str:
    """The code of the language in which to answer a request: one of those that there are."""
    asked = request.query_params.get("lang")
    if asked in available():
        return asked
    preferred = _preferred(request.headers.get("accept-language", "")[:LONGEST_HEADER])
    return next((code for code in preferred if code in available()), own)


def _preferred(header: str) -> list[str]:
    """The languages of an `Accept-Language`, without their regions, the most wanted first."""
    weighed = []
    for each in header.split(","):
        tag, _, weight = each.partition(";q=")
        try:
            wanted = float(weight or 1)
        except ValueError:
            wanted = 0.0
        if wanted > 0:
            weighed.append((wanted, tag.strip().lower().partition("-")[0]))
    return [code for _, code in sorted(weighed, key=lambda pair: -pair[0])]

"""What do all pages share? The assembly behind them, the clock, the templates and the style sheet.

Promises: every text is escaped on its way into a page, and a name that a template does not know is an error, not a gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlalchemy import Engine

from newsletter import migrations, wording
from newsletter.assembly import Assembly
from newsletter.language import ENGLISH, ISSUE, PAGES, Speech, in_templates, speech
from newsletter.links import Links
from newsletter.places import TEMPLATES
from newsletter.web.bookkeeper import Bookkeeper
from newsletter.web.carrier import Carrier
from newsletter.web.door import Door
from newsletter.web.intake import Intake
from newsletter.web.postman import Postman
from newsletter.web.tongue import Tongue, asked_for, in_language, preferred, tongues

FOLDER = TEMPLATES / "pages"
CACHED = "public, max-age=300"  # seconds; a correction shows within five minutes

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
    carrier: Carrier
    """Sends the issues that somebody at the desk has asked for; at work while the pages are served."""
    bookkeeper: Bookkeeper
    """Counts what takes too long to be counted on a page; at work while the pages are served."""
    intake: Intake
    """Writes what the provider posts, and what pages note of themselves."""
    door: Door
    """Notes which links of letters were opened."""
    say: Speech = field(default_factory=lambda: speech(ENGLISH, PAGES))
    """The language of the answer: what the address asks for, else what the browser prefers, else the newsletter's."""
    asked: str | None = None
    """The language that the address asks for; None where it asks for none, or for one that there is not."""
    tongues: tuple[Tongue, ...] = ()
    """All languages, as links from this page; none where the same page cannot be had by a link."""
    kept: dict[str, object] = field(default_factory=dict)
    """What takes long to make and is made anew only where the database says that it has changed, by its name."""

    @property
    def say_of_issues(self) -> Speech:
        """The same language, in the words of issues."""
        return speech(self.say.code, ISSUE)


def environment(folder: Path) -> Environment:
    """Templates of a folder, by the rules of all pages; `auto_reload` is off, as they are read once."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def open_site(assembly: Assembly, clock: Clock) -> Site:
    """Make ready what all requests share. No connection is made yet."""
    style = assembly.rules.masthead.theme.style() + (FOLDER / "style.css").read_text(encoding="utf-8")
    templates = environment(FOLDER)
    templates.filters.update(bdi=bdi, in_language=in_language)
    settings = assembly.settings
    # Pages link to each other by path, so that they also work at an address other than the public one; a path in
    # BASE_URL (pages below https://example.com/letters) is kept.
    templates.globals |= {
        "newsletter": settings.name,
        "logo": assembly.rules.masthead.logo or settings.name,
        "social": assembly.rules.masthead.social,
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
    carrier = Carrier(assembly, clock)
    bookkeeper = Bookkeeper(assembly, clock)
    newest = migrations.newest()
    return Site(
        assembly, clock, assembly.bare_engine, newest, templates, style, postman, carrier, bookkeeper, intake, door
    )


def site_of(request: Request) -> Site:
    """The site that a request came to, in the language that the request wants."""
    site: Site = request.app.state.site
    asked = asked_for(request)
    code = asked or preferred(request) or site.assembly.settings.language
    return replace(site, say=speech(code, PAGES), asked=asked, tongues=tongues(request))


Here = Annotated[Site, Depends(site_of)]
"""The site that a request came to, as a parameter of an endpoint."""


def page(
    site: Site, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Fill one of `templates/pages` and answer with it, in the language of the request.

    Templates print sentences as `language.in_templates` says. `address|in_language` is that of another page of ours, in
    the language that this one was asked for in; `name|bdi` keeps a name's direction to itself.
    """
    say = site.say
    settings = site.assembly.settings
    words = {
        **in_templates(say, lambda printed: str(escape(printed))),
        "asked": site.asked,
        "tongues": site.tongues,
        # Of what editors and makers of tools say: `<p{{ theirs }}>`.
        "theirs": "" if settings.language == say.code else Markup(' lang="{}"').format(settings.language),
        "sign_up": wording.sign_up(settings.name, say.code),
    }
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


def bdi(text: object) -> Markup:
    """A name, fenced off from the direction of the sentence around it."""
    return Markup("<bdi>{}</bdi>").format(text)

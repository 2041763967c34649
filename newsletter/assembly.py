"""How do the settings become a running newsletter? The only module that reads settings or names a concrete provider."""

import sys
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Engine

from newsletter import migrations, theme
from newsletter.db import open_engine
from newsletter.delivery import stopwatch
from newsletter.delivery.ledger import BY_READER, TOTALS, UNTRACKED
from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.pacing import Limit
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Provider
from newsletter.delivery.smtp import SmtpProvider
from newsletter.links import Links
from newsletter.post import Post
from newsletter.rendering.edition import Masthead
from newsletter.settings import PREFIX, Settings, load
from newsletter.weekly import CannotDo, Rules
from newsletter.welcome import WelcomeDesk
from subscribers.tokens import Tokens

TRACKING: Final = {"false": UNTRACKED, "totals": TOTALS, "true": BY_READER}
"""What TRACK_OPENS and TRACK_CLICKS say -> what is stored with a letter."""


@dataclass(frozen=True)
class Assembly:
    """Everything that the settings decide, made when it is first asked for."""

    settings: Settings

    @cached_property
    def engine(self) -> Engine:
        """The database, at the migration that the code expects. An empty one is brought there; any other: CannotDo."""
        engine = open_engine(self.settings.database_url)
        if migrations.is_empty(engine):
            migrations.upgrade(engine)  # two at once wait for each other, and the second finds nothing to do
        at, newest = migrations.current(engine), migrations.newest()
        if at != newest:
            engine.dispose()
            raise CannotDo(f"the database is at migration {at}, the program at {newest}: run `newsletter db upgrade`")
        return engine

    @cached_property
    def bare_engine(self) -> Engine:
        """The database at whatever migration it is."""
        return open_engine(self.settings.database_url)

    @cached_property
    def links(self) -> Links:
        """Every URL that a letter prints."""
        return Links(self.settings.base_url)

    @cached_property
    def tokens(self) -> Tokens:
        """Makes and reads the tokens in links. SECRET_KEY may hold several keys, the newest first, with commas."""
        keys = [key.strip() for key in self.settings.secret_key.get_secret_value().split(",")]
        return Tokens([key for key in keys if key])

    @cached_property
    def rules(self) -> Rules:
        """What holds for every issue."""
        settings = self.settings
        in_the_head = {"FROM": settings.from_, "REPLY_TO": settings.reply_to, "UNSUBSCRIBE": settings.unsubscribe}
        # What is switched off shows nowhere.
        tracked = {"TRACK_OPENS": settings.track_opens, "TRACK_CLICKS": settings.track_clicks}
        in_the_head |= {name: word for name, word in tracked.items() if word != "false"}
        return Rules(
            masthead=Masthead(
                name=settings.name,
                postal_address=settings.postal_address,
                links=self.links,
                logo=settings.logo_text,
                social=settings.social_links,
                theme=theme.load(settings.theme),
                language=settings.language,
            ),
            zone=settings.zone,
            draft_at=settings.draft_at,
            send_at=settings.send_at,
            max_lateness=settings.max_lateness,
            approval=settings.approval,
            approver=settings.approver,
            opens=TRACKING[settings.track_opens],
            clicks=TRACKING[settings.track_clicks],
            shown={f"{PREFIX}{name}": value for name, value in in_the_head.items() if value},
        )

    @cached_property
    def post(self) -> Post:
        """Who carries the letters, and what each of them is given."""
        settings = self.settings
        domain = parseaddr(settings.from_)[1].rpartition("@")[2]
        return Post(
            provider=self.provider,
            sender=settings.from_,
            reply_to=settings.reply_to,
            stream=settings.postmark_stream,
            personal_stream=settings.postmark_transactional_stream,
            list_id=f"<newsletter.{domain}>",
            links=self.links,
            tokens=self.tokens,
            own_unsubscribe=settings.unsubscribe == "own",
            settle=settings.settle,
            stopwatch=stopwatch.of_this_machine,
            limit=Limit(settings.rate_limit, settings.warm_up),
        )

    @cached_property
    def welcome_desk(self) -> WelcomeDesk:
        """What it takes to write to one person."""
        return WelcomeDesk(masthead=self.rules.masthead, post=self.post)

    @cached_property
    def provider(self) -> Provider:
        """Who carries letters, as PROVIDER says."""
        settings = self.settings
        timeout = settings.provider_timeout.total_seconds()
        if settings.provider == "postmark":
            assert settings.postmark_server_token is not None  # the settings have been checked
            token = settings.postmark_server_token.get_secret_value()
            return PostmarkProvider(token, settings.postmark_api_url, timeout)
        if settings.provider == "smtp":
            assert settings.smtp_url is not None  # the settings have been checked
            return SmtpProvider(settings.smtp_url.get_secret_value(), timeout)
        return OutboxProvider(Path(settings.outbox_dir))

    def close(self) -> None:
        """Let go of what was made."""
        for name in ("engine", "bare_engine"):
            if name in self.__dict__:
                getattr(self, name).dispose()
        if "provider" in self.__dict__:
            self.provider.close()


def assemble(**given: Any) -> Assembly:
    """Read the settings (`given` overrides the environment) and set up the logs. Raises SettingsError."""
    settings = load(**given)
    _set_up_logs(settings.log_format)
    return Assembly(settings)


def _set_up_logs(log_format: str) -> None:
    """Logs go to stderr, so that stdout holds only what a command prints."""
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False)
    processors: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    if log_format == "json":
        processors += [structlog.processors.dict_tracebacks]
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*processors, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )

"""What can be set from outside? Environment variables that begin with `NEWSLETTER_`, also read from `.env`.

Read once, by `assembly`. A wrong one stops the start with its name and what is wrong; secrets show in no repr.
"""

import re
from datetime import timedelta
from email.utils import getaddresses
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from newsletter import language
from newsletter import theme as themes
from newsletter.db import open_engine

PREFIX = "NEWSLETTER_"
DEVELOPMENT_KEY = "for development only: links signed with it can be forged by anyone"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds
MOST_SOCIAL_LINKS = 6
LONGEST_SOCIAL_LINK = 200  # characters
FASTEST = 1_000_000  # messages a second
CALLS_IN_A_BATCH = 3  # most calls that one batch takes, one after the other: bodies go in parts of 45 MB
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class SettingsError(ValueError):
    """A setting is wrong; the text names each one and says what is wrong, a line each."""


def _duration(value: Any) -> Any:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and not match:
        raise ValueError("wants a number and a unit: 90s, 10m, 6h or 2d")
    try:
        return timedelta(seconds=float(match[1]) * UNITS[match[2]]) if match else value
    except OverflowError:
        raise ValueError("is longer than any clock can tell") from None


def _slot(value: Any) -> Any:
    match = re.fullmatch(r"(\w{3}) ([01]\d|2[0-3]):([0-5]\d)", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and (not match or match[1].title() not in WEEKDAYS):
        raise ValueError("wants a weekday and a time of day, like Tue 09:00")
    return (WEEKDAYS.index(match[1].title()), int(match[2]), int(match[3])) if match else value


def _tracking(value: Any) -> Any:
    """The three words, and the other ways in which people write yes and no."""
    word = str(value).strip().lower()
    return {"0": "false", "no": "false", "off": "false", "1": "true", "yes": "true", "on": "true"}.get(word, word)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Slot = Annotated[tuple[int, int, int], NoDecode, BeforeValidator(_slot)]  # NoDecode: or it would have to be JSON
"""Weekday (0 is Monday), hour and minute, in the newsletter's zone."""
Tracking = Annotated[Literal["false", "totals", "true"], BeforeValidator(_tracking)]
"""Whether something that readers do with a letter is noted: not, how often, or by whom."""


def _socials(value: Any) -> Any:
    """What is written as `GitHub https://…, Mastodon https://…`."""
    if not isinstance(value, str):
        return value
    links = []
    for each in filter(None, (part.strip() for part in value.split(","))):
        name, _, url = each.rpartition(" ")
        if not (name.strip() and name.isprintable() and _is_plain_https(url)):
            raise ValueError("wants names and https addresses with commas between: GitHub https://github.com/you, …")
        if len(url) > LONGEST_SOCIAL_LINK:
            raise ValueError(f"wants addresses of at most {LONGEST_SOCIAL_LINK} characters: {name.strip()}")
        links.append((name.strip(), url))
    if len(links) > MOST_SOCIAL_LINKS:
        raise ValueError(f"wants at most {MOST_SOCIAL_LINKS} links")
    return tuple(links)


Socials = Annotated[tuple[tuple[str, str], ...], NoDecode, BeforeValidator(_socials)]
"""Names and addresses of where else one can be found."""


class Settings(BaseSettings):
    """Every setting, with its default. `.env.example` has a line on each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: str = Field(default="sqlite:///newsletter.db", repr=False)  # may hold a password
    base_url: str = "http://127.0.0.1:8000"
    secret_key: SecretStr = SecretStr(DEVELOPMENT_KEY)
    name: str = Field(default="Weekly AI Tool Verdicts", min_length=1, max_length=80)
    logo_text: str | None = Field(default=None, max_length=40)
    social_links: Socials = ()
    theme: str = "harbour"
    language: str = language.ENGLISH
    timezone: str = "UTC"
    provider: Literal["outbox", "postmark", "smtp"] = "outbox"
    outbox_dir: str = "outbox"
    postmark_server_token: SecretStr | None = None
    postmark_api_url: str = "https://api.postmarkapp.com/"
    postmark_stream: str = "broadcast"
    postmark_transactional_stream: str = "outbound"
    smtp_url: SecretStr | None = None
    from_: str = Field(default="Weekly AI Tool Verdicts <verdicts@example.com>", validation_alias=f"{PREFIX}FROM")
    reply_to: str | None = None
    postal_address: str = Field(default="1 Example Street, 00000 Exampletown", min_length=1, max_length=200)
    unsubscribe: Literal["own", "provider"] = "own"
    draft_at: Slot = (0, 7, 0)
    send_at: Slot = (1, 9, 0)
    max_lateness: Duration = timedelta(hours=6)
    approval: Literal["required", "automatic"] = "required"
    approver: Literal["other", "anyone"] = "other"
    track_opens: Tracking = "false"
    track_clicks: Tracking = "false"
    webhook_username: str | None = None
    webhook_password: SecretStr | None = None
    provider_timeout: Duration = timedelta(seconds=60)
    settle: Duration = timedelta(minutes=10)
    rate_limit: float | None = None
    warm_up: Duration = timedelta(0)
    log_format: Literal["console", "json"] = "console"

    @property
    def zone(self) -> ZoneInfo:
        """The newsletter's own time zone."""
        return ZoneInfo(self.timezone)

    @property
    def carries_real_mail(self) -> bool:
        """Whether letters leave this machine, so that placeholders and development keys must not stand in them."""
        if self.provider == "postmark":
            return not _is_loopback(self.postmark_api_url)
        if self.provider == "smtp" and self.smtp_url:
            return not _is_loopback(self.smtp_url.get_secret_value())
        return False

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        open_engine(value).dispose()
        return value

    @field_validator("base_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if not _is_web(value) or parts.query or parts.fragment:
            raise ValueError("wants an address like https://verdicts.example.com")
        return parts.geturl().rstrip("/")  # with its scheme in small letters: cookies are `Secure` by it

    @field_validator("postmark_api_url")
    @classmethod
    def _api_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if not _is_web(value) or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("wants an address without a path, like https://api.postmarkapp.com/")
        if parts.scheme == "http" and not _is_loopback(value):
            raise ValueError("would send the token unencrypted: use https")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp_address(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value else None
        if parts and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            raise ValueError("wants an address like smtp://user:password@mail.example.com:587")
        return value

    @field_validator("secret_key")
    @classmethod
    def _some_key(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip(", "):
            raise ValueError("holds no key; leave it empty for development, or make a long random one")
        return value

    @field_validator("name", "postal_address", "postmark_stream", "postmark_transactional_stream")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or not value.strip():
            raise ValueError("wants one line of text")
        return value

    @field_validator("logo_text")
    @classmethod
    def _a_logo(cls, value: str | None) -> str | None:
        return value if value is None else cls._one_line(value)

    @field_validator("theme")
    @classmethod
    def _known_theme(cls, value: str) -> str:
        themes.load(value)
        return value

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value not in language.available():
            raise ValueError(f"wants one of {', '.join(language.available())}")
        return value

    @field_validator("webhook_username", "webhook_password")
    @classmethod
    def _credential(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        shown = value.get_secret_value() if isinstance(value, SecretStr) else value
        if shown is not None and not (shown.isascii() and shown.isprintable() and shown.strip()):
            raise ValueError("wants letters, digits and signs of ASCII")
        if isinstance(value, str) and ":" in value:
            raise ValueError("may hold no colon: what follows one would count as the password")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("wants an IANA time zone, like Europe/Berlin")
        return value

    @field_validator("from_", "reply_to")
    @classmethod
    def _mailbox(cls, value: str | None) -> str | None:
        found = getaddresses([value]) if value is not None and value.isprintable() else []
        if value is not None and not (len(found) == 1 and re.fullmatch(r"[^@\s]+@[^@\s]+", found[0][1])):
            raise ValueError("wants one address, like Weekly Verdicts <verdicts@example.com>")
        return value

    @field_validator("settle", "provider_timeout", "max_lateness")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("wants more than 0 seconds")
        return value

    @field_validator("rate_limit", mode="before")
    @classmethod
    def _a_rate(cls, value: Any) -> Any:
        try:
            rate = float(value) if value is not None else None
        except (TypeError, ValueError):
            rate = 0.0
        if rate is not None and not 0 < rate <= FASTEST:
            raise ValueError(f"wants messages a second, more than 0 and at most {FASTEST:,}, like 50 or 0.5")
        return rate

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        wrong = []
        if self.provider == "postmark" and not self.postmark_server_token:
            wrong.append("POSTMARK_SERVER_TOKEN: PROVIDER=postmark needs it")
        if self.provider == "smtp" and not self.smtp_url:
            wrong.append("SMTP_URL: PROVIDER=smtp needs it, like smtp://user:password@mail.example.com:587")
        if self.unsubscribe == "provider" and self.provider != "postmark":
            wrong.append("UNSUBSCRIBE: only Postmark owns a List-Unsubscribe header; PROVIDER=postmark, or `own` here")
        if self.warm_up and not self.rate_limit:
            wrong.append("WARM_UP: is the way up to RATE_LIMIT, which is not set")
        if self.webhook_username and not self.webhook_password:
            wrong.append("WEBHOOK_PASSWORD: WEBHOOK_USERNAME is worth nothing without it")
        if self.webhook_password and not self.webhook_username:
            wrong.append("WEBHOOK_USERNAME: WEBHOOK_PASSWORD is worth nothing without it")
        if self.settle < CALLS_IN_A_BATCH * self.provider_timeout and self.carries_real_mail:
            wrong.append(
                f"SETTLE: wants at least {CALLS_IN_A_BATCH} times PROVIDER_TIMEOUT, "
                "or a batch still under way may be sent twice"
            )
        if self.draft_at >= self.send_at:
            wrong.append("DRAFT_AT: must be earlier in the week than SEND_AT, or there is nothing to send")
        wrong += self._placeholders() if self.carries_real_mail else []
        if wrong:
            raise ValueError("\n".join(PREFIX + line for line in wrong))
        return self

    def _placeholders(self) -> list[str]:
        wrong = []
        fields = type(self).model_fields
        if self.secret_key.get_secret_value() == DEVELOPMENT_KEY:
            wrong.append("SECRET_KEY: real mail needs a long random one, or anybody could unsubscribe everybody")
        if not self.base_url.startswith("https://"):
            wrong.append("BASE_URL: real mail needs the https:// address of your pages, for the links in it")
        if self.from_ == fields["from_"].default:
            wrong.append("FROM: real mail needs your own address here")
        if self.postal_address == fields["postal_address"].default:
            wrong.append("POSTAL_ADDRESS: real mail needs your own here; the law asks for it")
        return wrong


def load(**given: Any) -> Settings:
    """Read the settings; `given` overrides the environment. Raises SettingsError."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_lines(error))) from None
    except (SourceError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read: {error}") from None


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        reason = problem["msg"].removeprefix("Value error, ")
        name = str(problem["loc"][0]).upper().removeprefix(PREFIX) if problem["loc"] else ""
        lines.append(f"{PREFIX}{name}: {reason}" if name else reason)
    return lines


def _is_web(url: str) -> bool:
    """Whether this is an http address. Raises ValueError for a port or a host that cannot be."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0


def _is_plain_https(url: str) -> bool:
    """Whether this is an https address that stands in any letter as it is: of ASCII, no quotes, no merge field."""
    if not re.fullmatch(r"https://[!#-;=?-\[\]_a-z~]+", url) or "%%" in url:
        return False
    try:
        return bool(re.fullmatch(r"[\w.-]*\w", urlsplit(url).hostname or "", re.ASCII)) and urlsplit(url).port != 0
    except ValueError:
        return False


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

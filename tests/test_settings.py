import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.settings import DEVELOPMENT_KEY, PREFIX, Settings, SettingsError, load

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / ".env.example"

REAL = {
    "SECRET_KEY": "a long and random key",
    "BASE_URL": "https://verdicts.example.com",
    "FROM": "Verdicts <verdicts@real.example>",
    "POSTAL_ADDRESS": "Real Press, 2 Real Street, 10115 Berlin",
}
POSTMARK = {"PROVIDER": "postmark", "POSTMARK_SERVER_TOKEN": "3f1d-token"}
SMTP = {"PROVIDER": "smtp", "SMTP_URL": "smtp://ada:geheim@mail.real.example:587"}


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def settings(monkeypatch: pytest.MonkeyPatch, **given: str) -> Settings:
    for name, value in given.items():
        monkeypatch.setenv(PREFIX + name, value)
    return load()


def complaints(monkeypatch: pytest.MonkeyPatch, **given: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(monkeypatch, **given)
    return str(caught.value).splitlines()


def environment_names() -> set[str]:
    return {PREFIX + name.rstrip("_").upper() for name in Settings.model_fields}


def test_the_example_names_every_setting_and_nothing_else() -> None:
    named = re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == environment_names()


def test_the_example_shows_the_defaults() -> None:
    assert load(_env_file=EXAMPLE) == load(_env_file=None)


def test_each_line_of_the_example_has_an_explanation() -> None:
    lines = EXAMPLE.read_text().splitlines()
    explained = False
    for line in lines:
        if line.startswith(PREFIX):
            assert explained, f"{line} has no comment before it"
        explained = (line.startswith("# ") and not line.startswith("# ---")) or (explained and line.startswith(PREFIX))


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = load()
    for name in environment_names():
        monkeypatch.setenv(name, "")
    assert load() == defaults
    assert defaults.secret_key.get_secret_value() == DEVELOPMENT_KEY


@pytest.mark.parametrize(
    ("name", "written", "field", "read"),
    [
        ("DRAFT_AT", "Mon 06:30", "draft_at", (0, 6, 30)),
        ("SEND_AT", "sun 23:59", "send_at", (6, 23, 59)),
        ("MAX_LATENESS", "2d", "max_lateness", timedelta(days=2)),
        ("PROVIDER_TIMEOUT", "1.5 m", "provider_timeout", timedelta(seconds=90)),
        ("BASE_URL", "https://verdicts.example.com/letters/", "base_url", "https://verdicts.example.com/letters"),
        ("BASE_URL", "HTTPS://verdicts.example.com/", "base_url", "https://verdicts.example.com"),
        ("FROM", '"Weekly, the" <a@b.example>', "from_", '"Weekly, the" <a@b.example>'),
        ("APPROVAL", "automatic", "approval", "automatic"),
        ("RATE_LIMIT", "0.5", "rate_limit", 0.5),
        ("RATE_LIMIT", "300", "rate_limit", 300),
        ("TRACK_OPENS", " Totals", "track_opens", "totals"),
        ("TRACK_CLICKS", "True", "track_clicks", "true"),
        ("TRACK_CLICKS", "0", "track_clicks", "false"),
        ("DATABASE_URL", "postgresql://ada@db.example/x", "database_url", "postgresql://ada@db.example/x"),
    ],
)
def test_settings_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, written: str, field: str, read: Any
) -> None:
    assert getattr(settings(monkeypatch, **{name: written}), field) == read


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NEWSLETTER_NAME=From the file\nNEWSLETTER_TIMEZONE=Europe/Berlin\n")
    read = settings(monkeypatch, NAME="From the environment")
    assert read.name == "From the environment"
    assert read.zone.key == "Europe/Berlin"


def test_an_env_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"NEWSLETTER_NAME=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"^\.env cannot be read: .*"):
        load()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("DATABASE_URL", "garbage"),
        ("DATABASE_URL", "mysql://ada:geheim@db.example/x"),
        ("DATABASE_URL", "postgresql://ada:geheim@db.example:port/x"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("BASE_URL", "verdicts.example.com"),
        ("BASE_URL", "https://verdicts.example.com/?page=1"),
        ("BASE_URL", "http://[::1"),
        ("BASE_URL", "http://host:99999999"),
        ("SECRET_KEY", " , "),
        ("NAME", "x" * 81),
        ("NAME", "two\nlines"),
        ("LOGO_TEXT", "a\u202eb"),
        ("THEME", "no-such-file.toml"),
        ("LANGUAGE", "xx"),
        ("SOCIAL_LINKS", "https://example.social/@nameless"),
        ("SOCIAL_LINKS", "Mastodon http://example.social/@us"),
        ("SOCIAL_LINKS", "Mastodon https://example.social/%%EMAIL%%"),
        ("SOCIAL_LINKS", 'Mastodon https://example.social/"><b>'),
        ("SOCIAL_LINKS", "Mastodon https://büro.example/"),
        ("SOCIAL_LINKS", "Mastodon https://[::1"),
        ("SOCIAL_LINKS", f"Mastodon https://example.social/{'x' * 200}"),
        ("SOCIAL_LINKS", ", ".join(f"{number} https://example.social/" for number in range(7))),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../../etc/passwd"),
        ("PROVIDER", "pigeon"),
        ("POSTMARK_API_URL", "http://api.postmarkapp.com/"),
        ("POSTMARK_API_URL", "https://api.postmarkapp.com/email"),
        ("POSTMARK_STREAM", "broad\ncast"),
        ("SMTP_URL", "mail.example.com:587"),
        ("FROM", "nobody"),
        ("FROM", "a@b.example\nBcc: c@d.example"),
        ("FROM", "Weekly, the <a@b.example>"),
        ("REPLY_TO", "a@b.example, c@d.example"),
        ("POSTAL_ADDRESS", "x" * 201),
        ("UNSUBSCRIBE", "never"),
        ("DRAFT_AT", "Monday at seven"),
        ("DRAFT_AT", "[0, 7, 0]"),
        ("DRAFT_AT", "Wed 07:00"),
        ("SEND_AT", "Foo 09:00"),
        ("SEND_AT", "Tue 24:00"),
        ("MAX_LATENESS", "6"),
        ("MAX_LATENESS", "0h"),
        ("APPROVAL", "maybe"),
        ("PROVIDER_TIMEOUT", "-5s"),
        ("SETTLE", "99999999999999d"),
        ("TRACK_CLICKS", "some"),
        *(("RATE_LIMIT", wrong) for wrong in ("0", "-1", "fast", "nan", "inf", "1e9", "10/s")),
        ("WARM_UP", "-1h"),
        ("WARM_UP", "2"),
        ("LOG_FORMAT", "xml"),
        ("WEBHOOK_USERNAME", "geheim:"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, wrong: str) -> None:
    lines = complaints(monkeypatch, **{name: wrong})
    assert len(lines) == 1
    reason = lines[0].removeprefix(f"{PREFIX}{name}: ")
    assert reason != lines[0]
    assert len(reason) > 15
    assert "geheim" not in reason


def test_every_wrong_setting_has_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = complaints(monkeypatch, TIMEZONE="Mars", SETTLE="soon", PROVIDER="pigeon")
    assert [line.split(":")[0] for line in lines] == [PREFIX + name for name in ("TIMEZONE", "PROVIDER", "SETTLE")]


def test_a_provider_needs_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaints(monkeypatch, **REAL, PROVIDER="postmark") == [
        "NEWSLETTER_POSTMARK_SERVER_TOKEN: PROVIDER=postmark needs it"
    ]
    assert complaints(monkeypatch, PROVIDER="smtp")[0].startswith("NEWSLETTER_SMTP_URL: PROVIDER=smtp needs it")


@pytest.mark.parametrize(("given", "missing"), [("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")])
def test_the_webhooks_name_and_password_come_together(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    lines = complaints(monkeypatch, **{f"WEBHOOK_{given}": "geheim"})
    assert [line.split(":")[0] for line in lines] == [f"NEWSLETTER_WEBHOOK_{missing}"]
    assert "geheim" not in lines[0]


@pytest.mark.parametrize(("given", "missing"), [("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_or_password_of_the_webhook_is_none(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str, empty: str
) -> None:
    lines = complaints(monkeypatch, **{f"WEBHOOK_{given}": "geheim", f"WEBHOOK_{missing}": empty})
    assert [line.split(":")[0] for line in lines] == [f"NEWSLETTER_WEBHOOK_{missing}"]


@pytest.mark.parametrize("carrier", [{}, SMTP | REAL], ids=["outbox", "smtp"])
def test_only_postmark_owns_the_way_out(monkeypatch: pytest.MonkeyPatch, carrier: dict[str, str]) -> None:
    lines = complaints(monkeypatch, **carrier, UNSUBSCRIBE="provider")
    assert [line.split(":")[0] for line in lines] == ["NEWSLETTER_UNSUBSCRIBE"]


def test_postmark_may_own_the_way_out_without_a_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, **REAL, **POSTMARK, UNSUBSCRIBE="provider").webhook_password is None


def test_a_warm_up_is_the_way_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaints(monkeypatch, WARM_UP="2h") == [
        "NEWSLETTER_WARM_UP: is the way up to RATE_LIMIT, which is not set"
    ]
    read = settings(monkeypatch, WARM_UP="2h", RATE_LIMIT="50")
    assert (read.rate_limit, read.warm_up) == (50, timedelta(hours=2))


def test_secrets_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(
        monkeypatch,
        **(REAL | {"SECRET_KEY": "geheim-1"}),
        PROVIDER="smtp",
        SMTP_URL="smtp://ada:geheim-2@mail.real.example",
        POSTMARK_SERVER_TOKEN="geheim-3",
        WEBHOOK_USERNAME="postmark",
        WEBHOOK_PASSWORD="geheim-5",
        DATABASE_URL="postgresql://ada:geheim-4@db.example/x",
    )
    assert read.smtp_url is not None
    assert "geheim-2" in read.smtp_url.get_secret_value()
    for shown in (repr(read), str(read), f"{read}", repr(read.smtp_url), str(read.secret_key)):
        assert "geheim" not in shown


@pytest.mark.parametrize("carrier", [POSTMARK, SMTP], ids=["postmark", "smtp"])
@pytest.mark.parametrize("name", REAL)
def test_real_mail_refuses_placeholders(monkeypatch: pytest.MonkeyPatch, carrier: dict[str, str], name: str) -> None:
    assert settings(monkeypatch, **REAL, **carrier).carries_real_mail
    monkeypatch.delenv(PREFIX + name)
    lines = complaints(monkeypatch)
    assert [line.split(":")[0] for line in lines] == [PREFIX + name]


def test_real_mail_refuses_pages_without_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = complaints(monkeypatch, **(REAL | POSTMARK | {"BASE_URL": "http://verdicts.example.com"}))
    assert [line.split(":")[0] for line in lines] == ["NEWSLETTER_BASE_URL"]


def test_real_mail_refuses_a_settle_time_in_which_a_call_may_still_be_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = complaints(monkeypatch, **REAL, **POSTMARK, SETTLE="179s", PROVIDER_TIMEOUT="60s")
    assert [line.split(":")[0] for line in lines] == ["NEWSLETTER_SETTLE"]


@pytest.mark.parametrize(
    "carrier",
    [
        {},
        POSTMARK | {"POSTMARK_API_URL": "http://127.0.0.1:8025/"},
        POSTMARK | {"POSTMARK_API_URL": "http://localhost:8025"},
        POSTMARK | {"POSTMARK_API_URL": "http://[::1]:8025/"},
        SMTP | {"SMTP_URL": "smtp://127.0.0.1:1025"},
    ],
    ids=["outbox", "sandbox", "localhost", "IPv6", "smtp"],
)
def test_a_sandbox_on_loopback_needs_nothing_real(monkeypatch: pytest.MonkeyPatch, carrier: dict[str, str]) -> None:
    assert not settings(monkeypatch, **carrier, SETTLE="1s").carries_real_mail


def test_a_host_that_only_begins_like_loopback_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    carrier = POSTMARK | {"POSTMARK_API_URL": "https://127.0.0.1.example.com/"}
    assert len(complaints(monkeypatch, **carrier)) == len(REAL)

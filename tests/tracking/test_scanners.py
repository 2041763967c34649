"""Which touches are a machine's: patterns of scanners as they were measured, and of readers not to be mistaken."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from newsletter.tracking.event import CLICKED, OPENED
from newsletter.tracking.scanners import (
    BOTH_SIDES,
    BURST,
    CANARY,
    FETCHER,
    HEAD,
    LABELS,
    PROXY,
    Touch,
    label,
    label_alone,
)

BEGAN = datetime(2026, 11, 24, 9, 0, 43, tzinfo=UTC)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def click(seconds: float, link: str, agent: str | None = CHROME, method: str | None = None) -> Touch:
    return Touch(BEGAN + timedelta(seconds=seconds), CLICKED, link, agent, method)


def opening(seconds: float, agent: str | None = CHROME) -> Touch:
    return Touch(BEGAN + timedelta(seconds=seconds), OPENED, None, agent)


def page(number: int) -> str:
    return f"comparisons/{number}"


NINE = [click(number * 0.1, page(number)) for number in range(9)]
"""A burst as it was measured: all links in under a second."""


def test_a_burst_is_a_machines_whenever_it_comes_with_what_opened_the_letter_for_it() -> None:
    assert label([opening(-33), *NINE]) == [BURST] * 10
    days_later = [Touch(each.at + timedelta(days=3), each.kind, each.link, each.agent) for each in NINE]
    assert label(days_later) == [BURST] * 9


def test_of_a_burst_only_what_lies_in_the_second_is_a_machines() -> None:
    reader = [opening(-400), opening(-33, PHONE), click(-60, page(1)), click(2.5, page(7)), opening(20)]
    assert label([*reader, *NINE]) == [None] * 5 + [BURST] * 9


def test_the_order_in_which_touches_were_told_does_not_matter() -> None:
    touches = [opening(-33), *NINE[:3], click(800, page(1)), click(900, "canary"), click(1e6, page(2))]
    expected = {touches[place]: name for place, name in enumerate(label(touches))}
    assert set(expected.values()) == {CANARY, BURST, None}
    for order in list(permutations(touches))[::97]:
        assert label(order) == [expected[touch] for touch in order]


def test_both_votes_of_one_comparison_at_once_are_no_opinion() -> None:
    left, right = "votes/haiku-vs-codestral/left", "votes/haiku-vs-codestral/right"
    assert label([click(0, left), click(0.1, left), click(9, right)]) == [BOTH_SIDES] * 3
    assert label([click(0, right), click(9, left), click(60, left)]) == [BOTH_SIDES, BOTH_SIDES, None]


def test_who_follows_the_hidden_link_is_a_machine_in_all_that_it_does_around_it() -> None:
    reader = [opening(-500, PHONE), click(5, page(1), PHONE), opening(-601), click(601, page(3))]
    scanner = [opening(-599), click(-30, page(1)), click(0, "canary"), click(590, page(2))]
    assert label([*reader, *scanner]) == [None] * 4 + [CANARY] * 4
    nameless = [click(0, "canary", None), click(5, page(1), None)]
    assert label(nameless) == [CANARY, None]  # two without a name may be two


def test_of_several_labels_the_surest_is_given() -> None:
    several = [*NINE[:3], click(0.4, "votes/a/left"), click(0.5, "votes/a/right"), click(0.6, page(9), "curl/8.5.0")]
    assert label(several) == [BURST] * 3 + [BOTH_SIDES] * 2 + [FETCHER]
    assert label([*several, click(0.7, "canary"), click(0.8, page(4), method="HEAD")]) == [CANARY] * 5 + [
        FETCHER,
        CANARY,
        CANARY,
    ]
    assert list(LABELS) == [CANARY, HEAD, FETCHER, BOTH_SIDES, BURST, PROXY]


@pytest.mark.parametrize(
    "touches",
    [
        [opening(0), click(1, page(1))],
        [click(0, page(1)), click(3, page(2))],
        [click(0, page(1)), click(0.2, page(1)), click(0.4, page(1))],
        [click(0, page(1)), click(0.3, page(2))],
        [click(0, page(1)), click(0.6, page(2)), click(1.2, page(3)), click(1.8, page(4))],
        [click(0, "votes/a/left"), click(30, "votes/a/right")],
        [click(0, "votes/a/left"), click(4, "votes/b/right"), click(8, "votes/c/left")],
        [click(0, "votes/a/left"), click(4, "votes/a/both"), click(8, "votes/a/neither")],
        [click(0.1 * number, None) for number in range(5)],  # type: ignore[arg-type]
        [opening(0, PHONE), opening(60, CHROME), opening(86400, PHONE)],
        [],
    ],
    ids=[
        "reads and follows a link",
        "two links in three seconds",
        "an impatient finger on one link",
        "two tabs at once",
        "four tabs, one after the other",
        "changes their mind",
        "votes on one after the other",
        "looks at the choices of the page",
        "where they led is not known",
        "reads on two devices",
        "nothing",
    ],
)
def test_what_readers_do_is_not_a_machines(touches: list[Touch]) -> None:
    assert label(touches) == [None] * len(touches)


@pytest.mark.parametrize(
    ("agent", "of_openings", "of_clicks"),
    [
        (GMAIL, PROXY, None),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", PROXY, None),
        ("Mozilla/5.0", PROXY, FETCHER),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", FETCHER, FETCHER),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", FETCHER, FETCHER),
        ("Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b", FETCHER, FETCHER),
        ("python-requests/2.32.3", FETCHER, FETCHER),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/131.0.0.0 Safari/537.36", FETCHER, FETCHER),
        (CHROME, None, None),
        (PHONE, None, None),
        ("Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG) AppleWebKit/537.36 Chrome/129.0 Mobile", None, None),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", None, None),
        ("Outlook-iOS/723.4208463.prod.iphone (4.2509.0)", None, None),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0", None, None),
        ("okhttp/4.12.0", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_names_tell_fetchers_and_proxies_from_readers(
    agent: str | None, of_openings: str | None, of_clicks: str | None
) -> None:
    assert label([opening(0, agent), click(60, page(1), agent)]) == [of_openings, of_clicks]
    assert [label_alone(agent, "GET", kind) for kind in (OPENED, CLICKED)] == [of_openings, of_clicks]


def test_where_nobody_is_named_a_touch_is_judged_by_itself() -> None:
    assert label_alone(CHROME, "HEAD", CLICKED, page(1)) == HEAD
    assert label_alone(CHROME, "GET", CLICKED, "canary") == CANARY
    assert label_alone(CHROME, "GET", CLICKED, page(1)) is None


def test_a_flood_of_one_copys_touches_is_judged_in_its_length_not_in_its_square() -> None:
    flood = [click(number * 1e-5, ("canary", page(number % 7))[number % 2]) for number in range(100_000)]
    assert set(label(flood)) == {CANARY}

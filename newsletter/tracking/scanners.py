"""Which openings and clicks were machines'? Rules, each with why it holds, and no clock among them.

Pure. Mail scanners fetch what readers are sent: 836 of their bursts were measured, and half a per cent began within ten
seconds of the letter, the median at 43 seconds, some after hours. So no rule asks how long after delivery something
came; what gives a machine away is what it does, and by which name it goes.

A touch that no rule names may still have been a machine's. One that a rule names may, rarely, have been a reader's:
that is why it is labelled, and both figures are shown.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from newsletter.tracking.event import OPENED

RULES: Final = 1
"""The version of these rules: with another one everything is judged anew. Raise it with any change of them."""

CANARY: Final = "canary"
HEAD: Final = "head"
FETCHER: Final = "fetcher"
BOTH_SIDES: Final = "both_sides"
BURST: Final = "burst"
PROXY: Final = "proxy"

LABELS: Final[Mapping[str, str]] = {
    CANARY: "it followed the link that no person can see",
    HEAD: "it asked whether a page is there, and not for the page",
    FETCHER: "it calls itself a robot, a preview or a program's library",
    BOTH_SIDES: "it asked for both votes of one comparison at once",
    BURST: "it followed three links or more within a second",
    PROXY: "a mailbox provider fetched the picture, whether or not anybody looked",
}
"""Every label and why it is given, the surest first: of several that fit, a touch gets the first."""

CANARY_LINK: Final = "canary"
"""The hidden link, as `event.Event.link` names it."""

MANY: Final = 3
"""Distinct links of one copy within `AT_ONCE` that no hand follows. Two may be: a double press, a tab each."""
AT_ONCE: Final = timedelta(seconds=1)
"""All nine or ten links of a letter came in less than this in the bursts that were measured."""
BEFORE: Final = timedelta(minutes=5)
"""How long before its burst a scanner may have opened the letter: the median was 33 seconds."""
BOTH_WITHIN: Final = timedelta(seconds=10)
"""Whoever changes their mind looks at a page first, reads two names and finds the other button."""
AROUND: Final = timedelta(minutes=10)
"""How far from its fall into the hidden link an agent's other touches are its own doing too."""

FETCHERS: Final[Mapping[str, str]] = {
    # A telephone is called CUBOT.
    r"(?<!cu)bot\b|crawler|spider|scanner": "robots that say so",
    r"facebookexternalhit|^whatsapp/|skypeuripreview|bingpreview|google-safety": (
        "chats, and Outlook's BingPreview, show what is behind a link before anybody follows it"
    ),
    r"headless|phantomjs|puppeteer|playwright|selenium": "browsers with nobody before them",
    r"^(curl|wget|lynx|libwww-perl|python|aiohttp|httpx|go-http-client|java/|apache-httpclient|ruby|php|guzzle|"
    r"node-fetch|node\b|axios|undici|got\b|winhttp|restsharp|postmanruntime)": (
        "programs' libraries; not okhttp nor CFNetwork, by which mail programs on telephones fetch pictures"
    ),
    r"barracuda|proofpoint|mimecast|ironport|safelinks|urlscan|virustotal": (
        "mail gateways that give their name; most of them go by a browser's, and are known by what they do"
    ),
    r"^mozilla/\d\.\d$": "no browser stops there: a program that wants to look like one",
}
"""What names of agents have in them that no reader's browser or mail program has (in any case), and whose that is."""

PROXIES: Final[Mapping[str, str]] = {
    r"googleimageproxy": "Gmail fetches a picture once, and in places before anybody reads; later openings never",
    r"yahoomailproxy": "Yahoo's and AOL's",
    # The whole name: a real browser goes on after it.
    r"^mozilla/5\.0$": "Apple's Mail Privacy Protection loads all pictures of all letters, also of those never opened",
}
"""Names by which mailbox providers fetch pictures for readers."""

_FETCHER: Final = re.compile("|".join(f"(?:{each})" for each in FETCHERS), re.IGNORECASE)
_PROXY: Final = re.compile("|".join(f"(?:{each})" for each in PROXIES), re.IGNORECASE)
_VOTE: Final = re.compile(r"votes/(?P<comparison>.+)/(?P<side>left|right)")
"""The two votes that stand in a letter; on the page there are more, and a reader may look at all of them."""


@dataclass(frozen=True)
class Touch:
    """One opening or click of a copy."""

    at: datetime
    kind: str
    """`event.OPENED` or `event.CLICKED`."""
    link: str | None = None
    """As `event.Event.link`."""
    agent: str | None = None
    method: str | None = None
    """GET or HEAD, where it came to our own door."""


def label(touches: Sequence[Touch]) -> list[str | None]:
    """Why each of one copy's touches (all there are, in any order) was a machine's; None where nothing says so."""
    found = [{label_alone(touch.agent, touch.method, touch.kind, touch.link)} for touch in touches]
    order = sorted(range(len(touches)), key=lambda place: touches[place].at)
    clicks = [place for place in order if touches[place].kind != OPENED]
    for places, name in ((_burst(touches, clicks), BURST), (_both_sides(touches, clicks), BOTH_SIDES)):
        for place in places:
            found[place].add(name)
    bursts, falls = _by_agent(touches, clicks, found, BURST), _by_agent(touches, clicks, found, CANARY)
    for place in order if bursts or falls else ():
        touch = touches[place]
        if touch.kind == OPENED and _near(touch.at, bursts[touch.agent], before=BEFORE):
            found[place].add(BURST)
        if _near(touch.at, falls[touch.agent], before=AROUND, after=AROUND):
            found[place].add(CANARY)
    return [next((name for name in LABELS if name in names), None) for names in found]


def label_alone(
    agent: str | None, method: str | None = None, kind: str | None = None, link: str | None = None
) -> str | None:
    """Why one touch was a machine's, as far as it tells by itself: all that is known where only totals are kept.

    `kind`: where it is not given, names of proxies count as well.
    """
    if link == CANARY_LINK:
        return CANARY
    if method == "HEAD":
        return HEAD
    if not agent:  # says nothing: readers' gateways take it out as well
        return None
    if kind in (OPENED, None) and _PROXY.search(agent):
        return PROXY
    return FETCHER if _FETCHER.search(agent) else None


def _burst(touches: Sequence[Touch], clicks: Iterable[int]) -> set[int]:
    """Those of the clicks (in the order of time) that lie in a second with many distinct links."""
    within: set[int] = set()
    links: Counter[str | None] = Counter()
    followed = [place for place in clicks if touches[place].link]
    begin = done = 0
    for end, place in enumerate(followed):
        links[touches[place].link] += 1
        while touches[place].at - touches[followed[begin]].at > AT_ONCE:
            gone = touches[followed[begin]].link
            links[gone] -= 1
            if not links[gone]:
                del links[gone]
            begin += 1
        if len(links) >= MANY:
            within.update(followed[max(begin, done) : end + 1])
            done = end + 1
    return within


def _both_sides(touches: Sequence[Touch], clicks: Iterable[int]) -> set[int]:
    """Those of the clicks (in the order of time) that asked for one vote of a comparison close to its other one."""
    votes = [(place, vote) for place in clicks if (vote := _VOTE.fullmatch(touches[place].link or ""))]
    moments: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for place, vote in votes:
        moments[vote["comparison"], vote["side"]].append(touches[place].at)
    return {
        place
        for place, vote in votes
        for other in {"left", "right"} - {vote["side"]}
        if _near(touches[place].at, moments[vote["comparison"], other], before=BOTH_WITHIN, after=BOTH_WITHIN)
    }


def _by_agent(
    touches: Sequence[Touch], clicks: Iterable[int], found: Sequence[set[str | None]], name: str
) -> dict[str | None, list[datetime]]:
    """Agent -> when those of its clicks (in the order of time) were that have this label.

    One that does not give its name is nobody's: two without a name may be two.
    """
    moments: dict[str | None, list[datetime]] = defaultdict(list)
    for place in clicks:
        if touches[place].agent and name in found[place]:
            moments[touches[place].agent].append(touches[place].at)
    return moments


def _near(moment: datetime, others: Sequence[datetime], *, before: timedelta, after: timedelta = timedelta()) -> bool:
    """Whether a moment lies no longer than this before, or after, one of the others, which are in order."""
    following = bisect_left(others, moment - after)
    return following < len(others) and others[following] <= moment + before

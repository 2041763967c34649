"""Editions to render. Every tool and every reviewer's word here is invented."""

from dataclasses import replace
from datetime import date

from newsletter.comparisons.record import SEATS, Comparison, Review, Tool, Verdict
from newsletter.issues.retrospect import NO_SHARES, LastVote, Result, Share
from newsletter.issues.subject import preheader_line, subject_line
from newsletter.language import ISSUE, speech
from newsletter.links import Links
from newsletter.rendering.edition import Edition, Masthead

MASTHEAD = Masthead(
    name="Weekly AI Tool Verdicts",
    postal_address="Example Press, 1 Example Street, 10115 Berlin, Germany",
    links=Links("https://verdicts.example"),
)

Quotes = dict[str, tuple[str, str]]

LEAD: Quotes = {
    "builder": (
        "One binary, one YAML file, and previews were up before my coffee was cold. The plug-in interface is forty "
        "lines that I could read in one sitting; I wrote an adapter for our queue and it simply worked. Ship it.",
        "The installer wants a Kubernetes operator, a service mesh and my patience. The demo repository is lovely. Ours"
        " is eleven years old, and after two days of annotations half of the services still came up unhealthy.",
    ),
    "skeptic": (
        "It breaks where you would expect it to: databases above 50 GB are copied, not branched, so the ninth preview "
        "of the day takes half an hour. But it says so in the docs, in the second paragraph, which I find disarming.",
        "Their benchmark compares a warm cache with a cold one. I ran it fairly and it is still 20% faster, so why "
        "cheat? Copy-on-write databases are the real feature, and the one thing here that nobody else has.",
    ),
    "futurist": (
        "Previews for people are a solved problem. Previews for agents that open three hundred branches a day are not, "
        "and nothing in this design bends that way: every environment is a whole machine.",
        "This is what a review looks like when most authors are not human: an environment per question rather than per "
        "branch, alive for ninety seconds, billed by the second. Early, and pointed in the right direction.",
    ),
    "founder": (
        "Flat price, cancel by e-mail, and the source is there if they go under. My finance person asked no questions, "
        "which has not happened with a developer tool since 2019.",
        "Usage-based pricing with a minimum that starts at nineteen seats is a price for a company with a procurement "
        "department, and the one who wants this tool is a team of five. Wrong buyer, wrong bill.",
    ),
}

OTHERS = [
    # left name, tagline, price, panel; right the same; category; who splits, and what they say
    (
        ("Inkwell CLI", "Code review in the terminal, before anybody sees the commit", "Free", 4),
        ("Margin", "A reviewer bot that learns your team's taste", "$24/mo", 3),
        "Developer Tools",
        "skeptic",
        "It found a race in our retry loop which three of us had approved. It also found eleven that are not there. I "
        "keep it because saying no to it takes one key.",
        "It learns our taste, it says. What it learned is that we approve whatever is green by Friday afternoon, and "
        "now it does, too.",
    ),
    (
        ("Tessellate", "Vector search inside of the Postgres that you have", "Free", 3),
        ("Gridworm", "Billion-scale vectors on object storage", "$0.09/GB", 2),
        "Databases",
        "builder",
        "An extension, two functions and an index type. I deleted a service, a sync job and a dashboard, and the "
        "results got better because the join is finally in the same place as the data.",
        "Cold queries at 900 ms are fine for archives. My users type into a box and wait.",
    ),
    (
        ("Parlance 2", "Speech to text for 40 languages, on the device", "Paid", 2),
        ("Murmur", "Meeting notes that know who was angry", "$8/mo", 0),
        "Voice",
        "futurist",
        "When transcription costs nothing and leaves no trace on a server, it stops to be a product and becomes a "
        "system call. They are the first to act as if they knew.",
        "Reading moods from voices is a lawsuit with a subscription.",
    ),
    (
        ("Sextant", "Evaluate prompts like you test code", "Free", 1),
        ("Dead Reckoning", "Evaluations written by your support tickets", "$49/mo", 3),
        "Evaluation",
        "founder",
        "We have tests for prompts already. They are called customers & they are cheaper.",
        "It turned last month's complaints into 212 test cases over lunch. That is the budget line which I had been "
        "looking for.",
    ),
    (
        ("Kiln", "Fine-tune on one GPU overnight", "Free", 4),
        ("Foundry Lite", "Managed fine-tuning with a <diff> for weights", "$0.40/min", 4),
        "Training",
        "",
        "The loss curve is printed as text in the terminal, which is all I ever wanted from a loss curve.",
        "Showing what changed between two checkpoints in sentences is the best idea in this letter.",
    ),
    (
        ("Patchbay", "One endpoint in front of every model", "Free", 2),
        ("Loom Router", "Routes each request to the cheapest model that will do", "$99/mo", 2),
        "Infrastructure",
        "",
        "The fail-over works: I pulled the cable. The retries double your bill while it does.",
        "It saved us 38% in a week and cost us one embarrassing answer to our largest customer.",
    ),
    (
        ("Birdseye", "Traces for agents, on a map", "$15/mo", 0),
        ("Foxhole", "Traces for agents, in SQL", "Free", 1),
        "Observability",
        "",
        "The map is beautiful. I have never once asked where a token was.",
        "Select, from, where: at last an agent tool that expects me to know something.",
    ),
]


def edition(*comparisons: Comparison, masthead: Masthead = MASTHEAD, subject: str = "", preheader: str = "") -> Edition:
    """An edition of week 47."""
    return Edition(
        week="2026-W47",
        first_day=date(2026, 11, 16),
        subject=subject or "Halyard beats Quayside, and what else shipped",
        preheader=preheader or "What four reviewers would put into production, and what they would leave",
        comparisons=comparisons,
        masthead=masthead,
    )


def lead(*, votes: tuple[int | None, int | None] = (61, 40)) -> Comparison:
    """A comparison with four reviewers whose verdicts are known."""
    verdicts: dict[str, tuple[Verdict, Verdict]] = {
        "builder": ("ship", "skip"),
        "skeptic": ("ship", "ship"),
        "futurist": ("skip", "ship"),
        "founder": ("ship", "skip"),
    }
    return comparison(
        tool("Halyard", tagline="Preview environments from one file", price="$12/mo", readers=votes[0]),
        tool("Quayside", tagline="A copy of production for every question", price="From $19/mo", readers=votes[1]),
        quotes=LEAD,
        verdicts=verdicts,
    )


def others(*, voted: bool = True) -> list[Comparison]:
    """Seven more; in the last three no verdict is known."""
    made = []
    for index, (left, right, category, splits, on_left, on_right) in enumerate(OTHERS):
        verdicts: dict[str, tuple[Verdict, Verdict]] = {}
        if splits:
            shipping = [_shipping(splits, left[3], right[3]), _shipping(splits, right[3], left[3])]
            verdicts = {
                seat: ("ship" if seat in shipping[0] else "skip", "ship" if seat in shipping[1] else "skip")
                for seat in SEATS
            }
        made.append(
            comparison(
                *(
                    tool(name, tagline=tagline, category=category, price=price, panel=25 * ships, readers=readers)
                    for (name, tagline, price, ships), readers in zip(
                        (left, right), (40 + 7 * index, 66 - 9 * index) if voted else (None, None), strict=True
                    )
                ),
                quotes=dict.fromkeys(SEATS, (on_left, on_right)),
                verdicts=verdicts,
            )
        )
    return made


def _shipping(splits: str, ships: int, others_ship: int) -> set[str]:
    """Which seats would ship a tool: the one that splits does where its tool is ahead, the others fill up."""
    rest = [seat for seat in SEATS if seat != splits]
    ahead = ships > others_ship
    return {splits, *rest[: ships - 1]} if ahead else set(rest[:ships])


def tool(
    name: str,
    *,
    tagline: str = "Does one thing",
    category: str = "Developer Tools",
    price: str = "Free",
    panel: int | None = None,
    readers: int | None = None,
) -> Tool:
    """One side of a comparison."""
    return Tool(
        name=name,
        tagline=tagline,
        category=category,
        entry_price=price,
        description="Not shown in letters.",
        panel_ship=panel,
        community_ship=readers,
    )


def comparison(
    left: Tool,
    right: Tool,
    *,
    quotes: Quotes,
    verdicts: dict[str, tuple[Verdict, Verdict]] | None = None,
    title: str = "",
    slug: str = "",
) -> Comparison:
    """A comparison with one pair of quotes for each seat; without verdicts, both tools need a panel share."""
    return Comparison(
        title=title or f"{left.name} vs {right.name}",
        slug=slug or f"{left.name}-vs-{right.name}".lower().replace(" ", "-"),
        tools=(left, right),
        reviews=tuple(
            Review(seat=seat, tool=tool.name, verdict=verdicts[seat][side] if verdicts else None, quote=pair[side])
            for seat, pair in quotes.items()
            for side, tool in enumerate((left, right))
        ),
    )


def stuffed(unit: str, *, seats: int = 8, number: int = 0) -> Comparison:
    """The largest comparison there can be: every text as long as the record allows, made of one repeated unit."""
    line = unit * (280 // len(unit))
    names = (f"1{line}", f"2{line}")
    quote = unit * (2000 // len(unit))
    return comparison(
        *(tool(name, tagline=line, category=name, price=line, readers=100) for name in names),
        quotes={f"{seat}{line}": (quote, quote) for seat in range(seats)},
        verdicts={f"{seat}{line}": ("ship", "skip") for seat in range(seats)},
        title=f"{number} {line}",
        slug="s" * 118 + f"-{number}",
    )


def mixed_scripts() -> Edition:
    """Right-to-left and wide scripts, marks, joined emoji, and our own notation where it must stay text."""
    hebrew = "הכלי עושה בדיוק את מה שהוא מבטיח, ולא יותר מזה. מצאתי את עצמי מוחק קוד, וזה סימן טוב."
    arabic = "أداة سريعة وواضحة، لكن السعر مرتفع بالنسبة إلى فريق صغير."
    chinese = "这个工具在演示中很快,但在我们真实的代码库里慢得让人难以接受。" * 6
    emoji = "👩‍👩‍👧‍👦 approves. 🏳️‍🌈🇩🇪 Naïve café, zoë\u0301\u0323 and हिन्दी क्षत्रिय stay whole. " * 5
    first = comparison(
        tool("מפרש", tagline="סביבות תצוגה מקדימה מקובץ אחד", category="כלים", price="₪40", panel=50, readers=0),
        tool("帆船工具", tagline="每个问题都有一份生产环境的副本", category="开发工具", price="免费", panel=37),
        quotes={
            "builder": (hebrew, chinese),
            "skeptic": (arabic, emoji),
            "Reviewer 3": ("%%EMAIL%% {{ x }} {% y %}", "<b>&"),
        },
        title="מפרש vs 帆船工具",
        slug="sail-vs-sailing-tool",
    )
    second = comparison(
        tool("R&D <b>Kit</b>", tagline="100%% of %%UNSUBSCRIBE_URL%% 'quoted' \"twice\"", panel=100, readers=12),
        tool("Zoë\u0301’s Ümläut", tagline=emoji[:280], panel=0),
        quotes={"builder": ("if a < b && b > c: return {{}}", "See https://example.org/a-page?x=1&y=2 first.")},
        title="R&D <b>Kit</b> vs Zoë\u0301’s Ümläut",
        slug="kit-vs-umlaut",
    )
    return edition(first, second, subject="מפרש vs 帆船工具 & more", preheader="<b>%%EMAIL%%</b> {{ x }}")


def longest() -> Edition:
    """Long words and long texts everywhere, with a panel of twelve."""
    quote = "Unwieldy, overlong & underexplained; nevertheless it survives a quotation of remarkable length. " * 8
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    long = comparison(
        tool(f"{word} Professional Edition", tagline=quote[:290], price=word, category=word, panel=37, readers=100),
        tool(f"The Other {word}", tagline=word * 3, price="$1,999.99 a seat, a month", panel=100, readers=7),
        quotes={f"Reviewer {number}": (quote, word * 9) for number in range(1, 13)},
        title=f"{word} vs {word}",
        slug="long-vs-longer",
    )
    return edition(long, *(stuffed("W& ", number=number) for number in range(3)))


def retrospect() -> Edition:
    """What there is to tell of earlier issues, in a letter whose clicks are counted."""
    results = (
        Result("ruff-vs-flake8", "Ruff vs Flake8", ("Ruff", "Flake8"), (100, 50), (75, 50), 12),
        Result("kiln-vs-oven", "Kiln vs Oven", ("Kiln", "Oven"), (25, 75), (67, 83), 6),
        Result("fig-vs-date", "Fig vs Date", ("Fig", "Date"), (50, 50), (52, 45), 3),
        Result("a-vs-b", "أداة vs <b>", ("أداة", "<b>%%EMAIL%%"), (0, 100), (0, 100), 1),
    )
    made = edition(lead(), *others()[:3])
    told = ((Share("2026-W44", 50), Share("2026-W46", 50)), (None, Share("2025-W52", 100)), NO_SHARES, NO_SHARES)
    return replace(made, earlier=told, last_vote=LastVote("2026-W46", results), counts_clicks=True)


NOTE = """\
Half of this week's tools arrived *after* we had closed the issue, so **two comparisons wait** for the next one.

Thank you for 214 votes! How we count them is [on one page](https://verdicts.example/method), and so is

- what a share is, and
- why `0%` is no verdict on *people*.
"""


def german() -> Edition:
    """The other language, with all that there is to tell: a note, what changed, the last vote, social links."""
    masthead = replace(
        MASTHEAD,
        logo="W/AITV",
        social=(("Mastodon", "https://social.example/@verdicts"), ("Code", "https://code.example/verdicts")),
    )
    told = replace(retrospect(), note=NOTE, masthead=masthead, language="de", counts_clicks=False)
    say, first = speech("en", ISSUE), told.comparisons[0]
    return replace(told, subject=subject_line(say, first, None, told.week), preheader=preheader_line(say, first, 4))


def with_long_quotes(one: Comparison) -> Comparison:
    """The same with 700 characters from each reviewer, as long as they really are."""
    said = [each.model_copy(update={"quote": (f"{each.quote} " * 12)[:700].strip()}) for each in one.reviews]
    return one.model_copy(update={"reviews": tuple(said)})


def twelve() -> Edition:
    """As many as an issue usually has at most, with quotes of 700 characters."""
    usual = [lead(), *others(), *others()[:4]]
    made = [
        with_long_quotes(each).model_copy(update={"slug": f"{each.slug}-{number}", "title": f"{each.title} {number}"})
        for number, each in enumerate(usual, start=1)
    ]
    earlier = ((Share("2026-W44", 1), None), *[NO_SHARES] * 11)
    return replace(edition(*made), earlier=earlier, last_vote=retrospect().last_vote, note=NOTE)


GOLDEN = {
    "small": edition(lead(), others()[0]),
    "large": edition(lead(), *others()),
    "single": edition(lead(), subject="Halyard beats Quayside"),
    "no-votes": edition(lead(votes=(None, None)), *others(voted=False)[:2]),
    "longest": longest(),
    "mixed-scripts": mixed_scripts(),
    "retrospect": retrospect(),
    "note": replace(edition(lead(), others()[0]), note=NOTE),
    "german": german(),
    "twelve": twelve(),
}

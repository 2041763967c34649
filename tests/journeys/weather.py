"""What goes wrong at the provider while everything else goes wrong: faults of the sandbox, each at its share."""

LATENCY = 0.1  # seconds that each answer takes, so that there is a time in which to die
LAG = 0.5  # seconds

MIX = (
    "accept-then-drop:share=0.03",
    "accept-then-drop:share=0.01,part=0.5",
    "accept-then-stall:share=0.01",
    "accept-then-truncate:share=0.02",
    "accept-then-500:share=0.01",
    "accept-then-500:share=0.01,part=0.5",
    "accept-then-html:share=0.02",
    "accept-then-no-code:share=0.01",
    "delayed:share=0.02",
    "mixed:share=0.03,refuse=0.1,delay=0.2,codes=406+300",
    "short-answer:share=0.01",
    "long-answer:share=0.01",
    "drop:share=0.03",
    "stall:share=0.01",
    "429:share=0.01",
    "429:share=0.01,retry-after=1",
    "500:share=0.01",
    "503:share=0.01,retry-after=1",
    "html-200:share=0.02",
    "html-403:share=0.01",
    "no-code:share=0.01",
    "redirect:share=0.01",
    "refused:share=0.01,code=405",
    "500:share=0.05,on=search",
    "html-200:share=0.05,on=search+templates",
    "drop:share=0.05,on=templates",
    f"search-lag:seconds={LAG},share=0.5",
    "paused:seconds=5,share=0.02",
)
"""What goes wrong, in which share of the calls; about a quarter of them in all."""
NETWORK = f"accept-then-stall:seconds={LATENCY}"
"""What happens to the other calls: the answer takes its time."""

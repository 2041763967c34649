"""What the server of forks has in memory before it forks: imported in that process alone, by its name.

All that commands import, at their start or when they run, and what is made at the first use of it.
"""

import gc
from importlib import import_module

from newsletter.settings import load

for name in (
    "newsletter.cli.app",
    "newsletter.demo",
    "newsletter.sandbox.server",
    "newsletter.web.app",
    "scheduler",
    "tests.journeys.mortal",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
):
    import_module(name)
for url in ("postgresql://nobody@127.0.0.1/nothing", "sqlite:///nothing.db"):
    load(database_url=url)  # which opens nothing

gc.freeze()  # else the first collection in each fork would copy all of it

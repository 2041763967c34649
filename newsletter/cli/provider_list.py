"""`newsletter subscribers sync`: who has left at the provider, or must not be written to any more?"""

from contextlib import closing
from datetime import UTC, datetime

from newsletter.assembly import assemble
from newsletter.cli.console import AsJson, fail, say, say_json, tell
from newsletter.delivery.provider import CannotAsk
from newsletter.departures import LET_GO, OUTCOMES, poll

MAX_NAMED = 20  # addresses that are named one by one


def sync(as_json: AsJson = False) -> None:
    """Ask the provider whom it will not write to, and do as it says: who left there has left here."""
    with closing(assemble()) as assembly:
        if not assembly.provider.keeps_list and not as_json:
            say(f"{assembly.provider.name} keeps no list of its own; nothing to ask")
            return
        try:
            polled = poll(assembly.engine, assembly.post, datetime.now(UTC))
        except CannotAsk as error:
            fail(str(error))
    if as_json:
        counts = {name: polled.outcomes[name] for name in OUTCOMES if name != LET_GO}
        say_json({"has_list": assembly.provider.keeps_list, "listed": polled.listed, **counts})
        return
    say(f"on the provider's list: {polled.listed}")
    for name, meaning in OUTCOMES.items():
        if polled.outcomes[name]:
            say(f"{polled.outcomes[name]:>7} {meaning}")
    for email in polled.came_back[:MAX_NAMED]:
        tell(f"{email}: take it off the list at the provider, or they get nothing")
    if len(polled.came_back) > MAX_NAMED:
        tell(f"… and {len(polled.came_back) - MAX_NAMED} more")

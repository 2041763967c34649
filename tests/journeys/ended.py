"""A process that sends in small batches and is patient for as long as a test wants, so that it can be told to end.

`python -m tests.journeys.ended BATCH_SIZE GRACE COMMAND…`, with the settings in the environment; `clock` for a command
is `scheduler.py`. GRACE: the seconds that calls under way are given at the end. All else is as in the real programs.
"""

import sys
from functools import partial

import scheduler
from newsletter import outgoing, welcome
from newsletter.cli import app
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.sending import Sending


def main(batch_size: str, grace: str, *command: str) -> None:
    PostmarkProvider.max_batch = int(batch_size)
    patient = partial(Sending, grace=float(grace))
    for module in (outgoing, welcome):
        vars(module)["Sending"] = patient
    sys.argv = ["newsletter", *command]
    if command == ("clock",):
        scheduler.main()
    else:
        app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

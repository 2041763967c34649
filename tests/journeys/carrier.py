"""A process that carries letters to one person in small batches, so that a test finds many moments to kill it in.

`python -m tests.journeys.carrier BATCH_SIZE MINUTES`, with the settings in the environment. It goes on until nothing is
left to do, by a clock that is so many minutes fast. All else is as in `newsletter serve`.
"""

import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

from newsletter import welcome
from newsletter.assembly import assemble
from newsletter.welcome import Carried


def main(batch_size: str, minutes: str) -> None:
    with closing(assemble()) as assembly:
        assembly.provider.max_batch = int(batch_size)
        fast = timedelta(minutes=int(minutes))
        while True:
            carried = welcome.carry(assembly.engine, assembly.welcome_desk, lambda: datetime.now(UTC) + fast)
            print(carried, flush=True)
            if carried in (Carried(), Carried(busy=True)) or carried.stopped:
                sys.exit(1 if carried.stopped else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

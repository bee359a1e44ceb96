"""A paper server in a process of its own, for tests that kill it: DATA LOSS SEED; prints its URL when it answers."""

import sys
from pathlib import Path

from nightdesk.runtime.clock import SystemClock
from nightdesk.venues.paper.server import serve
from tests.venues.stand import PLAIN, HandPrices, listed, quoted


def main() -> None:
    clock, prices = SystemClock(), HandPrices()

    async def feed() -> None:
        while True:
            prices.push(quoted(clock, "99.99", "100.00"))
            await clock.sleep(0.05)

    prices.push(quoted(clock, "99.99", "100.00"))
    serve(
        data=Path(sys.argv[1]),
        port=0,
        prices=prices,
        clock=clock,
        instruments=[listed()],
        config=PLAIN,
        loss=float(sys.argv[2]),
        seed=int(sys.argv[3]),
        feed=feed,
        ready=lambda url: print(url, flush=True),
    )


if __name__ == "__main__":
    main()

"""(c) How long a start takes that finds 10,000 open and 1,000 doubtful orders: until ready, and until no doubt."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from bench import servers
from nightdesk.app.order_path import OrderPath, open_order_path
from nightdesk.market.board import PriceBoard
from nightdesk.market.feed import open_feed
from nightdesk.model.enums import OrdType, Side
from nightdesk.model.identifiers import AccountId, VenueId
from nightdesk.model.venue import Venue
from nightdesk.orders.intent import Intent
from nightdesk.runtime.clock import SystemClock
from nightdesk.settings import Settings, load
from nightdesk.sources.destinations import Destinations, Listing
from nightdesk.sources.person import PersonOrder, intent_of
from nightdesk.venues.paper.adapter import PaperVenue
from nightdesk.venues.paper.exchange import PaperExchange
from nightdesk.venues.paper.faults import Fault, FaultKind
from nightdesk.venues.paper.ledger import NAME, Ledger

OPEN = 10_000
DOUBTFUL = 1_000
ACCOUNT = AccountId("paper")
FAST = servers.WIDE + "orders_per_second = 1000000\nburst = 1000000\nvalidity_seconds = 60\n"


def measure() -> list[str]:
    """Seconds from the start of a process until it is ready, and until every doubt is settled."""
    with tempfile.TemporaryDirectory(prefix="nightdesk-bench-") as folder:
        child = os.fork()
        if child == 0:
            _fill(Path(folder))
        os.waitpid(child, 0)
        began = time.perf_counter()
        core, _ = _opened(Path(folder))
        core.start()
        ready = time.perf_counter() - began
        while _count(core, "doubt <> 'NONE'"):
            time.sleep(0.02)
        settled = time.perf_counter() - began
        left = _count(core, "is_open = 1")
        core.stop()
    return [f"recovery: {left:,} open and {DOUBTFUL:,} doubtful orders: ready {ready:.2f} s, no doubt {settled:.2f} s"]


def _settings(folder: Path) -> Settings:
    file = folder / "desk.toml"
    file.write_text(FAST)
    return load(file=file, env={}, overrides={"runtime.data": str(folder / "data")})


def _opened(folder: Path) -> tuple[OrderPath, PaperExchange]:
    settings, clock = _settings(folder), SystemClock()
    feed, prices = open_feed("simulated", settings.market), PriceBoard()
    (folder / "paper").mkdir(exist_ok=True)
    exchange = PaperExchange(
        prices=prices,
        clock=clock,
        instruments=feed.instruments(VenueId("paper")),
        config=settings.venues["paper"].paper,
        ledger=Ledger(folder / "paper" / NAME),
    )
    venues: dict[AccountId, Venue] = {ACCOUNT: PaperVenue(exchange, ACCOUNT, clock=clock)}
    return open_order_path(settings, clock=clock, feed=feed, venues=venues), exchange


def _count(core: OrderPath, which: str) -> int:
    # lint: allow sql-built: only constants of this file get here
    return int(core.reader.run(lambda tx: tx.fetch("SELECT COUNT(*) FROM orders WHERE " + which))[0][0])


def _fill(folder: Path) -> None:
    """A desk with all these orders dies without a word."""
    core, exchange = _opened(folder)
    core.start()
    time.sleep(0.5)
    make = _maker(core)
    asyncio.run(_place(core, make, OPEN))
    while _count(core, "ord_status = 'NEW'") < OPEN:
        time.sleep(0.1)
    exchange.inject(Fault(kind=FaultKind.LOST_REPLY, times=None, probability=1.0))
    asyncio.run(_place(core, make, DOUBTFUL))
    while _count(core, "doubt = 'UNKNOWN'") < DOUBTFUL * 0.99:
        time.sleep(0.02)
    sys.stdout.flush()
    os._exit(9)


def _maker(core: OrderPath) -> Callable[[], Intent]:
    venue = core.venues[ACCOUNT]
    listed = core.feed.instruments(VenueId("paper"))
    listing = Listing(account_id=ACCOUNT, venue=venue.venue, capabilities=venue.capabilities, instruments=listed)
    destinations = Destinations([listing])

    def make() -> Intent:
        asked = PersonOrder(
            symbol="BTC-USD", side=Side.BUY, size=Decimal("0.001"), ord_type=OrdType.LIMIT, price=Decimal(1000)
        )
        return intent_of(asked, destinations, core.board, now=core.clock.now(), config_version="bench")

    return make


async def _place(core: OrderPath, make: Callable[[], Intent], count: int) -> Sequence[object]:
    return await asyncio.gather(*(core.writer.run(core.accept, make()) for _ in range(count)))

"""A paper exchange on a stand: prices moved by hand, time moved by hand, and the ledger read as the oracle."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, ClOrdId, OwnerId, SignalId, Sleeve, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.venue import Venue
from nightdesk.runtime.clock import Clock, SystemClock, VirtualClock
from nightdesk.venues.paper.adapter import PaperVenue
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.exchange import PaperExchange
from nightdesk.venues.paper.faults import Fault, FaultKind
from nightdesk.venues.paper.ledger import NAME, Ledger, read_ledger
from nightdesk.venues.paper.remote import PaperRemote
from nightdesk.venues.paper.server import listening

BTC = Symbol("BTC-USD")
ETH = Symbol("ETH-USD")
ACCOUNT = AccountId("main")
PLAIN = PaperConfig(
    taker_bps=Decimal(10), maker_bps=Decimal(5), slippage_bps=Decimal(0), impact_bps=Decimal(0), timeout_seconds=0.3
)


def listed(symbol: Symbol = BTC, **changed: object) -> Instrument:
    base, quote = symbol.split("-")
    instrument = Instrument(
        symbol=symbol,
        venue=VenueId("paper"),
        venue_symbol=symbol,
        base=base,
        quote=quote,
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.001"),
        min_qty=Decimal("0.001"),
        min_notional=Decimal(1),
    )
    return replace(instrument, **changed)  # type: ignore[arg-type]  # keyword names are checked by the dataclass


def quoted(clock: Clock, bid: str, ask: str, *, symbol: Symbol = BTC, last: str = "", size: str | None = None) -> Quote:
    there = Decimal(size) if size is not None else None
    return Quote(
        symbol=symbol,
        bid=Decimal(bid),
        ask=Decimal(ask),
        last=Decimal(last or bid),
        at=clock.now(),
        source="simulated",
        simulated=True,
        bid_size=there,
        ask_size=there,
    )


class HandPrices:
    """Prices that change when a test says so."""

    def __init__(self) -> None:
        self.quotes: dict[Symbol, Quote] = {}
        self.listeners: list[Callable[[Quote], None]] = []

    def quote(self, symbol: Symbol) -> Quote | None:
        return self.quotes.get(symbol)

    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self.quotes)

    def subscribe(self, listener: Callable[[Quote], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def push(self, quote: Quote) -> None:
        self.quotes[quote.symbol] = quote
        for listener in tuple(self.listeners):
            listener(quote)


class CountingGate:
    """An open gate that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1


def make_order(clock: Clock, number: int, side: Side = Side.BUY, qty: str = "1", **changed: object) -> Order:
    order = Order(
        cl_ord_id=ClOrdId(f"{number:032x}"),
        owner_id=OwnerId("operator"),
        account_id=ACCOUNT,
        venue=VenueId("paper"),
        signal_id=SignalId("s1"),
        leg=0,
        source="person",
        sleeve=Sleeve("hand"),
        symbol=BTC,
        side=side,
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.GTC,
        order_qty=Decimal(qty),
        price=None,
        stop_px=None,
        reduce_only=False,
        created_at=clock.now(),
        deadline_at=clock.now() + timedelta(seconds=30),
    )
    return replace(order, **changed)  # type: ignore[arg-type]  # keyword names are checked by the dataclass


@dataclass
class Stand:
    venue: Venue
    exchange: PaperExchange
    prices: HandPrices
    clock: VirtualClock
    """The exchange's. `later` moves it."""
    path: Path
    seen: list[ExecutionReport] = field(default_factory=list)
    numbers: int = 0

    def order(self, side: Side = Side.BUY, qty: str = "1", **changed: object) -> Order:
        self.numbers += 1
        return make_order(self.clock, self.numbers, side, qty, **changed)

    def limit(self, side: Side, qty: str, price: str, **changed: object) -> Order:
        return self.order(side, qty, ord_type=OrdType.LIMIT, price=Decimal(price), **changed)

    async def submit(self, order: Order) -> ExecutionReport:
        return await self.venue.submit(self.venue.prepare(order, now=self.clock.now()), CountingGate())

    async def cancel(self, order: Order) -> ExecutionReport:
        return await self.venue.cancel(order, None, CountingGate())

    def move(self, bid: str, ask: str, *, last: str = "", size: str | None = None, symbol: Symbol = BTC) -> None:
        self.clock.advance(0.25)
        self.prices.push(quoted(self.clock, bid, ask, symbol=symbol, last=last, size=size))

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.exchange.pump()

    def fault(self, kind: FaultKind, **rule: object) -> None:
        self.exchange.inject(Fault(kind=kind, **rule))  # type: ignore[arg-type]  # checked by the dataclass

    def lines(self, order: Order) -> Counter[str]:
        """How many lines of each kind the ledger has about an order."""
        return Counter(line["kind"] for line in read_ledger(self.path) if line.get("client_id") == order.cl_ord_id)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[list[ExecutionReport]]:
        """Everything the venue pushes meanwhile, in the order it came."""
        seen: list[ExecutionReport] = []

        async def read() -> None:
            async for report in self.venue.reports():
                seen.append(report)  # noqa: PERF401  # each one as it comes, the stream does not end by itself

        task, venue = asyncio.create_task(read()), self.venue
        if isinstance(venue, PaperRemote):
            await until(lambda: bool(venue._cursor))
        else:
            await asyncio.sleep(0)
        yield seen
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(met: Callable[[], bool], seconds: float = 3.0) -> None:
    """Fails unless the condition is met in time."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110  # what is waited for lies in another process or thread
            await asyncio.sleep(0.005)


def make_exchange(
    path: Path, clock: VirtualClock, config: PaperConfig = PLAIN, prices: HandPrices | None = None
) -> PaperExchange:
    return PaperExchange(
        prices=prices or HandPrices(),
        clock=clock,
        instruments=[listed(BTC), listed(ETH)],
        config=config,
        ledger=Ledger(path),
    )


@contextlib.asynccontextmanager
async def inside(folder: Path, config: PaperConfig = PLAIN) -> AsyncIterator[Stand]:
    """The exchange in this process."""
    clock, prices, path = VirtualClock(), HandPrices(), folder / NAME
    exchange = make_exchange(path, clock, config, prices)
    venue = PaperVenue(exchange, ACCOUNT, clock=clock)
    stand = Stand(venue, exchange, prices, clock, path)
    stand.move("99.99", "100.00")
    yield stand
    await venue.close()
    exchange.close()


@contextlib.asynccontextmanager
async def apart(folder: Path, config: PaperConfig = PLAIN) -> AsyncIterator[Stand]:
    """The exchange behind its server on the loopback."""
    clock, prices, path = VirtualClock(), HandPrices(), folder / NAME
    exchange = make_exchange(path, clock, config, prices)
    async with listening(exchange, clock=SystemClock()) as url:
        venue = PaperRemote(replace(config, url=url), ACCOUNT, clock=SystemClock())
        stand = Stand(venue, exchange, prices, clock, path)
        stand.move("99.99", "100.00")
        yield stand
        await venue.close()
    exchange.close()

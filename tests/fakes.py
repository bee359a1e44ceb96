"""Stand-ins for the ports of the desk, and a desk without its web to put them around.

Words are made with `an_order`, `an_instrument`, `a_quote`, `an_intent`; `FakeVenue` does what its script says and keeps
a ledger of all that reached it; `Desk` is everything an order passes through, over a real database.
"""

import asyncio
import contextlib
import hashlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from nightdesk.model.enums import ExecType, OrdStatus, OrdType, ResendClass, Side, TimeInForce, TradingState
from nightdesk.model.errors import NotSent, OutcomeUnknown
from nightdesk.model.execution import ExecutionReport, Fact, facts_of
from nightdesk.model.identifiers import (
    OPERATOR,
    AccountId,
    ClOrdId,
    ExecId,
    HookId,
    OrderId,
    SignalId,
    Sleeve,
    Symbol,
    VenueId,
    WireId,
)
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.signal import Aim, Ask, Signal, Size
from nightdesk.model.venue import AccountSnapshot, Capabilities, Gate, Holding, Wire
from nightdesk.orders import store
from nightdesk.orders.accept import Accept
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.confirm import Confirm, Evidence
from nightdesk.orders.heart import Heart
from nightdesk.orders.intent import Acceptance, Destination, Intent, Want
from nightdesk.orders.outgoing.store import StoredCommand, StoredSend, commands_of_order, sends_of_order
from nightdesk.orders.person import Decide, Outcome
from nightdesk.orders.probe import Prober
from nightdesk.orders.queued import Queued
from nightdesk.orders.reconcile import Reconciler
from nightdesk.orders.send import Sender
from nightdesk.orders.stamps import Stamps
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio.book import AccountBook
from nightdesk.portfolio.store import Books, open_account, set_state
from nightdesk.risk.config import RiskConfig
from nightdesk.risk.halt import HaltSwitch
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import Database, Tx, to_micros
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.store import EventRow, events_after
from nightdesk.runtime.writer import Writer

BTC, ETH = Symbol("BTC-USD"), Symbol("ETH-USD")
MAIN = AccountId("main")
FAKE = VenueId("fake")
HAND = Sleeve("hand")
START = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
D = Decimal
HUNDRED, PLENTY = D(100), D(10**9)
ABLE = Capabilities(
    resend=ResendClass.A,
    ord_types=frozenset(OrdType),
    times_in_force=frozenset(TimeInForce),
    reduce_only=True,
    validity=timedelta(seconds=10),
    orders_per_second=1000.0,
    burst=1000,
)
WIDE = RiskConfig(
    max_order_notional=PLENTY,
    max_symbol_exposure=PLENTY,
    max_total_exposure=PLENTY,
    max_open_order_value=PLENTY,
    max_leverage=D(10**6),
    max_daily_loss=PLENTY,
    max_orders_per_minute=10**6,
    max_children_per_signal=10**6,
    stale_price_seconds=10.0**9,
)


def an_instrument(symbol: Symbol = BTC, **changed: Any) -> Instrument:
    base, quote = symbol.split("-")
    instrument = Instrument(
        symbol=symbol,
        venue=FAKE,
        venue_symbol=symbol,
        base=base,
        quote=quote,
        tick_size=D("0.01"),
        lot_size=D("0.001"),
    )
    return replace(instrument, **changed)


def a_quote(bid: str = "100", ask: str | None = None, *, symbol: Symbol = BTC, at: datetime = START) -> Quote:
    top = D(ask if ask is not None else bid)
    return Quote(symbol=symbol, bid=D(bid), ask=top, last=D(bid), at=at, source="simulated", simulated=True)


def an_order(**changed: Any) -> Order:
    order = Order(
        cl_ord_id=ClOrdId(f"{1:032x}"),
        owner_id=OPERATOR,
        account_id=MAIN,
        venue=FAKE,
        signal_id=SignalId("s1"),
        leg=0,
        source="person",
        sleeve=HAND,
        symbol=BTC,
        side=Side.BUY,
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.IOC,
        order_qty=D(1),
        price=None,
        stop_px=None,
        reduce_only=False,
        created_at=START,
        deadline_at=START + timedelta(seconds=30),
    )
    return replace(order, **changed)


def an_ask(side: Side | None = Side.BUY, size: str | None = "1", **changed: Any) -> Ask:
    ask = Ask(aim=Aim.TRADE, symbol=BTC, side=side, size=Size(value=D(size)) if size is not None else None)
    return replace(ask, **changed)


def a_signal_id(number: int) -> SignalId:
    """As ids are made: 32 hex digits that sort by time."""
    return SignalId(f"{number:012x}{0:020x}")


def a_signal(number: int, *asks: Ask, body: str = "", explicit_id: str | None = None, **changed: Any) -> Signal:
    text = body or f"body {number}"
    digest = hashlib.sha256(f"id:{explicit_id}".encode() if explicit_id else f"body:{text}".encode()).hexdigest()
    signal = Signal(
        signal_id=a_signal_id(number),
        owner_id=OPERATOR,
        source="tradingview",
        hook=HookId("hook"),
        sleeve=HAND,
        received_at=START,
        fired_at=None,
        digest=digest,
        explicit_id=explicit_id,
        body_digest=hashlib.sha256(text.encode()).hexdigest(),
        body=text,
        form="native",
        asks=asks,
    )
    return replace(signal, **changed)


def a_report(status: OrdStatus, **changed: Any) -> ExecutionReport:
    kinds = {
        OrdStatus.CANCELED: ExecType.CANCELED,
        OrdStatus.EXPIRED: ExecType.EXPIRED,
        OrdStatus.REJECTED: ExecType.REJECTED,
        OrdStatus.NEW: ExecType.NEW,
    }
    report = ExecutionReport(
        cl_ord_id=an_order().cl_ord_id, exec_type=kinds.get(status, ExecType.ORDER_STATUS), ord_status=status
    )
    return replace(report, **changed)


def a_fill(
    exec_id: str, qty: str, px: str = "100", status: OrdStatus = OrdStatus.PARTIALLY_FILLED, **changed: Any
) -> ExecutionReport:
    fill = {"exec_type": ExecType.TRADE, "exec_id": ExecId(exec_id), "last_qty": D(qty), "last_px": D(px)}
    return a_report(status, **fill | changed)


def whole(order: Order, px: str = "100") -> ExecutionReport:
    """The order has filled altogether, in one trade."""
    return a_fill(f"e-{order.cl_ord_id[:8]}", str(order.order_qty), px, OrdStatus.FILLED, cl_ord_id=order.cl_ord_id)


def resting(order: Order) -> ExecutionReport:
    """The venue has taken the order, and nothing of it has filled."""
    return a_report(
        OrdStatus.NEW, cl_ord_id=order.cl_ord_id, order_id=OrderId(f"v-{order.cl_ord_id[:8]}"), cum_qty=D(0)
    )


def told(report: ExecutionReport, stamp: int, origin: str = "stream") -> tuple[Fact, ...]:
    """The facts of a report that was observed at a stamp."""
    return facts_of(report, stamp=stamp, at=START, origin=origin)


class HandPrices:
    """Prices that change when a test says so."""

    def __init__(self, *quotes: Quote) -> None:
        self.quotes = {quote.symbol: quote for quote in quotes}

    def quote(self, symbol: Symbol) -> Quote | None:
        return self.quotes.get(symbol)

    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self.quotes)

    def subscribe(self, listener: Callable[[Quote], None]) -> Callable[[], None]:
        return lambda: None


class InlineWriter(Writer):
    """A writer whose callers stand still until it has written, and virtual time with them."""

    async def run(self, verb: Any, item: Any) -> Any:
        return self.run_blocking(verb, item)


class InlineReader(Reader):
    """A reader that reads in the caller's thread, for the same reason."""

    async def read(self, work: Callable[[Tx], Any]) -> Any:
        return self.run(work)


# ------------------------------------------------------------------------------------------------------- the venue

Act = Callable[["FakeVenue", Order | None, Wire | None, Gate], Awaitable[ExecutionReport]]


@dataclass
class Placed:
    """An order as the venue holds it."""

    order_id: OrderId
    status: OrdStatus
    order_qty: Decimal
    symbol: Symbol
    side: Side
    fills: list[tuple[ExecId, Decimal, Decimal]] = field(default_factory=list)

    @property
    def cum_qty(self) -> Decimal:
        return sum((qty for _, qty, _ in self.fills), D(0))


class FakeVenue:
    """Does what the next act of its script says, else takes every order and lets it rest.

    `accepts` is its ledger: how often it took each wire id. It refuses a second order under an id only when `unique`.
    """

    def __init__(
        self, clock: VirtualClock, capabilities: Capabilities = ABLE, *, account: AccountId = MAIN, unique: bool = True
    ) -> None:
        self.clock = clock
        self._capabilities = capabilities
        self.account_id = account
        self.unique = unique
        self.submits: deque[Act] = deque()
        self.cancels: deque[Act] = deque()
        self.statuses: deque[Callable[[Order], ExecutionReport | None]] = deque()
        self.orders: dict[str, Placed] = {}
        self.terms: dict[str, Order] = {}
        self.accepts: list[str] = []
        self.requests: list[tuple[str, str]] = []
        """Everything that reached the venue: what was asked, and about which order."""
        self.asked: list[tuple[str, str]] = []
        """The same, before any gate: calls of ours that may not have left."""
        self.strangers: list[ExecutionReport] = []
        self.history: list[ExecutionReport] = []
        self.extra_holdings: dict[Symbol, Decimal] = {}
        self.down: Exception | None = None
        self.pushed: asyncio.Queue[ExecutionReport | Exception | None] = asyncio.Queue()
        self.closed = False
        self._exec_ids = itertools.count(1)

    @property
    def venue(self) -> VenueId:
        return FAKE

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def instruments(self) -> Sequence[Instrument]:
        return [an_instrument(BTC), an_instrument(ETH)]

    def prepare(self, order: Order, *, now: datetime) -> Wire:
        self.terms[order.cl_ord_id] = order
        validity = self._capabilities.validity
        return Wire(
            wire_id=WireId(order.cl_ord_id),
            cl_ord_id=order.cl_ord_id,
            payload=b"order",
            payload_hash="hash",
            valid_until=now + validity if validity is not None else None,
        )

    async def submit(self, wire: Wire, gate: Gate) -> ExecutionReport:
        self.asked.append(("submit", wire.cl_ord_id))
        act = self.submits.popleft() if self.submits else accept
        return await act(self, self.terms[wire.cl_ord_id], wire, gate)

    async def cancel(self, order: Order, order_id: OrderId | None, gate: Gate) -> ExecutionReport:
        self.asked.append(("cancel", order.cl_ord_id))
        act = self.cancels.popleft() if self.cancels else cancel_it
        return await act(self, order, None, gate)

    async def order_status(self, order: Order) -> ExecutionReport | None:
        self._reached("status", order.cl_ord_id)
        if self.statuses:
            return self.statuses.popleft()(order)
        return self.state_of(order.cl_ord_id)

    async def open_orders(self) -> Sequence[ExecutionReport]:
        self._reached("open_orders", "")
        live = (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED)
        ours = [self.report(key) for key, placed in self.orders.items() if placed.status in live]
        return [*ours, *self.strangers]

    async def fills(self, since: datetime) -> Sequence[ExecutionReport]:
        self._reached("fills", "")
        return list(self.history)

    async def account(self) -> AccountSnapshot:
        self._reached("account", "")
        held: dict[Symbol, Decimal] = dict(self.extra_holdings)
        for placed in self.orders.values():
            held[placed.symbol] = held.get(placed.symbol, D(0)) + placed.side.sign * placed.cum_qty
        holdings = tuple(Holding(symbol=symbol, qty=qty) for symbol, qty in held.items())
        return AccountSnapshot(account_id=self.account_id, at=self.clock.now(), holdings=holdings)

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        while (report := await self.pushed.get()) is not None:
            if isinstance(report, Exception):
                raise report
            yield report

    async def close(self) -> None:
        self.closed = True
        self.pushed.put_nowait(None)

    # What a script or a test makes happen at the venue.

    def place(self, order: Order) -> None:
        """The venue has taken the order; a second time only where it lets ids repeat."""
        if self.unique and order.cl_ord_id in self.orders:
            return
        self.accepts.append(order.cl_ord_id)
        placed = Placed(OrderId(f"v-{len(self.accepts)}"), OrdStatus.NEW, order.order_qty, order.symbol, order.side)
        self.orders[order.cl_ord_id] = placed

    def fill(self, cl_ord_id: str, qty: Decimal, px: Decimal = HUNDRED) -> ExecutionReport:
        """So much of the order has filled; the report a stream would push."""
        placed = self.orders[cl_ord_id]
        exec_id = ExecId(f"e-{next(self._exec_ids)}")
        placed.fills.append((exec_id, qty, px))
        if placed.status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED):
            placed.status = OrdStatus.FILLED if placed.cum_qty >= placed.order_qty else OrdStatus.PARTIALLY_FILLED
        report = replace(self.report(cl_ord_id), exec_type=ExecType.TRADE, exec_id=exec_id, last_qty=qty, last_px=px)
        self.history.append(report)
        return report

    def report(self, cl_ord_id: str) -> ExecutionReport:
        placed = self.orders[cl_ord_id]
        value = sum((qty * px for _, qty, px in placed.fills), D(0))
        return a_report(
            placed.status,
            cl_ord_id=ClOrdId(cl_ord_id),
            order_id=placed.order_id,
            symbol=placed.symbol,
            cum_qty=placed.cum_qty,
            avg_px=value / placed.cum_qty if placed.cum_qty else None,
        )

    def state_of(self, cl_ord_id: str) -> ExecutionReport | None:
        return self.report(cl_ord_id) if cl_ord_id in self.orders else None

    def count(self, what: str) -> int:
        return sum(1 for asked, _ in self.requests if asked == what)

    def _reached(self, what: str, cl_ord_id: str) -> None:
        self.requests.append((what, cl_ord_id))
        if self.down is not None:
            raise self.down


async def accept(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
    """The order is taken, and the answer says so."""
    assert order is not None
    gate()
    venue.requests.append(("submit", order.cl_ord_id))
    venue.place(order)
    return venue.report(order.cl_ord_id)


async def cancel_it(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
    """A live order is canceled; any other is reported as it stands."""
    assert order is not None
    gate()
    venue.requests.append(("cancel", order.cl_ord_id))
    placed = venue.orders.get(order.cl_ord_id)
    if placed is None:
        raise OutcomeUnknown("no such order")
    if not placed.status.terminal:
        placed.status = OrdStatus.CANCELED
    return venue.report(order.cl_ord_id)


def filled(px: str = "100", qty: str | None = None) -> Act:
    """The order is taken and fills at once."""

    async def act(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        assert order is not None
        await accept(venue, order, wire, gate)
        return venue.fill(order.cl_ord_id, D(qty) if qty is not None else order.order_qty, D(px))

    return act


def rejected(text: str = "margin") -> Act:
    """The order is refused, and the answer says so."""

    async def act(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        assert order is not None
        gate()
        venue.requests.append(("submit", order.cl_ord_id))
        return a_report(OrdStatus.REJECTED, cl_ord_id=order.cl_ord_id, text=text)

    return act


def failing(error: Exception, *, after: Act | None = None) -> Act:
    """The call raises: before a byte left, or after the act took place."""

    async def act(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        if after is not None:
            await after(venue, order, wire, gate)
        elif not isinstance(error, NotSent):
            gate()
            assert order is not None
            venue.requests.append(("lost", order.cl_ord_id))
        raise error

    return act


def hanging(after: Act | None = None, *, late: float | None = None) -> Act:
    """No answer ever comes; the act takes place at once, `late` seconds afterwards, or never."""

    async def act(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        assert order is not None
        gate()
        venue.requests.append(("hung", order.cl_ord_id))
        if after is not None and late is None:
            await after(venue, order, wire, lambda: None)
        elif after is not None and late is not None:

            async def arrive(seconds: float) -> None:
                await venue.clock.sleep(seconds)
                await after(venue, order, wire, lambda: None)

            arriving = asyncio.create_task(arrive(late))
            arriving.add_done_callback(lambda _: None)
        await asyncio.Event().wait()
        raise AssertionError("an event nobody sets was set")

    return act


# -------------------------------------------------------------------------------------------------------- the desk


class Desk:
    """Everything an order passes through, in one thread, over a real database and virtual time."""

    def __init__(
        self,
        database: Database,
        data: Path,
        *,
        limits: RiskConfig = WIDE,
        config: OrdersConfig | None = None,
        venues: Mapping[AccountId, FakeVenue] | None = None,
        accounts: Iterable[AccountId] = (MAIN,),
        capabilities: Capabilities = ABLE,
        clock: VirtualClock | None = None,
        cash: Decimal = PLENTY,
    ) -> None:
        self.database = database
        self.data = data
        self.clock = clock or VirtualClock(START)
        self.config = config or OrdersConfig()
        self.writer = InlineWriter(database, self.clock, name="desk", holder="here:1")
        self.writer.start()
        self.reader = InlineReader(database)
        self.prices = HandPrices(a_quote("100"), a_quote("10", symbol=ETH))
        self.halt = HaltSwitch(data, self.clock)
        self.venues = (
            dict(venues)
            if venues is not None
            else {account: FakeVenue(self.clock, capabilities, account=account) for account in accounts}
        )
        self.queued: list[Queued] = []
        self.changed: list[str] = []
        self.accept = Accept(
            install_id="install",
            limits=limits,
            orders=self.config,
            prices=self.prices,
            halt=self.halt,
            clock=self.clock,
            on_queued=self._on_queued,
        )
        self.confirm_verb = Confirm(self.clock, self.changed.extend)
        self.decide = Decide(self._on_queued, self.changed.extend)
        self.stamps = Stamps(self.clock)
        self.sender = Sender(
            venues=self.venues,
            writer=self.writer,
            confirm=self.confirm_verb,
            halt=self.halt,
            clock=self.clock,
            stamps=self.stamps,
            on_doubt=lambda order: self.prober.watch(order),
        )
        self.prober = Prober(
            venues=self.venues,
            writer=self.writer,
            reader=self.reader,
            confirm=self.confirm_verb,
            sender=self.sender,
            clock=self.clock,
            stamps=self.stamps,
        )
        self.reconciler = Reconciler(
            writer=self.writer,
            reader=self.reader,
            confirm=self.confirm_verb,
            sender=self.sender,
            prober=self.prober,
            clock=self.clock,
            stamps=self.stamps,
        )
        self.offer: Callable[[Sequence[Queued]], None] = self.sender.offer
        self._numbers = itertools.count(100_001)
        known = {row[0] for row in self.rows("SELECT account_id FROM accounts")}
        for account in self.venues.keys() - known:
            self.open(account, cash)

    @property
    def venue(self) -> FakeVenue:
        """The one venue of a desk that has one."""
        return next(iter(self.venues.values()))

    def open(self, account: AccountId, cash: Decimal = PLENTY, state: TradingState = TradingState.ACTIVE) -> None:
        """The account exists and takes orders."""

        def work(tx: Tx) -> None:
            open_account(tx, account, FAKE, "USD", cash, self.micros)
            set_state(tx, account, state, "", self.micros)

        self.writer.call_blocking(work)

    def close(self) -> None:
        self.reader.close()
        self.writer.stop()

    @property
    def micros(self) -> int:
        return to_micros(self.clock.now())

    def _on_queued(self, queued: Sequence[Queued]) -> None:
        self.queued.extend(queued)
        self.offer(queued)

    # Signals in.

    def destination(self, account: AccountId = MAIN, symbol: Symbol = BTC, **instrument: Any) -> Destination:
        venue = self.venues.get(account)
        return Destination(
            account_id=account,
            venue=FAKE,
            instrument=an_instrument(symbol, **instrument),
            capabilities=venue.capabilities if venue is not None else ABLE,
        )

    def intent(
        self,
        *asks: Ask,
        accounts: Iterable[AccountId] | None = None,
        window: float = 60.0,
        signal: Signal | None = None,
        **changed: Any,
    ) -> Intent:
        """A signal of these asks (a buy of 1 BTC-USD), for every account of the desk."""
        asks = asks or (an_ask(),)
        wants = tuple(
            Want(
                ask=ask,
                symbol=Symbol(ask.symbol),
                destinations=tuple(
                    self.destination(account, Symbol(ask.symbol)) for account in accounts or self.venues
                ),
                quote=self.prices.quote(Symbol(ask.symbol)),
            )
            for ask in asks
        )
        intent = Intent(
            signal=signal or a_signal(next(self._numbers), *asks),
            wants=wants,
            window_seconds=window,
            default_size=None,
            max_qty=None,
            max_notional=None,
            allow_short=True,
            hold=False,
            config_version="v1",
        )
        return replace(intent, **changed)

    def take(self, intent: Intent) -> Acceptance:
        return self.writer.run_blocking(self.accept, intent)

    def take_together(self, *intents: Intent) -> Sequence[Acceptance]:
        """All in one transaction, as neighbours in the writer's queue."""
        return self.writer.call_blocking(lambda tx: self.accept(tx, intents))

    def buy(self, size: str = "1", side: Side = Side.BUY, **changed: Any) -> Order:
        """An accepted order."""
        acceptance = self.take(self.intent(an_ask(side, size, **changed)))
        assert acceptance.tickets, acceptance.text
        ticket = acceptance.tickets[0]
        assert ticket.denied is None, ticket.denied
        return ticket.order

    # Evidence in.

    def learn(self, order: Order, *reports: ExecutionReport, origin: str = "stream") -> StoredOrder:
        """The reports are facts now, each with a stamp of its own."""
        for report in reports:
            self.weigh(order, *facts_of(report, stamp=self.stamps.next(), at=self.clock.now(), origin=origin))
        return self.order(order.cl_ord_id)

    def weigh(self, order: Order, *facts: Fact, **more: Any) -> StoredOrder | None:
        evidence = Evidence(account_id=order.account_id, cl_ord_id=order.cl_ord_id, facts=facts, **more)
        return self.writer.run_blocking(self.confirm_verb, evidence)

    def person(self, decision: Callable[[Tx, datetime], Outcome]) -> Outcome:
        return self.writer.run_blocking(self.decide, lambda tx: decision(tx, self.clock.now()))

    # What stands in the database.

    def read(self, work: Callable[[Tx], Any]) -> Any:
        return self.reader.run(work)

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.read(lambda tx: tx.fetch(sql, params))
        return found

    def order(self, cl_ord_id: str) -> StoredOrder:
        stored: StoredOrder | None = self.read(lambda tx: store.load_order(tx, ClOrdId(cl_ord_id)))
        assert stored is not None
        return stored

    def facts(self, order: Order) -> list[Fact]:
        found: list[Fact] = self.read(lambda tx: store.facts_of_order(tx, order.cl_ord_id))
        return found

    def commands(self, order: Order) -> list[StoredCommand]:
        found: list[StoredCommand] = self.read(lambda tx: commands_of_order(tx, order.cl_ord_id))
        return found

    def sends(self, order: Order) -> list[StoredSend]:
        found: list[StoredSend] = self.read(lambda tx: sends_of_order(tx, order.cl_ord_id))
        return found

    def book(self, account: AccountId = MAIN) -> AccountBook:
        """The account with every stake it ever had."""

        def work(tx: Tx) -> AccountBook:
            books = Books(tx)
            books.load((account,))
            for symbol, sleeve in tx.fetch("SELECT symbol, sleeve FROM positions WHERE account_id = ?", (account,)):
                books.stake(account, symbol, sleeve)
            return books[account]

        book: AccountBook = self.writer.call_blocking(work)
        return book

    def state(self, account: AccountId = MAIN) -> tuple[TradingState, str]:
        row = self.rows("SELECT state, state_reason FROM accounts WHERE account_id = ?", account)[0]
        return TradingState(row[0]), row[1]

    def events(self, account: AccountId = MAIN) -> list[EventRow]:
        found: list[EventRow] = self.read(lambda tx: events_after(tx, account, 0, 100_000))
        return found

    def position(self, symbol: Symbol = BTC, sleeve: Sleeve = HAND, account: AccountId = MAIN) -> Decimal:
        return self.book(account).stake(symbol, sleeve).position.qty

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[Sender]:
        """The sender's lanes are open meanwhile; whatever hangs at the end is given up."""
        self.sender.start()
        yield self.sender
        await self.sender.stop(drain_seconds=0)

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[Heart]:
        """A heart with a sender, a prober and a reconciler of its own beats meanwhile, and every account is ready."""
        heart = self._heart()
        ready = asyncio.Event()
        task = asyncio.create_task(heart.run(ready.set))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            task.result()
        self.offer = heart.offer
        try:
            yield heart
        finally:
            self.offer = self.sender.offer
            heart.stop()
            await task

    def _heart(self) -> Heart:
        return Heart(
            venues=self.venues,
            writer=self.writer,
            reader=self.reader,
            confirm=self.confirm_verb,
            halt=self.halt,
            clock=self.clock,
            config=self.config,
        )

    def reserved_is_what_may_fill(self) -> None:
        """Fails unless each reservation is the sum of what the live orders of its sleeve may still fill."""
        for account in self.venues:
            book = self.book(account)
            wanted: dict[tuple[Symbol, Sleeve, Side], Decimal] = {}
            values: dict[tuple[Symbol, Sleeve, Side], Decimal] = {}
            open_now: list[StoredOrder] = self.read(lambda tx, account=account: store.open_orders(tx, account))
            for each in open_now:
                key = (each.order.symbol, each.order.sleeve, each.order.side)
                assert each.reserved_qty == each.state.leaves_qty
                wanted[key] = wanted.get(key, D(0)) + each.state.leaves_qty
                values[key] = values.get(key, D(0)) + each.state.leaves_qty * each.ref_px
            for (symbol, sleeve), stake in book.stakes.items():
                assert stake.buy_qty == wanted.pop((symbol, sleeve, Side.BUY), D(0))
                assert stake.sell_qty == wanted.pop((symbol, sleeve, Side.SELL), D(0))
                assert stake.buy_value == values.pop((symbol, sleeve, Side.BUY), D(0))
                assert stake.sell_value == values.pop((symbol, sleeve, Side.SELL), D(0))
            assert not any(wanted.values())


async def until(clock: VirtualClock, met: Callable[[], bool], seconds: float = 120.0) -> None:
    """Returns once the condition holds; fails when it does not within so many virtual seconds."""
    ends = clock.monotonic() + seconds
    while not met():
        assert clock.monotonic() < ends, "it did not happen in time"
        await clock.sleep(0.05)

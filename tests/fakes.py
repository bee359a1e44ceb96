"""A venue that does what its script says, keeps a ledger of what it accepted and a list of all that reached it."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from nightdesk.model.enums import ExecType, OrdStatus, Side
from nightdesk.model.errors import NotSent, OutcomeUnknown
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import (
    AccountId,
    ClOrdId,
    ExecId,
    OrderId,
    Symbol,
    VenueId,
    WireId,
)
from nightdesk.model.instrument import Instrument
from nightdesk.model.order import Order
from nightdesk.model.venue import AccountSnapshot, Capabilities, Gate, Holding, Wire
from nightdesk.runtime.clock import VirtualClock
from tests.samples import (
    ABLE,
    BTC,
    ETH,
    FAKE,
    HUNDRED,
    MAIN,
    D,
    a_report,
    an_instrument,
)

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

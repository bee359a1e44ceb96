"""Words of the model, ready to use and to be changed: orders, quotes, signals, reports and what they state."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from nightdesk.model.enums import ExecType, OrdStatus, OrdType, ResendClass, Side, TimeInForce
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
)
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.signal import Aim, Ask, Signal, Size
from nightdesk.model.venue import Capabilities
from nightdesk.risk.config import RiskConfig

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

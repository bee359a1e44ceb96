"""What the paper exchange keeps of one account, as a fold over steps: the same fold runs live and at a replay."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nightdesk.model.enums import OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.identifiers import AccountId, ExecId, OrderId, Sleeve, Symbol
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.position import Change, Position, apply_change

ZERO = Decimal(0)
WHOLE_ACCOUNT = Sleeve("")
"""A venue knows nothing of sleeves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was asked of the exchange. `client_id` is empty for an order placed by hand."""

    client_id: str
    symbol: Symbol
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    order_qty: Decimal
    price: Decimal | None = None
    stop_px: Decimal | None = None
    reduce_only: bool = False
    max_fill: Decimal | None = None
    """The most one quote may fill; None for all that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An order as it stands at the exchange; `cum_value` is in quote currency before fees, `at` its last change."""

    order_id: OrderId
    terms: Terms
    at: datetime
    status: OrdStatus = OrdStatus.NEW
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    fees: Decimal = ZERO
    fill_count: int = 0
    triggered: bool = False
    text: str = ""

    @property
    def leaves_qty(self) -> Decimal:
        """What is still to be filled, base units."""
        return self.terms.order_qty - self.cum_qty

    @property
    def avg_px(self) -> Decimal | None:
        """Quote currency per unit over all fills, None before the first."""
        return self.cum_value / self.cum_qty if self.cum_qty else None


class StepKind(StrEnum):
    """What can happen to an order at the exchange."""

    ACCEPT = "accept"
    REJECT = "reject"
    TRIGGER = "trigger"
    FILL = "fill"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened; `order` is the order as it stands afterwards."""

    kind: StepKind
    at: datetime
    order: Placed
    exec_id: ExecId | None = None
    qty: Decimal = ZERO
    px: Decimal = ZERO
    fee: Decimal = ZERO
    maker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How much of one quote an account has already had, so that no size is sold twice."""

    quote: Quote
    bought: Decimal = ZERO
    sold: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One account: cash in its only currency (fees paid already taken off), positions, open orders by symbol."""

    account_id: AccountId
    cash: Decimal
    positions: Mapping[Symbol, Position] = field(default_factory=dict)
    working: Mapping[Symbol, Mapping[OrderId, Placed]] = field(default_factory=dict)
    taken: Mapping[Symbol, Taken] = field(default_factory=dict)

    def qty(self, symbol: Symbol) -> Decimal:
        """The signed position, base units."""
        position = self.positions.get(symbol)
        return position.qty if position is not None else ZERO

    def reducible(self, symbol: Symbol, side: Side) -> Decimal:
        """How much an order on this side can reduce the position, base units."""
        return max(-side.sign * self.qty(symbol), ZERO)


def terms_of(order: Order) -> Terms:
    """The order of the desk as the exchange is asked for it; our client order id is the wire's."""
    return Terms(
        client_id=order.cl_ord_id,
        symbol=order.symbol,
        side=order.side,
        ord_type=order.ord_type,
        time_in_force=order.time_in_force,
        order_qty=order.order_qty,
        price=order.price,
        stop_px=order.stop_px,
        reduce_only=order.reduce_only,
    )


def filled(order: Placed, qty: Decimal, px: Decimal, fee: Decimal, at: datetime) -> Placed:
    """The order after one more fill; one that has ended stays ended, a late fill only adds to its sums."""
    cum_qty = order.cum_qty + qty
    status = order.status
    if not status.terminal:
        status = OrdStatus.FILLED if cum_qty >= order.terms.order_qty else OrdStatus.PARTIALLY_FILLED
    # Spelled out: `replace` costs three times as much, and this is the hot path.
    return Placed(
        order_id=order.order_id,
        terms=order.terms,
        at=at,
        status=status,
        cum_qty=cum_qty,
        cum_value=order.cum_value + qty * px,
        fees=order.fees + fee,
        fill_count=order.fill_count + 1,
        triggered=order.triggered,
        text=order.text,
    )


def fill_step(order: Placed, qty: Decimal, px: Decimal, fee: Decimal, at: datetime, *, maker: bool = False) -> Step:
    """The next fill of an order; its exec_id is the order's id and the number of the fill."""
    after = filled(order, qty, px, fee, at)
    exec_id = ExecId(f"{order.order_id}-{after.fill_count}")
    return Step(kind=StepKind.FILL, at=at, order=after, exec_id=exec_id, qty=qty, px=px, fee=fee, maker=maker)


def end_step(order: Placed, status: OrdStatus, text: str, at: datetime) -> Step:
    """The end of an order that was not filled: canceled or rejected, with why."""
    kind = StepKind.REJECT if status is OrdStatus.REJECTED else StepKind.CANCEL
    return Step(kind=kind, at=at, order=replace(order, at=at, status=status, text=text))


def trigger_step(order: Placed, at: datetime) -> Step:
    """The stop price was reached; from here on the order acts as a MARKET or LIMIT order."""
    return Step(kind=StepKind.TRIGGER, at=at, order=replace(order, at=at, triggered=True))


def apply(book: Book, step: Step) -> Book:
    """The book after one step; cash moves by the value and the fee of a fill and by nothing else."""
    cash, positions = book.cash, book.positions
    order, symbol = step.order, step.order.terms.symbol
    if step.kind is StepKind.FILL:
        signed = order.terms.side.sign * step.qty
        cash, positions = _moved(book, symbol, Change(qty=signed, value=signed * step.px, fees=step.fee))
    return Book(
        account_id=book.account_id, cash=cash, positions=positions, working=_working(book, order), taken=book.taken
    )


def _working(book: Book, order: Placed) -> Mapping[Symbol, Mapping[OrderId, Placed]]:
    symbol = order.terms.symbol
    orders = book.working.get(symbol, {})
    if not order.status.terminal:
        return {**book.working, symbol: {**orders, order.order_id: order}}
    if order.order_id not in orders:
        return book.working
    left = {order_id: other for order_id, other in orders.items() if order_id != order.order_id}
    return {**book.working, symbol: left}


def _moved(book: Book, symbol: Symbol, change: Change) -> tuple[Decimal, Mapping[Symbol, Position]]:
    """Cash and positions after a change: cash pays the value and the fees."""
    before = book.positions.get(symbol) or Position(account_id=book.account_id, symbol=symbol, sleeve=WHOLE_ACCOUNT)
    return book.cash - change.value - change.fees, {**book.positions, symbol: apply_change(before, change)}


def adjusted(book: Book, symbol: Symbol, *, qty: Decimal, px: Decimal) -> Book:
    """The book after a signed quantity came in at a price without an order."""
    cash, positions = _moved(book, symbol, Change(qty=qty, value=qty * px, fees=ZERO))
    return replace(book, cash=cash, positions=positions)

"""What lists and pages show: rows of the database as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nightdesk.model.enums import Doubt, OrdStatus
from nightdesk.orders.intent import Ticket
from nightdesk.web.plain import maybe_moment, moment, number, ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One order as lists show it."""

    cl_ord_id: str
    account_id: str
    venue: str
    signal_id: str
    leg: int
    source: str
    sleeve: str
    symbol: str
    side: str
    ord_type: str
    time_in_force: str
    order_qty: Decimal
    price: Decimal | None
    stop_px: Decimal | None
    reduce_only: bool
    closing: bool
    test: bool
    created_at: datetime
    deadline_at: datetime
    ord_status: OrdStatus
    doubt: Doubt
    current_qty: Decimal
    cum_qty: Decimal
    cum_value: Decimal
    fees: Decimal
    order_id: str | None
    code: str | None
    text: str
    updated_at: datetime
    limit: str | None = None
    value: str | None = None

    @property
    def avg_px(self) -> Decimal | None:
        """Quote currency per unit over all fills, None before the first."""
        return ratio(self.cum_value, self.cum_qty)

    @property
    def is_open(self) -> bool:
        """True while more may come of it."""
        return not self.ord_status.terminal or self.doubt is not Doubt.NONE

    @property
    def leaves_qty(self) -> Decimal:
        """What can still fill, base units."""
        return max(self.current_qty - self.cum_qty, Decimal(0)) if self.is_open else Decimal(0)

    @property
    def check(self) -> str | None:
        """Which check refused it: its text opens with the name."""
        if self.ord_status is not OrdStatus.DENIED or self.cum_qty:
            return None
        name, colon, _ = self.text.partition(":")
        return name if colon and len(name) <= 40 else None


def line_of(ticket: Ticket) -> OrderLine:
    """An order that was written a moment ago, as lists show it."""
    order, state, denied = ticket.order, ticket.state, ticket.denied
    return OrderLine(
        cl_ord_id=order.cl_ord_id,
        account_id=order.account_id,
        venue=order.venue,
        signal_id=order.signal_id,
        leg=order.leg,
        source=order.source,
        sleeve=order.sleeve,
        symbol=order.symbol,
        side=order.side.value,
        ord_type=order.ord_type.value,
        time_in_force=order.time_in_force.value,
        order_qty=order.order_qty,
        price=order.price,
        stop_px=order.stop_px,
        reduce_only=order.reduce_only,
        closing=order.closing,
        test=order.test,
        created_at=order.created_at,
        deadline_at=order.deadline_at,
        ord_status=state.ord_status,
        doubt=state.doubt,
        current_qty=state.order_qty,
        cum_qty=state.cum_qty,
        cum_value=state.cum_value,
        fees=state.fees,
        order_id=state.order_id,
        code=state.code.name if state.code is not None else None,
        text=state.text,
        updated_at=order.created_at,
        limit=denied.limit if denied is not None else None,
        value=denied.value if denied is not None else None,
    )


def order_fields(line: OrderLine) -> dict[str, object]:
    """The order as the API answers it."""
    return {
        "cl_ord_id": line.cl_ord_id,
        "signal_id": line.signal_id,
        "leg": line.leg,
        "source": line.source,
        "sleeve": line.sleeve,
        "venue": line.venue,
        "account_id": line.account_id,
        "symbol": line.symbol,
        "side": line.side,
        "ord_type": line.ord_type,
        "time_in_force": line.time_in_force,
        "order_qty": number(line.order_qty),
        "price": number(line.price),
        "stop_px": number(line.stop_px),
        "reduce_only": line.reduce_only,
        "test": line.test,
        "ord_status": line.ord_status.value,
        "doubt": line.doubt.value,
        "cum_qty": number(line.cum_qty),
        "leaves_qty": number(line.leaves_qty),
        "avg_px": number(line.avg_px),
        "fees": number(line.fees),
        "order_id": line.order_id,
        "code": line.code,
        "text": line.text,
        "check": line.check,
        "limit": line.limit,
        "value": line.value,
        "created_at": moment(line.created_at),
        "updated_at": moment(line.updated_at),
        "deadline_at": moment(line.deadline_at),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLine:
    """One signal of the ledger, traded or not. `body` is as received, its secrets blanked."""

    signal_id: str
    source: str
    hook: str
    sleeve: str
    received_at: datetime
    fired_at: datetime | None
    form: str
    explicit_id: str | None
    symbol: str
    summary: str
    outcome: str
    code: str | None
    field: str | None
    text: str
    notes: tuple[str, ...]
    first_signal_id: str | None
    test: bool
    body: str


def signal_fields(line: SignalLine) -> dict[str, object]:
    """The signal as the API answers it."""
    return {
        "signal_id": line.signal_id,
        "source": line.source,
        "hook": line.hook,
        "sleeve": line.sleeve,
        "symbol": line.symbol,
        "summary": line.summary,
        "outcome": line.outcome,
        "code": line.code,
        "field": line.field,
        "text": line.text,
        "notes": list(line.notes),
        "first_signal_id": line.first_signal_id,
        "explicit_id": line.explicit_id,
        "form": line.form,
        "test": line.test,
        "body": line.body,
        "received_at": moment(line.received_at),
        "fired_at": maybe_moment(line.fired_at),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLine:
    """One fill. `busted` is True where the venue took it back."""

    cl_ord_id: str
    exec_id: str
    key: str
    signal_id: str
    account_id: str
    venue: str
    source: str
    sleeve: str
    symbol: str
    side: str
    order_id: str | None
    last_qty: Decimal
    last_px: Decimal
    fee: Decimal
    fee_currency: str
    at: datetime
    test: bool
    busted: bool


def execution_fields(line: ExecutionLine) -> dict[str, object]:
    """The fill as the API answers it."""
    return {
        "execution_id": f"{line.cl_ord_id}.{line.exec_id}",
        "exec_id": line.exec_id,
        "cl_ord_id": line.cl_ord_id,
        "signal_id": line.signal_id,
        "source": line.source,
        "sleeve": line.sleeve,
        "venue": line.venue,
        "account_id": line.account_id,
        "symbol": line.symbol,
        "side": line.side,
        "order_id": line.order_id,
        "last_qty": number(line.last_qty),
        "last_px": number(line.last_px),
        "fee": number(line.fee),
        "fee_currency": line.fee_currency,
        "busted": line.busted,
        "test": line.test,
        "transact_time": moment(line.at),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionLine:
    """What one sleeve holds of one symbol; quantities in base units, money in quote currency."""

    account_id: str
    venue: str
    symbol: str
    sleeve: str
    qty: Decimal
    cost: Decimal
    realised_pnl: Decimal
    fees: Decimal
    updated_at: datetime
    px: Decimal | None
    """The price now, None where there is none."""
    px_at: datetime | None
    simulated: bool | None
    """True where that price is not a live one."""

    @property
    def avg_px(self) -> Decimal | None:
        """The average entry price, None when flat."""
        return ratio(self.cost, self.qty)

    @property
    def unrealised_pnl(self) -> Decimal | None:
        """The gain of the open quantity at the price now."""
        return None if self.px is None else self.qty * self.px - self.cost

    @property
    def notional(self) -> Decimal | None:
        """The value at the price now, without sign."""
        return None if self.px is None else abs(self.qty * self.px)


def position_fields(line: PositionLine) -> dict[str, object]:
    """The position as the API answers it."""
    return {
        "account_id": line.account_id,
        "venue": line.venue,
        "symbol": line.symbol,
        "sleeve": line.sleeve,
        "qty": number(line.qty),
        "avg_px": number(line.avg_px),
        "last_px": number(line.px),
        "last_px_at": maybe_moment(line.px_at),
        "simulated": line.simulated,
        "notional": number(line.notional),
        "unrealised_pnl": number(line.unrealised_pnl),
        "realised_pnl": number(line.realised_pnl),
        "fees": number(line.fees),
        "updated_at": moment(line.updated_at),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """The money of one account.

    `day_equity` is what it was worth when the UTC day began, None before the day's first order.
    """

    account_id: str
    venue: str
    currency: str
    cash: Decimal
    day_equity: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """How much came and went since 00:00 UTC: signals by outcome, orders by status, and how many are in doubt."""

    signals: dict[str, int]
    orders: dict[str, int]
    in_doubt: int

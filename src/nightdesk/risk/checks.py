"""The one gate: every order passes these checks inside the transaction that accepts it.

Each check either denies, naming the limit and the value that broke it, or leaves its mark in the verdict. Orders that
provably reduce a position skip the limits on size and exposure: nothing may stand in the way of an exit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdType, Side, TradingState
from nightdesk.model.identifiers import Symbol
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.venue import Capabilities
from nightdesk.portfolio.book import AccountBook, Stake
from nightdesk.risk.config import RiskConfig

ZERO = Decimal(0)
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order that wants to pass, and everything it is judged by."""

    order: Order
    instrument: Instrument
    capabilities: Capabilities
    quote: Quote | None
    signal_px: Decimal | None
    now: datetime
    book: AccountBook
    stake: Stake
    state: TradingState
    state_reason: str
    px_of: Mapping[Symbol, Decimal]
    recent_orders: int
    """Accepted on this account in the last 60 seconds."""
    siblings: int
    """Orders the same signal made before this one."""
    twin: bool
    """An equal order was accepted within the duplicate guard."""
    ref_px: Decimal = field(init=False)
    """The price the order is valued at: its limit where it has one, else the market's (quote currency)."""
    exposure_after: Decimal = field(init=False)
    """The most the symbol can come to with this order, whatever fills (quote currency)."""
    total_after: Decimal = field(init=False)
    """The most all symbols together can come to with this order."""
    equity: Decimal = field(init=False)

    def __post_init__(self) -> None:
        # Several checks ask for these; each is worked out once.
        order, book = self.order, self.book
        mid = self.quote.mid if self.quote is not None else None
        ref_px = _valued_at(order, mid)
        px = mid if mid is not None else ref_px
        buying = order.side is Side.BUY
        before = book.exposure(order.symbol, px)
        after = book.exposure(
            order.symbol,
            px,
            sleeve=order.sleeve,
            extra_buy=order.order_qty if buying else ZERO,
            extra_sell=ZERO if buying else order.order_qty,
        )
        derived = {
            "ref_px": ref_px,
            "exposure_after": after,
            "total_after": book.total_exposure(self.px_of) - before + after,
            "equity": book.equity(self.px_of),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def reduces(self) -> bool:
        """True when the order can only make the sleeve's position smaller, counting closes under way."""
        return self.order.closing


def _valued_at(order: Order, mid: Decimal | None) -> Decimal:
    if order.ord_type in (OrdType.LIMIT, OrdType.STOP_LIMIT) and order.price:
        return order.price
    # It will trade at the market's price, whatever it is told beside: a stop trades at once if the market is past it.
    stop_px = order.stop_px if order.ord_type is OrdType.STOP else None
    return max(mid or ZERO, stop_px or ZERO)


Mark = tuple[str, Decimal | str, Decimal | str]
"""A passed check: its name, the limit and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Proof that an order passed the gate; only an approved order is ever queued."""

    order: Order
    ref_px: Decimal
    marks: tuple[Mark, ...]


Check = Callable[[Proposal, RiskConfig], Denied | Mark | None]


def judge(proposal: Proposal, limits: RiskConfig) -> Approved | Denied:
    """The order is approved with the marks of all its checks, or denied by the first that failed."""
    own = limits.for_symbol(proposal.order.symbol) if limits.symbols else limits
    marks: list[Mark] = []
    for check in ALWAYS if proposal.reduces else FOR_OPENING:
        outcome = check(proposal, own)
        if isinstance(outcome, Denied):
            return outcome
        if outcome is not None:
            marks.append(outcome)
    return Approved(order=proposal.order, ref_px=proposal.ref_px, marks=tuple(marks))


def plain(value: Decimal) -> str:
    """A number for people: no exponent, at most eight decimals, no trailing zeros."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        value = value.quantize(_EIGHT)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_EIGHT = Decimal("1e-8")


def _above(code: DenyCode, name: str, what: str, value: Decimal, limit: Decimal, unit: str) -> Denied | Mark:
    if value > limit:
        return Denied(
            code=code,
            text=f"{name}: {what} would be {plain(value)} {unit}, the limit is {plain(limit)}",
            field="size",
            limit=plain(limit),
            value=plain(value),
        )
    return (name, limit, value)


def trading_state(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """A halted desk, or an account in doubt, takes only what reduces; a reconciling one takes nothing."""
    codes = {
        TradingState.HALTED: DenyCode.HALTED,
        TradingState.REDUCING: DenyCode.REDUCING_ONLY,
        TradingState.RECONCILING: DenyCode.RECONCILING,
    }
    code = codes.get(p.state)
    if code is None or (p.reduces and p.state is not TradingState.RECONCILING):
        return ("trading state", "ACTIVE", p.state.value)
    text = f"trading state: {code.meaning} Reason: {p.state_reason or 'none given'}"
    return Denied(code=code, text=text, limit="ACTIVE", value=p.state.value)


def supported(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """The venue can do this type and time in force; nothing is turned silently into something else."""
    can = p.capabilities
    if p.order.ord_type not in can.ord_types:
        return _unsupported(p, "order_type", p.order.ord_type.value, sorted(can.ord_types))
    if p.order.time_in_force not in can.times_in_force:
        return _unsupported(p, "time_in_force", p.order.time_in_force.value, sorted(can.times_in_force))
    if p.order.reduce_only and not can.reduce_only:
        return _unsupported(p, "reduce_only", "true", ["false"])
    return ("order type", p.order.ord_type.value, p.order.time_in_force.value)


def _unsupported(p: Proposal, name: str, value: str, able: list[str]) -> Denied:
    return Denied(
        code=DenyCode.ORD_TYPE_UNSUPPORTED,
        text=f"order type: {p.order.venue} cannot do {name} {value}; it can do {', '.join(able)}",
        field=name,
        limit=", ".join(able),
        value=value,
    )


def prices_given(p: Proposal, limits: RiskConfig) -> Denied | None:
    """A limit has its price and a stop its stop price, both on a tick."""
    needs = {
        OrdType.LIMIT: ("price",),
        OrdType.STOP: ("stop_px",),
        OrdType.STOP_LIMIT: ("price", "stop_px"),
        OrdType.MARKET: (),
    }[p.order.ord_type]
    for name in needs:
        px: Decimal | None = getattr(p.order, name)
        if px is None:
            text = f"order type: a {p.order.ord_type.value} order needs {name}"
            return Denied(code=DenyCode.FIELD_MISSING, text=text, field=name)
        if px <= 0 or not p.instrument.on_tick(px):
            tick = plain(p.instrument.tick_size)
            text = f"order type: {name} {plain(px)} is not a positive multiple of the tick {tick}"
            return Denied(code=DenyCode.FIELD_INVALID, text=text, field=name, limit=tick, value=plain(px))
    return None


def quantity(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """The quantity is positive, in whole lots and not below what the venue takes."""
    qty, instrument = p.order.order_qty, p.instrument
    if qty <= 0 or not instrument.in_lots(qty):
        text = f"quantity: {plain(qty)} is not a positive multiple of the lot {plain(instrument.lot_size)}"
        return Denied(
            code=DenyCode.QTY_INVALID, text=text, field="size", limit=plain(instrument.lot_size), value=plain(qty)
        )
    if qty < instrument.min_qty or (p.ref_px and qty * p.ref_px < instrument.min_notional and not p.reduces):
        least = f"{plain(instrument.min_qty)} {instrument.base} and {plain(instrument.min_notional)} {instrument.quote}"
        text = f"quantity: {plain(qty)} {instrument.base} is below the venue's minimum of {least}"
        return Denied(code=DenyCode.QTY_BELOW_MINIMUM, text=text, field="size", limit=least, value=plain(qty))
    return ("quantity", instrument.lot_size, qty)


def reduce_only(p: Proposal, limits: RiskConfig) -> Denied | None:
    """A reduce-only order really reduces: by our own position, less the closes under way."""
    if not p.order.reduce_only or p.reduces:
        return None
    held = plain(p.stake.position.qty)
    text = (
        f"reduce only: the sleeve {p.order.sleeve} holds {held} {p.order.symbol}, of which"
        f" {plain(p.stake.reducible(p.order.side))} can still be closed"
    )
    return Denied(code=DenyCode.NOTHING_TO_REDUCE, text=text, field="size", limit=held, value=plain(p.order.order_qty))


def price_known(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """There is a reference price, and it is fresh; without one nothing is opened."""
    if p.quote is None or p.quote.bid <= 0 or p.quote.ask < p.quote.bid:
        code = DenyCode.PRICE_MISSING
        text = f"price: no usable price of {p.order.symbol} is known"
        return Denied(code=code, text=text, field="symbol")
    # A price from the future is as doubtful as an old one: one of the two clocks was set.
    age = abs((p.now - p.quote.at).total_seconds())
    if age > limits.stale_price_seconds:
        text = (
            f"price: the last price of {p.order.symbol} is {age:.1f} s old, the limit is"
            f" {limits.stale_price_seconds:g} s"
        )
        return Denied(
            code=DenyCode.PRICE_STALE, text=text, limit=f"{limits.stale_price_seconds:g} s", value=f"{age:.1f} s"
        )
    return ("price age", f"{limits.stale_price_seconds:g} s", f"{age:.2f} s")


def price_collar(p: Proposal, limits: RiskConfig) -> Denied | Mark | None:
    """No price that would trade worse than the market by more than the collar, nor a signal priced that far off."""
    if p.quote is None:
        return None
    mid, worst, which = p.quote.mid, Decimal(0), ""
    aggressive = p.order.price if p.order.ord_type in (OrdType.LIMIT, OrdType.STOP_LIMIT) else None
    if aggressive is not None:
        worst, which = (aggressive - mid) * p.order.side.sign / mid * HUNDRED, "the price"
    if p.signal_px is not None:
        off = abs(p.signal_px - mid) / mid * HUNDRED
        if off > worst:
            worst, which = off, "the signal's price"
    if not which:
        return None
    limit = limits.price_collar_percent
    if worst > limit:
        code = DenyCode.PRICE_COLLAR
        text = f"price collar: {which} is {worst:.2f} % from the market, the limit is {plain(limit)} %"
        return Denied(code=code, text=text, field="price", limit=f"{plain(limit)} %", value=f"{worst:.2f} %")
    return ("price collar", f"{plain(limit)} %", f"{max(worst, ZERO):.2f} %")


def order_qty(p: Proposal, limits: RiskConfig) -> Denied | Mark | None:
    """The quantity is within the limit for one order."""
    if limits.max_order_qty is None:
        return None
    unit = p.instrument.base
    return _above(
        DenyCode.MAX_ORDER_QTY, "order quantity", "the quantity", p.order.order_qty, limits.max_order_qty, unit
    )


def order_notional(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """The value is within the limit for one order."""
    value = p.order.order_qty * p.ref_px
    unit = p.instrument.quote
    return _above(DenyCode.MAX_ORDER_NOTIONAL, "order value", "the value", value, limits.max_order_notional, unit)


def symbol_exposure(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """Position and open orders of the symbol stay within its limit whatever fills."""
    value = p.exposure_after
    unit = p.instrument.quote
    code = DenyCode.MAX_SYMBOL_EXPOSURE
    return _above(code, "symbol exposure", f"exposure in {p.order.symbol}", value, limits.max_symbol_exposure, unit)


def total_exposure(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """All positions and open orders together stay within the limit whatever fills."""
    value = p.total_after
    unit = p.instrument.quote
    code = DenyCode.MAX_TOTAL_EXPOSURE
    return _above(code, "total exposure", "total exposure", value, limits.max_total_exposure, unit)


def leverage(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """Total exposure stays within the allowed multiple of equity."""
    if p.equity <= 0:
        text = f"leverage: equity is {plain(p.equity)} {p.book.currency}, so nothing can be opened"
        return Denied(code=DenyCode.MAX_LEVERAGE, text=text, limit=plain(limits.max_leverage), value="none")
    code = DenyCode.MAX_LEVERAGE
    return _above(code, "leverage", "exposure over equity", p.total_after / p.equity, limits.max_leverage, "times")


def open_order_value(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """All open orders together stay within the limit."""
    value = p.book.open_order_value() + p.order.order_qty * p.ref_px
    unit = p.instrument.quote
    code = DenyCode.MAX_OPEN_ORDER_VALUE
    return _above(code, "open order value", "the value of open orders", value, limits.max_open_order_value, unit)


def daily_loss(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """Equity has not fallen by the limit since the day began (00:00 UTC)."""
    lost = max(p.book.day_equity - p.equity, Decimal(0))
    if lost >= limits.max_daily_loss:
        code = DenyCode.DAILY_LOSS
        text = f"daily loss: {plain(lost)} {p.book.currency} lost today, the limit is {plain(limits.max_daily_loss)}."
        return Denied(code=code, text=text, limit=plain(limits.max_daily_loss), value=plain(lost))
    return ("daily loss", limits.max_daily_loss, lost)


def order_rate(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """No more orders in a minute than allowed."""
    if p.recent_orders >= limits.max_orders_per_minute:
        text = (
            f"order rate: {p.recent_orders} orders were accepted in the last 60 s, the limit is"
            f" {limits.max_orders_per_minute}"
        )
        return Denied(
            code=DenyCode.RATE_PER_MINUTE,
            text=text,
            limit=str(limits.max_orders_per_minute),
            value=str(p.recent_orders),
        )
    return ("order rate", str(limits.max_orders_per_minute), str(p.recent_orders))


def children(p: Proposal, limits: RiskConfig) -> Denied | Mark:
    """One signal makes no more orders than allowed."""
    value, limit = Decimal(p.siblings + 1), Decimal(limits.max_children_per_signal)
    return _above(DenyCode.CHILDREN_PER_PARENT, "orders of the signal", "their number", value, limit, "orders")


def duplicate_order(p: Proposal, limits: RiskConfig) -> Denied | None:
    """No equal order within the guard."""
    if not p.twin:
        return None
    seconds = f"{limits.duplicate_guard_seconds:g} s"
    text = f"duplicate guard: an equal order was accepted within {seconds}"
    return Denied(code=DenyCode.DUPLICATE_ORDER, text=text, limit=seconds)


ALWAYS: tuple[Check, ...] = (trading_state, supported, prices_given, quantity, reduce_only, price_collar, children)
FOR_OPENING: tuple[Check, ...] = (
    trading_state,
    supported,
    reduce_only,
    prices_given,
    price_known,
    quantity,
    price_collar,
    duplicate_order,
    order_qty,
    order_notional,
    symbol_exposure,
    open_order_value,
    total_exposure,
    leverage,
    daily_loss,
    order_rate,
    children,
)

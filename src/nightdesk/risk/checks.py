"""The one gate: every order passes these checks inside the transaction that accepts it.

Each check either denies, naming the limit and the value that broke it, or leaves its mark in the verdict. Orders that
provably reduce a position skip the limits on size and exposure: nothing may stand in the way of an exit.
"""

from collections.abc import Callable
from decimal import Decimal

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdType, TradingState
from nightdesk.risk.config import RiskConfig
from nightdesk.risk.proposal import ZERO, Approved, Mark, Proposal, plain

HUNDRED = Decimal(100)


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


def market_hours(p: Proposal, limits: RiskConfig) -> Denied | Mark | None:
    """A market order meets an open market; what rests at the venue may wait for it."""
    hours = p.instrument.hours
    if hours is None or p.order.ord_type is not OrdType.MARKET:
        return None
    if not hours.open_at(p.now):
        text = f"market hours: {p.order.symbol} trades {hours}, and it is {p.now:%A %H:%M} UTC"
        return Denied(
            code=DenyCode.MARKET_CLOSED, text=text, field="symbol", limit=str(hours), value=f"{p.now:%H:%M} UTC"
        )
    return ("market hours", str(hours), "open")


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
    # How far the market has moved since the signal is a reason not to open; it is none not to get out.
    if p.signal_px is not None and not p.reduces:
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


ALWAYS: tuple[Check, ...] = (
    trading_state,
    supported,
    market_hours,
    prices_given,
    quantity,
    reduce_only,
    price_collar,
    children,
)
FOR_OPENING: tuple[Check, ...] = (
    trading_state,
    supported,
    market_hours,
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

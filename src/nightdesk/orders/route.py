"""From what a signal asks to one draft per leg: which way, how much, and what kind of order. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim, Ask, Size
from nightdesk.orders.intent import Destination, Intent, Want
from nightdesk.portfolio.book import AccountBook, Stake
from nightdesk.risk.proposal import plain
from nightdesk.risk.sizing import quantity_of

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One leg before the gate: `order_qty` in base units, cut to whole lots."""

    destination: Destination
    ask: Ask
    side: Side
    order_qty: Decimal
    reduce_only: bool
    time_in_force: TimeInForce
    denied: Denied | None = None
    """Set where the leg is refused before any check: it is recorded all the same."""


def draft(want: Want, destination: Destination, intent: Intent, book: AccountBook, stake: Stake) -> Draft | str:
    """The leg this destination gets, or in words why there is nothing to do for it."""
    try:
        sized = _sized(want, destination, intent, book, stake)
    except Refused as error:
        side = want.ask.side or Side.BUY
        denied = Denied(code=error.code, text=error.text, field=error.field)
        return _draft(want, destination, side, ZERO, reduce_only=want.ask.reduce_only, denied=denied)
    if isinstance(sized, str):
        return sized
    side, qty, reduce_only = sized
    # The hook limits what a signal may ask for; what closes a position asks for no more than is held.
    closes = want.ask.aim is not Aim.TRADE and qty <= stake.reducible(side)
    too_large = None if closes else _above_hook_maximum(intent, want, qty)
    if too_large is None and not intent.allow_short and side is Side.SELL and qty > stake.reducible(Side.SELL):
        held = stake.reducible(Side.SELL)
        if held == 0:
            return f"a sell was asked for, the hook does not short, and {intent.signal.sleeve} holds no {want.symbol}"
        qty = held
    return _draft(want, destination, side, qty, reduce_only=reduce_only, denied=too_large)


def _draft(
    want: Want, destination: Destination, side: Side, qty: Decimal, *, reduce_only: bool, denied: Denied | None
) -> Draft:
    default = TimeInForce.IOC if want.ask.ord_type is OrdType.MARKET else TimeInForce.GTC
    tif = want.ask.time_in_force or (default if default in destination.capabilities.times_in_force else TimeInForce.GTC)
    return Draft(
        destination=destination,
        ask=want.ask,
        side=side,
        order_qty=qty,
        reduce_only=reduce_only,
        time_in_force=tif,
        denied=denied,
    )


def _sized(
    want: Want, destination: Destination, intent: Intent, book: AccountBook, stake: Stake
) -> tuple[Side, Decimal, bool] | str:
    ask, instrument = want.ask, destination.instrument
    if ask.aim is Aim.TARGET:
        return _to_target(ask, stake, destination)
    if ask.aim is Aim.CLOSE:
        return _to_close(want, intent, book, stake, destination)
    if ask.side is None:
        raise Refused(DenyCode.FIELD_MISSING, "the signal names no side", field="side")
    qty = _quantity(want, ask.size or intent.default_size, destination, book, stake)
    if qty == 0:
        raise Refused(
            DenyCode.QTY_INVALID,
            f"the size comes to less than one lot ({plain(instrument.lot_size)} {instrument.base})",
            field="size",
        )
    if ask.reduce_only:
        reducible = stake.reducible(ask.side)
        qty = min(qty, reducible) if reducible else qty
    return ask.side, qty, ask.reduce_only


def _to_target(ask: Ask, stake: Stake, destination: Destination) -> tuple[Side, Decimal, bool] | str:
    target = ask.target_qty if ask.target_qty is not None else ZERO
    difference = target - stake.expected_qty
    qty = destination.instrument.round_qty(abs(difference))
    if qty == 0:
        return f"the position is, or is on its way to, {plain(stake.expected_qty)} already"
    side = Side.BUY if difference > 0 else Side.SELL
    reduces = qty <= stake.reducible(side) and destination.capabilities.reduce_only
    return side, qty, reduces


def _to_close(
    want: Want, intent: Intent, book: AccountBook, stake: Stake, destination: Destination
) -> tuple[Side, Decimal, bool] | str:
    held = stake.position.qty
    if held == 0:
        return f"there is no position of {intent.signal.sleeve} in {want.symbol} to close"
    side = Side.SELL if held > 0 else Side.BUY
    if want.ask.side is not None and want.ask.side is not side.opposite:
        word = "long" if want.ask.side is Side.BUY else "short"
        return f"there is no {word} position of {intent.signal.sleeve} in {want.symbol} to close"
    reducible = stake.reducible(side)
    qty = reducible
    if want.ask.size is not None:
        qty = min(_quantity(want, want.ask.size, destination, book, stake), reducible)
    qty = destination.instrument.round_qty(qty)
    if qty == 0:
        return f"the position of {intent.signal.sleeve} in {want.symbol} is being closed already"
    return side, qty, destination.capabilities.reduce_only


def _quantity(want: Want, size: Size | None, destination: Destination, book: AccountBook, stake: Stake) -> Decimal:
    if size is None:
        raise Refused(DenyCode.SIZE_UNKNOWN, "the signal names no size and the hook has no default one", field="size")
    mid = want.quote.mid if want.quote is not None else None
    return quantity_of(
        size,
        destination.instrument,
        px=_price(want),
        equity=book.equity({want.symbol: mid} if mid is not None else {}),
        position_qty=stake.position.qty,
        stop_px=want.ask.stop_loss_px,
    )


def _price(want: Want) -> Decimal | None:
    """What the order will trade at, as far as is known: its limit, or the market's price whatever else it names."""
    if want.ask.ord_type in (OrdType.LIMIT, OrdType.STOP_LIMIT) and want.ask.price is not None:
        return want.ask.price
    return want.quote.mid if want.quote is not None else None


def _above_hook_maximum(intent: Intent, want: Want, qty: Decimal) -> Denied | None:
    if intent.max_qty is not None and qty > intent.max_qty:
        return _too_large("size", plain(qty), plain(intent.max_qty))
    px = _price(want)
    if intent.max_notional is not None and px is not None and qty * px > intent.max_notional:
        return _too_large("value", plain(qty * px), plain(intent.max_notional))
    return None


def _too_large(what: str, value: str, limit: str) -> Denied:
    return Denied(
        code=DenyCode.SIZE_ABOVE_HOOK_MAXIMUM,
        text=f"hook maximum: the {what} is {value}, the hook's limit is {limit}",
        field="size",
        limit=limit,
        value=value,
    )

"""What the gate judges, and the proof that it passed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from nightdesk.model.enums import OrdType, Side, TradingState
from nightdesk.model.identifiers import Symbol
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.venue import Capabilities
from nightdesk.portfolio.book import AccountBook, Stake

ZERO = Decimal(0)


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


def plain(value: Decimal) -> str:
    """A number for people: no exponent, at most eight decimals, no trailing zeros."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        value = value.quantize(_EIGHT)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_EIGHT = Decimal("1e-8")

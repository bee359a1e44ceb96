"""What can be traded, and the steps its prices and quantities move in."""

from dataclasses import dataclass
from datetime import datetime, time
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from nightdesk.model.identifiers import Symbol, VenueId


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingHours:
    """When a market is open: on these weekdays (Monday is 0), from and until these times in its own zone.

    Holidays and half days are not known here.
    """

    zone: str
    opens: time
    closes: time
    weekdays: frozenset[int] = frozenset(range(5))

    def open_at(self, moment: datetime) -> bool:
        """True when the market trades at the aware moment."""
        local = moment.astimezone(ZoneInfo(self.zone))
        return local.weekday() in self.weekdays and self.opens <= local.time() < self.closes

    def __str__(self) -> str:
        return f"{self.opens:%H:%M} to {self.closes:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One thing one venue lists: `symbol` is our name, `venue_symbol` theirs.

    Prices are in `quote` per one `base`; quantities in `base`.
    """

    symbol: Symbol
    venue: VenueId
    venue_symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    shortable: bool = True
    hours: TradingHours | None = None
    """None: trades at any time."""

    def round_qty(self, qty: Decimal) -> Decimal:
        """The quantity cut down to whole lots (never rounded up, so never more than was asked)."""
        return (qty / self.lot_size).to_integral_value(rounding=ROUND_DOWN) * self.lot_size

    def round_px(self, px: Decimal) -> Decimal:
        """The price on the nearest tick."""
        return (px / self.tick_size).to_integral_value(rounding=ROUND_HALF_EVEN) * self.tick_size

    def in_lots(self, qty: Decimal) -> bool:
        """True when the quantity is a whole number of lots."""
        return qty % self.lot_size == 0

    def on_tick(self, px: Decimal) -> bool:
        """True when the price lies on a tick."""
        return px % self.tick_size == 0

"""What can be traded, and the steps its prices and quantities move in."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from nightdesk.model.identifiers import Symbol, VenueId


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

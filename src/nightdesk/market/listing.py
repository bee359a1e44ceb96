"""The steps in which simulated, recorded and live symbols trade on paper."""

from decimal import Decimal

from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.instrument import Instrument

_STEPS = {
    "BTC-USD": (Decimal("0.01"), Decimal("0.00001")),
    "ETH-USD": (Decimal("0.01"), Decimal("0.0001")),
    "SOL-USD": (Decimal("0.01"), Decimal("0.001")),
    "EUR-USD": (Decimal("0.00001"), Decimal("1")),
    "SPY": (Decimal("0.01"), Decimal("1")),
}


def instrument(symbol: Symbol, venue: VenueId, *, near: Decimal | None = None) -> Instrument:
    """The instrument a venue lists for a symbol: `BASE-QUOTE`, or a bare ticker that is quoted in USD.

    Symbols without known steps get a tick of six significant digits of the price `near` (at most 1), and a lot worth
    between a tenth and one unit of the quote currency; without a price both are 1e-8.
    """
    base, _, quote = symbol.partition("-")
    tick, lot = _STEPS.get(symbol) or _steps_near(near)
    return Instrument(
        symbol=symbol,
        venue=venue,
        venue_symbol=symbol,
        base=base,
        quote=quote or "USD",
        tick_size=tick,
        lot_size=lot,
        min_qty=lot,
        min_notional=Decimal(1) if quote in {"", "USD", "USDT", "USDC"} else Decimal(0),
    )


def _steps_near(price: Decimal | None) -> tuple[Decimal, Decimal]:
    if price is None:
        return Decimal("1e-8"), Decimal("1e-8")
    magnitude = price.adjusted()
    return _ten_to(min(0, magnitude - 5)), _ten_to(-magnitude - 1)


def _ten_to(exponent: int) -> Decimal:
    # Through text, so that ten stays 10 and does not become 1E+1 on a page.
    return Decimal(f"{Decimal(1).scaleb(exponent):f}")

"""Settings of the risk gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Annotated

from nightdesk.runtime.config_tree import Amount, Count, Range, Seconds, SymbolNames


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolLimits:
    """Limits of one symbol in the place of the general ones; a key left out keeps the general limit."""

    max_order_qty: Amount | None = None
    """The largest quantity of one order (base units)."""
    max_order_notional: Amount | None = None
    """The largest value of one order (quote currency)."""
    price_collar_percent: Amount | None = None
    """How far a limit, stop or signal price may lie from the market (percent)."""
    max_symbol_exposure: Amount | None = None
    """The largest value of position and open orders in the symbol (quote currency)."""
    stale_price_seconds: Seconds | None = None
    """A price older than this opens no position (seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskConfig:
    """Limits checked on every order of an account; values are in quote currency."""

    max_order_qty: Amount | None = None
    """The largest quantity of one order (base units); none: no limit but the others."""
    max_order_notional: Amount = Decimal("25000")
    """The largest value of one order."""
    price_collar_percent: Amount = Decimal("5")
    """How far a limit, stop or signal price may lie from the market (percent)."""
    max_symbol_exposure: Amount = Decimal("50000")
    """The largest value of position and open orders in one symbol."""
    max_total_exposure: Amount = Decimal("200000")
    """The largest value of all positions and open orders."""
    max_open_order_value: Amount = Decimal("100000")
    """The largest value of all open orders."""
    max_leverage: Amount = Decimal("3")
    """The largest multiple of equity that total exposure may reach."""
    max_daily_loss: Amount = Decimal("5000")
    """A loss today of this much ends new exposure until the next day."""
    max_orders_per_minute: Count = 120
    """Orders accepted in any 60 seconds."""
    max_children_per_signal: Count = 20
    """Orders that one signal may make."""
    duplicate_guard_seconds: Annotated[float, Range(at_least=0)] = 0.0
    """An equal order within this time is denied (seconds). 0 is off: hooks already take the same alert once."""
    stale_price_seconds: Seconds = 30.0
    """A price older than this opens no position (seconds)."""
    symbols: Annotated[Mapping[str, SymbolLimits], SymbolNames()] = field(default_factory=dict)
    """Limits of single symbols, in tables of their own: [risk.symbols.BTC-USD]."""

    def for_symbol(self, symbol: str) -> "RiskConfig":
        """The limits that hold for the symbol: its own where it has them, the general ones elsewhere."""
        own = self.symbols.get(symbol)
        if own is None:
            return self
        values = {each.name: getattr(own, each.name) for each in fields(own)}
        return replace(self, **{name: value for name, value in values.items() if value is not None})

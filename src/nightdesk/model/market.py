"""Prices as the desk sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from nightdesk.model.identifiers import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The best prices of one symbol at one moment; sizes are in base units, None where the source has none."""

    symbol: Symbol
    bid: Decimal
    ask: Decimal
    last: Decimal
    at: datetime
    source: str
    """`simulated`, `recorded` or the venue's name."""
    simulated: bool
    """True for every price that is not a live one: shown beside each figure made from it."""
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None

    @property
    def mid(self) -> Decimal:
        """Half way between bid and ask, in quote currency."""
        return (self.bid + self.ask) / 2


class Prices(Protocol):
    """Who knows the newest price of a symbol."""

    def quote(self, symbol: Symbol) -> Quote | None:
        """The newest quote, or None where none was ever seen."""

    def symbols(self) -> tuple[Symbol, ...]:
        """All symbols that are quoted."""

    def subscribe(self, listener: Callable[[Quote], None]) -> Callable[[], None]:
        """Calls the listener with every new quote, in the feed's thread, until the returned function is called."""

"""The newest price of every symbol, for every thread."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from nightdesk.model.identifiers import Symbol
from nightdesk.model.market import Quote

_log = logging.getLogger(__name__)
_SMALLEST = Decimal("1e-18")
_LARGEST = Decimal("1e18")

Point = tuple[Decimal, datetime]
"""A mid price and its moment."""


class Freshness(StrEnum):
    """How far a price can be trusted."""

    FRESH = "FRESH"
    STALE = "STALE"
    MISSING = "MISSING"


def freshness(quote: Quote | None, now: datetime, stale_after: float) -> Freshness:
    """MISSING where there is no quote, STALE when it is more than `stale_after` seconds away from now, else FRESH.

    A quote from the future is as doubtful as an old one: one of the two clocks was set.
    """
    if quote is None:
        return Freshness.MISSING
    return Freshness.STALE if abs((now - quote.at).total_seconds()) > stale_after else Freshness.FRESH


def flaw(quote: Quote) -> str | None:
    """What is wrong with a quote in words, None when it can be a real one."""
    for name, price in (("bid", quote.bid), ("ask", quote.ask), ("last", quote.last)):
        if not price.is_finite():
            return f"{name} is not a finite number"
        if not _SMALLEST <= price <= _LARGEST:
            return f"{name} is not between 1e-18 and 1e18"
    if quote.bid > quote.ask:
        return "bid is above ask"
    for name, size in (("bid_size", quote.bid_size), ("ask_size", quote.ask_size)):
        if size is not None and not (size.is_finite() and 0 <= size <= _LARGEST):
            return f"{name} is not between 0 and 1e18"
    return "at has no time zone" if quote.at.tzinfo is None else None


class PriceBoard:
    """The newest price of every symbol (`model.market.Prices`): one thread writes, any reads without waiting.

    Readers see whole values only: what they read is replaced, never changed in place.
    """

    def __init__(self, *, points: int = 240, spacing: timedelta = timedelta(seconds=1)) -> None:
        self._points = points
        self._spacing = spacing
        self._quotes: dict[Symbol, Quote] = {}
        self._history: dict[Symbol, tuple[Point, ...]] = {}
        self._listeners: dict[int, Callable[[Quote], None]] = {}
        self._failing: set[int] = set()
        self._tickets = 0
        self._lock = threading.Lock()
        self.rejected = 0
        """How many quotes were nonsense and were dropped."""
        self.last_flaw: str | None = None
        """What was wrong with the latest of them."""

    def update(self, quote: Quote) -> bool:
        """The quote is the newest of its symbol and all listeners have seen it; False when it was nonsense, dropped."""
        wrong = flaw(quote)
        if wrong is not None:
            self.rejected += 1
            self.last_flaw = f"{quote.symbol} from {quote.source}: {wrong}"
            return False
        self._remember(quote)
        for ticket, listener in self._listeners.items():
            self._tell(ticket, listener, quote)
        return True

    def quote(self, symbol: Symbol) -> Quote | None:
        """The newest quote, or None where none was ever seen."""
        return self._quotes.get(symbol)

    def symbols(self) -> tuple[Symbol, ...]:
        """All symbols that are quoted, in the order they first came."""
        return tuple(self._quotes)

    def subscribe(self, listener: Callable[[Quote], None]) -> Callable[[], None]:
        """Calls the listener with every new quote, in the feed's thread, until the returned function is called."""
        with self._lock:
            self._tickets += 1
            ticket = self._tickets
            self._listeners = {**self._listeners, ticket: listener}

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = {key: kept for key, kept in self._listeners.items() if key != ticket}
                self._failing.discard(ticket)

        return unsubscribe

    def age(self, symbol: Symbol, now: datetime) -> timedelta | None:
        """How old the newest quote is, None where there is none."""
        quote = self._quotes.get(symbol)
        return None if quote is None else now - quote.at

    def history(self, symbol: Symbol) -> tuple[Point, ...]:
        """The last mid prices with their moments, oldest first: bounded, and at most one per spacing (1 s)."""
        return self._history.get(symbol, ())

    def _remember(self, quote: Quote) -> None:
        symbol = quote.symbol
        if symbol in self._quotes:
            self._quotes[symbol] = quote
        else:
            # Only a new symbol changes the size of the dict, which a reader in the middle of it would not survive.
            self._quotes = {**self._quotes, symbol: quote}
            self._history = {**self._history, symbol: ()}
        past = self._history[symbol]
        # abs: a clock set back must not stop the line until it has caught up.
        if not past or abs(quote.at - past[-1][1]) >= self._spacing:
            self._history[symbol] = (*past[-(self._points - 1) :], (quote.mid, quote.at))

    def _tell(self, ticket: int, listener: Callable[[Quote], None], quote: Quote) -> None:
        try:
            listener(quote)
        except Exception:  # noqa: BLE001  one listener's fault must neither stop the feed nor starve the others
            if ticket not in self._failing:
                self._failing.add(ticket)
                _log.exception("a listener failed on a price of %s; further failures are not logged", quote.symbol)
        else:
            self._failing.discard(ticket)

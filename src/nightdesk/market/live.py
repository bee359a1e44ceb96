"""Live public prices through CCXT: asked for over and over, never made up."""

import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from nightdesk.market.board import PriceBoard
from nightdesk.market.errors import FeedError
from nightdesk.market.listing import instrument
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import Clock

_log = logging.getLogger(__name__)
_TIMEOUT = 10.0
_FIRST_TIMEOUT = 60.0
"""The first request to an exchange also loads its whole list of markets."""
_SHORTEST_INTERVAL = 2.0
_LONGEST_PAUSE = 60.0
SYMBOLS = (Symbol("BTC-USD"), Symbol("ETH-USD"), Symbol("SOL-USD"))
"""What is asked for when nothing is configured."""


class Exchange(Protocol):
    """What is used of a CCXT exchange."""

    has: Mapping[str, Any]

    async def load_markets(self) -> Mapping[str, Any]:
        """Its markets by CCXT symbol, from memory after the first time."""

    async def fetch_tickers(self, symbols: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """Tickers by CCXT symbol."""

    async def fetch_ticker(self, symbol: str) -> Mapping[str, Any]:
        """One ticker."""

    async def close(self) -> None:
        """Lets go of its sockets."""


def load_exchange() -> Callable[[str], Exchange]:
    """Something that makes an exchange of its CCXT id; FeedError for an id CCXT does not know.

    Importing CCXT takes seconds, which is why the caller says when.
    """
    import ccxt.async_support as ccxt

    def make(name: str) -> Exchange:
        if name not in ccxt.exchanges:
            raise FeedError(f"market.exchanges names {name!r}, which CCXT does not know; use ids such as kraken")
        exchange = getattr(ccxt, name)({"enableRateLimit": True, "timeout": int(_TIMEOUT * 1000)})
        exchange.number = str  # else CCXT turns every price into a float
        made: Exchange = exchange
        return made

    return make


class LiveFeed:
    """Asks one exchange after the other until one answers, and stays with it while it does."""

    simulated = False

    def __init__(
        self,
        *,
        exchanges: Sequence[str],
        load: Callable[[str], Exchange],
        rng: random.Random,
        symbols: Sequence[str] = (),
        interval: float = _SHORTEST_INTERVAL,
    ) -> None:
        if not exchanges:
            raise FeedError("market.exchanges is empty; name at least one CCXT exchange id, such as kraken")
        self.symbols = tuple(Symbol(symbol) for symbol in symbols) or SYMBOLS
        self._exchanges = {name: load(name) for name in exchanges}
        self._loaded: set[str] = set()
        self._interval = max(interval, _SHORTEST_INTERVAL)
        self._rng = rng
        self._failures = 0
        self._unlisted: set[tuple[str, Symbol]] = set()

    def describe(self) -> str:
        """Words for the page and the log."""
        return f"live public prices from {', else '.join(self._exchanges)}"

    def instruments(self, venue: VenueId) -> tuple[Instrument, ...]:
        """What a paper venue lists for this market."""
        return tuple(instrument(symbol, venue) for symbol in self.symbols)

    async def run(self, board: PriceBoard, clock: Clock) -> None:
        """Quotes what the exchanges answer until cancelled; while none answers, prices stay as old as they are."""
        try:
            while True:
                await self._round(board, clock)
                await clock.sleep(self._pause())
        finally:
            for exchange in self._exchanges.values():
                with contextlib.suppress(Exception):  # the sockets of a failed exchange may be gone already
                    await exchange.close()

    async def _round(self, board: PriceBoard, clock: Clock) -> None:
        faults = []
        for name, exchange in tuple(self._exchanges.items()):
            try:
                await self._ask(name, exchange, board, clock)
            except Exception as e:  # noqa: BLE001  an untyped library over a network: whatever it raises, no price came
                faults.append(f"{name}: {type(e).__name__}")
                # Whoever failed is asked last from now on.
                self._exchanges[name] = self._exchanges.pop(name)
            else:
                if self._failures:
                    _log.info("live prices are back, from %s", name)
                self._failures = 0
                return
        if not self._failures:
            _log.warning(
                "live prices cannot be had (%s); they stay missing until an exchange answers, and nothing is made up. "
                "Without a network, set market.source to simulated",
                "; ".join(faults),
            )
        self._failures += 1

    def _pause(self) -> float:
        if not self._failures:
            return self._interval
        longest = min(_LONGEST_PAUSE, self._interval * 2.0 ** min(self._failures, 10))
        return longest * self._rng.uniform(0.5, 1.0)

    async def _ask(self, name: str, exchange: Exchange, board: PriceBoard, clock: Clock) -> None:
        async with clock.timeout(_TIMEOUT if name in self._loaded else _FIRST_TIMEOUT):
            markets = await exchange.load_markets()
            self._loaded.add(name)
            listed = {theirs: ours for ours in self.symbols if (theirs := ours.replace("-", "/")) in markets}
            self._say_unlisted(name, set(self.symbols) - set(listed.values()))
            if not listed:
                raise FeedError(f"{name} lists none of {', '.join(self.symbols)}")
            if exchange.has.get("fetchTickers"):
                tickers = await exchange.fetch_tickers(list(listed))
            else:
                tickers = {theirs: await exchange.fetch_ticker(theirs) for theirs in listed}
        at = clock.now()
        quotes = [
            Quote(symbol=ours, bid=bid, ask=ask, last=last, at=at, source=name, simulated=False)
            for theirs, ours in listed.items()
            if (prices := _prices(tickers.get(theirs))) is not None
            for bid, ask, last in (prices,)
        ]
        taken = [board.update(quote) for quote in quotes]
        if not any(taken):
            raise FeedError(f"{name} answered without a usable price")

    def _say_unlisted(self, name: str, symbols: set[Symbol]) -> None:
        for symbol in sorted(symbols):
            if (name, symbol) not in self._unlisted:
                self._unlisted.add((name, symbol))
                _log.warning("%s lists no %s; it has no live price from there", name, symbol)


def _prices(ticker: Mapping[str, Any] | None) -> tuple[Decimal, Decimal, Decimal] | None:
    """Bid, ask and last; None where the ticker lacks one of them."""
    if ticker is None:
        return None
    bid, ask, last = (_decimal(ticker.get(key)) for key in ("bid", "ask", "last"))
    return None if bid is None or ask is None or last is None else (bid, ask, last)


def _decimal(value: object) -> Decimal | None:
    if not isinstance(value, str | int | float | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None

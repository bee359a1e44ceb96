"""A recorded market, played again at any speed."""

import logging
import math
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

from nightdesk.market.board import PriceBoard
from nightdesk.market.errors import FeedError
from nightdesk.market.listing import instrument
from nightdesk.market.pace import Pace
from nightdesk.market.recording import read_bars, survey
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import Clock

_log = logging.getLogger(__name__)
_QUOTES_PER_BAR = 4
_TIMEFRAME = re.compile(r"\d+(s|m|min|h|d|w)|[mhd]\d+")
_PAIR = re.compile(r"([a-z]{3,6})(usd|usdt|usdc|eur|gbp|jpy)")
_QUOTE_CURRENCIES = frozenset({"usd", "usdt", "usdc", "eur", "gbp", "jpy", "btc", "eth"})
_LONGEST_TICKER = 5


def symbol_in(name: str) -> Symbol | None:
    """The symbol a file name tells: `btc_usd_1h_x` BTC-USD, `eurusd_1h` EUR-USD, `spy_1d` SPY; None where it does not.

    What counts is what stands before the time frame.
    """
    words: list[str] = []
    for word in re.split(r"[^a-z0-9]+", name.lower()):
        if _TIMEFRAME.fullmatch(word):
            break
        words.append(word)
    match words:
        case [base, quote] if base.isalpha() and quote in _QUOTE_CURRENCIES:
            return Symbol(f"{base}-{quote}".upper())
        case [word] if pair := _PAIR.fullmatch(word):
            return Symbol(f"{pair[1]}-{pair[2]}".upper())
        case [word] if word.isalpha() and len(word) <= _LONGEST_TICKER:
            return Symbol(word.upper())
        case _:
            return None


class ReplayFeed:
    """Plays one recorded file: each bar as open, low and high, close, evenly spread over the bar's time.

    Bars follow each other without the pauses of the recording (nights, gaps). Quotes carry the moment they are
    played at, not the recorded one. The spread is laid evenly around the recorded price and is ours.
    """

    simulated = True

    def __init__(
        self,
        path: Path,
        *,
        symbols: Sequence[str] = (),
        speed: float = 1.0,
        loop: bool = False,
        spread_bps: float = 2.0,
        stale_after: float = math.inf,
    ) -> None:
        if not path.is_file():
            raise FeedError(
                f"market.source {str(path)!r} is not a file; name a recorded .parquet or .csv file, simulated or live"
            )
        self._path = path
        self._symbol = _chosen(path, symbols)
        self._survey = survey(path)
        self._speed = speed
        self._wait = self._survey.spacing.total_seconds() / _QUOTES_PER_BAR / speed
        self._loop = loop
        self._half_spread = Decimal(str(spread_bps)) / 20_000
        self._tick = self.instruments(VenueId(""))[0].tick_size
        self.symbols = (self._symbol,)
        if self._wait > stale_after:
            _log.warning(
                "%s at speed %g gives a price every %.0f s and a price is stale after %g s; "
                "set market.speed to at least %.0f",
                path.name,
                speed,
                self._wait,
                stale_after,
                math.ceil(self._wait * speed / stale_after),
            )

    def describe(self) -> str:
        """Words for the page and the log."""
        held = self._survey
        pace = "as fast as possible" if math.isinf(self._speed) else f"at {self._speed:g}x"
        return f"recorded market, {self._path.name}, {held.first:%Y-%m-%d} to {held.last:%Y-%m-%d}, {pace}"

    def instruments(self, venue: VenueId) -> tuple[Instrument, ...]:
        """What a paper venue lists for this market."""
        return (instrument(self._symbol, venue, near=self._survey.first_price),)

    async def run(self, board: PriceBoard, clock: Clock) -> None:
        """Plays the file to its end and returns, or plays it again and again when told to loop."""
        pace = Pace(clock)
        while True:
            for bar in read_bars(self._path):
                for price in bar.path():
                    board.update(self._quote(price, clock.now()))
                    await pace.wait(self._wait)
            if not self._loop:
                break
        _log.info("%s has ended after %d bars; its prices turn stale now", self._path.name, self._survey.rows)

    def _quote(self, price: Decimal, at: datetime) -> Quote:
        tick = self._tick
        bid = max(tick, (price * (1 - self._half_spread) / tick).to_integral_value(ROUND_FLOOR) * tick)
        ask = max(bid, (price * (1 + self._half_spread) / tick).to_integral_value(ROUND_CEILING) * tick)
        last = max(tick, (price / tick).to_integral_value() * tick)
        return Quote(symbol=self._symbol, bid=bid, ask=ask, last=last, at=at, source="recorded", simulated=True)


def _chosen(path: Path, symbols: Sequence[str]) -> Symbol:
    if len(symbols) > 1:
        raise FeedError(f"{path} is one recorded symbol and market.symbols names {len(symbols)}; name one")
    if symbols:
        return Symbol(symbols[0])
    symbol = symbol_in(path.stem)
    if symbol is None:
        raise FeedError(f"the name of {path} does not tell its symbol; set market.symbols to it, for example BTC-USD")
    return symbol

"""A market that is made up: correlated walks through calm, trends, gaps and crashes, the same for the same seed."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nightdesk.market.board import PriceBoard
from nightdesk.market.errors import FeedError
from nightdesk.market.listing import instrument
from nightdesk.market.pace import Pace
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import Clock

_BPS = 1e-4
_HOMEWARD = 1e-4
"""The share of its distance from the start price that a symbol is pulled back by at each step: at four steps a
second half the way in half an hour, so a desk left running for weeks keeps believable prices."""
_FARTHEST = 1.0
"""No price leaves start / e .. start * e."""


class Regime(StrEnum):
    """What kind of market it is for a while."""

    RANGING = "RANGING"
    TRENDING = "TRENDING"
    GAPPING = "GAPPING"
    CRASHING = "CRASHING"
    RECOVERING = "RECOVERING"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mood:
    """What a regime does; `steps` is its mean length, drift is in basis points a step."""

    steps: int
    vol: float = 1.0
    drift: float = 0.0
    pull: float = 0.0
    gap: float = 0.0
    spread: float = 1.0
    depth: float = 1.0
    then: tuple[tuple[Regime, int], ...]


_MOODS = {
    Regime.RANGING: _Mood(steps=480, pull=0.02, then=((Regime.TRENDING, 6), (Regime.GAPPING, 2), (Regime.CRASHING, 1))),
    Regime.TRENDING: _Mood(
        steps=360, vol=1.1, drift=0.35, then=((Regime.RANGING, 6), (Regime.GAPPING, 2), (Regime.CRASHING, 1))
    ),
    Regime.GAPPING: _Mood(
        steps=160, vol=1.3, gap=0.02, spread=2.0, depth=0.6, then=((Regime.RANGING, 4), (Regime.TRENDING, 3))
    ),
    Regime.CRASHING: _Mood(steps=120, vol=4.0, drift=-4.0, spread=4.0, depth=0.25, then=((Regime.RECOVERING, 1),)),
    Regime.RECOVERING: _Mood(
        steps=240, vol=2.0, drift=2.0, spread=2.0, depth=0.6, then=((Regime.RANGING, 3), (Regime.TRENDING, 1))
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Character:
    """How one symbol behaves; vol in basis points a step, depth in quote currency at the best price."""

    start: float
    vol: float
    beta: float
    likeness: float
    spread_bps: float
    depth: float


_CHARACTERS = {
    Symbol("BTC-USD"): _Character(start=68_000.0, vol=0.8, beta=1.0, likeness=0.8, spread_bps=1.0, depth=90_000),
    Symbol("ETH-USD"): _Character(start=3_400.0, vol=1.0, beta=1.2, likeness=0.75, spread_bps=1.5, depth=60_000),
    Symbol("SOL-USD"): _Character(start=180.0, vol=1.3, beta=1.5, likeness=0.65, spread_bps=3.0, depth=30_000),
    Symbol("EUR-USD"): _Character(start=1.08, vol=0.12, beta=0.05, likeness=0.2, spread_bps=0.6, depth=500_000),
    Symbol("SPY"): _Character(start=590.0, vol=0.3, beta=0.3, likeness=0.5, spread_bps=0.4, depth=150_000),
}
SYMBOLS = tuple(_CHARACTERS)
"""Everything the simulated market knows."""


def start_price(symbol: Symbol) -> Decimal:
    """The price a simulated symbol starts near; FeedError where the simulated market does not know it."""
    return Decimal(str(_character(symbol).start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The best prices of one symbol at one step."""

    symbol: Symbol
    bid: Decimal
    ask: Decimal
    last: Decimal
    bid_size: Decimal
    ask_size: Decimal

    def quote(self, at: datetime) -> Quote:
        """The tick as a quote of this moment."""
        return Quote(
            symbol=self.symbol,
            bid=self.bid,
            ask=self.ask,
            last=self.last,
            at=at,
            source="simulated",
            simulated=True,
            bid_size=self.bid_size,
            ask_size=self.ask_size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the whole market."""

    index: int
    regime: Regime
    ticks: tuple[Tick, ...]


def paths(seed: int, symbols: Sequence[Symbol] = SYMBOLS, *, regime: Regime | None = None) -> Iterator[Step]:
    """Yields steps without end; step n is a function of the seed, n and the pinned regime alone.

    Every symbol draws from a stream of its own, so it takes the same path whichever others are asked for.
    """
    weather = _Weather(random.Random(f"{seed}/market"), regime)
    walks = [_Walk(symbol, _character(symbol), random.Random(f"{seed}/{symbol}")) for symbol in symbols]
    for index in itertools.count():
        weather.turn()
        yield Step(index=index, regime=weather.regime, ticks=tuple(walk.step(weather) for walk in walks))


class SimulatedFeed:
    """Plays the simulated market onto a board."""

    simulated = True

    def __init__(
        self,
        *,
        seed: int = 7,
        symbols: Sequence[str] = (),
        interval: float = 0.25,
        speed: float = 1.0,
        regime: Regime | None = None,
    ) -> None:
        self.symbols = tuple(Symbol(symbol) for symbol in symbols) or SYMBOLS
        for symbol in self.symbols:
            _character(symbol)
        self._seed = seed
        self._wait = interval / speed
        self._steps = paths(seed, self.symbols, regime=regime)

    def describe(self) -> str:
        """Words for the page and the log."""
        return f"simulated market, seed {self._seed}"

    def instruments(self, venue: VenueId) -> tuple[Instrument, ...]:
        """What a paper venue lists for this market."""
        return tuple(instrument(symbol, venue) for symbol in self.symbols)

    async def run(self, board: PriceBoard, clock: Clock) -> None:
        """Quotes every symbol at every step until cancelled; run again, it goes on where it was."""
        pace = Pace(clock)
        for step in self._steps:
            at = clock.now()
            for tick in step.ticks:
                board.update(tick.quote(at))
            await pace.wait(self._wait)


class _Weather:
    """What all symbols share: the regime, its direction, and the common part of each move."""

    def __init__(self, rng: random.Random, pinned: Regime | None) -> None:
        self._rng = rng
        self._pinned = pinned
        self.turned = 0
        self._enter(pinned or Regime.RANGING)
        self.shock = 0.0
        self.gap = 0.0

    def turn(self) -> None:
        rng = self._rng
        if self._pinned is None and rng.random() * self.mood.steps < 1.0:
            regimes, weights = zip(*self.mood.then, strict=True)
            self._enter(rng.choices(regimes, weights)[0])
        self.shock = rng.gauss(0.0, 1.0)
        self.gap = 0.0
        if self.mood.gap and rng.random() < self.mood.gap:
            self.gap = rng.choice((-1.0, 1.0)) * rng.uniform(30.0, 120.0) * _BPS

    def _enter(self, regime: Regime) -> None:
        self.regime = regime
        self.mood = _MOODS[regime]
        self.turned += 1
        # A trend goes either way; a crash falls and a recovery rises whatever is drawn.
        self.drift = self.mood.drift * _BPS * (self._rng.choice((-1, 1)) if regime is Regime.TRENDING else 1)


class _Walk:
    """One symbol: `x` is the logarithm of its price over its start price."""

    def __init__(self, symbol: Symbol, character: _Character, rng: random.Random) -> None:
        steps = instrument(symbol, VenueId(""))
        self._symbol = symbol
        self._character = character
        self._rng = rng
        self._tick, self._lot = steps.tick_size, steps.lot_size
        self._tick_size, self._lot_size = float(self._tick), float(self._lot)
        self._own = math.sqrt(1.0 - character.likeness**2)
        self._x = 0.0
        self._anchor = 0.0
        self._turned = 0

    def step(self, weather: _Weather) -> Tick:
        if self._turned != weather.turned:
            self._turned, self._anchor = weather.turned, self._x
        character, mood = self._character, weather.mood
        noise = character.likeness * weather.shock + self._own * self._rng.gauss(0.0, 1.0)
        self._x += (
            character.vol * _BPS * mood.vol * noise
            + character.beta * (weather.drift + weather.gap)
            - mood.pull * (self._x - self._anchor)
            - _HOMEWARD * self._x
        )
        self._x = max(-_FARTHEST, min(_FARTHEST, self._x))
        return self._around(character.start * math.exp(self._x), mood, up=noise > 0)

    def _around(self, mid: float, mood: _Mood, *, up: bool) -> Tick:
        half = mid * self._character.spread_bps * mood.spread * _BPS / 2
        bid = math.floor((mid - half) / self._tick_size) * self._tick
        ask = math.ceil((mid + half) / self._tick_size) * self._tick
        return Tick(
            symbol=self._symbol,
            bid=bid,
            ask=ask,
            last=ask if up else bid,
            bid_size=self._size(mid, mood),
            ask_size=self._size(mid, mood),
        )

    def _size(self, mid: float, mood: _Mood) -> Decimal:
        size = self._character.depth * mood.depth * math.exp(self._rng.gauss(0.0, 0.6)) / mid
        return max(1, int(size / self._lot_size)) * self._lot


def _character(symbol: Symbol) -> _Character:
    character = _CHARACTERS.get(symbol)
    if character is None:
        known = ", ".join(SYMBOLS)
        raise FeedError(f"the simulated market has no {symbol}; set market.symbols to some of: {known}")
    return character

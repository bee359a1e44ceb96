"""The port every source of prices is reached through, and the one place that chooses between them."""

import random
from pathlib import Path
from typing import Protocol

from nightdesk.market.board import PriceBoard
from nightdesk.market.config import MarketConfig
from nightdesk.market.errors import FeedError
from nightdesk.market.live import LiveFeed, load_exchange
from nightdesk.market.replay import ReplayFeed
from nightdesk.market.simulated import Regime, SimulatedFeed
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.runtime.clock import Clock


class Feed(Protocol):
    """A source of prices."""

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """What it quotes."""

    @property
    def simulated(self) -> bool:
        """True for every price that is not a live one."""

    def describe(self) -> str:
        """Words for the page and the log: `simulated market, seed 7`."""

    def instruments(self, venue: VenueId) -> tuple[Instrument, ...]:
        """What a paper venue lists for this market."""

    async def run(self, board: PriceBoard, clock: Clock) -> None:
        """Quotes onto the board until cancelled; returns early only when a recording has ended."""


def open_feed(spec: str, config: MarketConfig) -> Feed:
    """The feed named `simulated`, `live` or by the path of a recorded file; FeedError where it cannot be had.

    It reads recorded files to their end and imports CCXT for live prices, so it may take seconds: call it in a
    thread before the desk reports ready.
    """
    _check(config)
    match spec:
        case "simulated":
            return SimulatedFeed(
                seed=config.seed,
                symbols=config.symbols,
                interval=config.interval,
                speed=config.speed,
                regime=Regime(config.regime) if config.regime else None,
            )
        case "live":
            return LiveFeed(
                exchanges=config.exchanges,
                symbols=config.symbols,
                interval=config.interval,
                load=load_exchange(),
                rng=random.Random(config.seed),
            )
        case path:
            return ReplayFeed(
                Path(path),
                symbols=config.symbols,
                speed=config.speed,
                loop=config.loop,
                spread_bps=config.spread_bps,
                stale_after=config.stale_after,
            )


def _check(config: MarketConfig) -> None:
    for key in ("interval", "speed", "stale_after"):
        if not getattr(config, key) > 0:
            raise FeedError(f"market.{key} is {getattr(config, key)}; it must be more than 0")
    if not 0 <= config.spread_bps <= 1000:
        raise FeedError(f"market.spread_bps is {config.spread_bps}; it must be between 0 and 1000")
    if config.regime and config.regime not in Regime.__members__:
        raise FeedError(f"market.regime is {config.regime!r}; use one of {', '.join(Regime)}, or leave it empty")

"""The market's settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketConfig:
    """Where prices come from and when they count as stale."""

    source: str = "simulated"
    """`simulated`, `live`, or the path of a recorded file (.parquet or .csv)."""
    symbols: tuple[str, ...] = ()
    """Which symbols are quoted; empty for all the source has, and for a recorded file its name is read."""
    stale_after: float = 30.0
    """A price older than this many seconds is stale."""
    interval: float = 0.25
    """Seconds between two simulated quotes of a symbol; live prices are asked for every 2 s at most."""
    speed: float = 1.0
    """How much faster than real time a simulated or recorded market plays; inf is as fast as it can."""
    seed: int = 7
    """The simulated market with the same seed takes the same path."""
    regime: str = ""
    """Keeps the simulated market in one regime: RANGING, TRENDING, GAPPING, CRASHING or RECOVERING."""
    loop: bool = False
    """A recorded file starts again at its end; otherwise its prices turn stale there."""
    spread_bps: float = 2.0
    """The spread laid around recorded prices, in basis points; bars know none."""
    exchanges: tuple[str, ...] = ("kraken", "bitstamp")
    """CCXT ids of the exchanges asked for live prices, in order: the next is asked when one does not answer."""

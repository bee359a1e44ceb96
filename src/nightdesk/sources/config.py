"""Settings of the hooks, the addresses that alerts are sent to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from nightdesk.model.signal import SizeUnit
from nightdesk.runtime.config_tree import Amount, Pattern, Range, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class HookConfig:
    """What one hook does with the alerts it gets."""

    enabled: bool = True
    """False: alerts are recorded and refused as SIGNAL_DISABLED."""
    test: bool = False
    """True: every order goes to the paper venue and is marked as a test."""
    hold: bool = False
    """True: every order waits for a person before it is sent."""
    venues: tuple[str, ...] = ()
    """The venues alerts may reach; empty: every enabled venue that lists the symbol."""
    symbols: Mapping[str, str] = field(default_factory=dict)
    """The sender's symbols and ours: BTCUSDT=BTC-USD. Symbols not named here are matched by their parts."""
    size: Amount | None = None
    """The size where an alert names none; none: such an alert is refused as SIZE_UNKNOWN."""
    size_unit: SizeUnit = SizeUnit.BASE
    """What that size counts: base, quote, percent_of_equity, percent_of_position, risk_quote or risk_percent."""
    max_qty: Amount | None = None
    """The largest size an alert may ask for (base units); none: the risk limits alone decide."""
    max_notional: Amount | None = None
    """The largest value an alert may ask for (quote currency); none: the risk limits alone decide."""
    window_seconds: Annotated[float, Range(at_least=0)] = 60.0
    """The same alert within this time counts once (seconds); 0 takes every delivery."""
    max_lag: Seconds | None = None
    """An alert that says it fired longer ago than this is refused as STALE_SIGNAL (seconds); none: any age."""
    target_position: bool = False
    """True: an alert that names the position to hold moves to it, in the place of trading its own size."""
    allow_short: bool = True
    """False: a sell never goes below zero."""
    sleeve: Annotated[
        str, Pattern(r"|[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "up to 64 letters, digits, '.', '_' or '-'")
    ] = ""
    """Whose positions the hook's orders are; empty: the hook's own name."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """What an opaque code stands for: ENTER_LONG_42=symbol=BTC-USD side=buy size=0.01."""
    default_symbol: str = ""
    """What is traded where a body names no symbol; empty: such a body is refused."""
    dca_side: Literal["", "buy", "sell"] = ""
    """Which way a 3Commas DCA message that starts a deal trades; empty: it is refused."""
    risk_unit: Literal["", "risk_quote", "risk_percent", "base"] = ""
    """What risk= of a PineConnector message counts; empty: the hook's own size is used."""

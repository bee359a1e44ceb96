"""What a body was understood to ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from nightdesk.model.enums import Side
from nightdesk.model.signal import Ask, SizeUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSettings:
    """How one hook wants its bodies read."""

    target_position: bool = False
    """Follow the strategy's position (`market_position` and its size) where the body names one, not its orders."""
    default_symbol: str | None = None
    """For bodies that name no symbol; None refuses them."""
    opaque_codes: Mapping[str, Ask] = field(default_factory=lambda: MappingProxyType({}))
    """Whole texts and what each one means, for senders whose messages are codes."""
    risk_unit: SizeUnit | None = None
    """What `risk=` of a PineConnector message counts; None leaves the size to the hook's own rule."""
    dca_side: Side | None = None
    """Which way a 3Commas DCA bot trades, for messages that start a deal; None refuses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One body as it was understood: asks, or the reason why there is nothing to do."""

    form: str
    asks: tuple[Ask, ...] = ()
    no_action: str | None = None
    """Set when, and only when, `asks` is empty."""
    explicit_id: str | None = None
    fired_at: datetime | None = None
    max_lag: int | None = None
    """Seconds after `fired_at` the sender still wants it done."""
    test: bool = False
    notes: tuple[str, ...] = ()
    """What was read and is not acted on, in words for people."""
    strategy: str | None = None
    comment: str | None = None

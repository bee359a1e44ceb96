"""What a source asks for, before it is known which venues it concerns and how large each order is."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.identifiers import HookId, OwnerId, SignalId, Sleeve


class Aim(StrEnum):
    """What a signal wants to be true afterwards."""

    TRADE = "TRADE"
    """Buy or sell this much."""
    TARGET = "TARGET"
    """Make the sleeve's position exactly this (signed, base units)."""
    CLOSE = "CLOSE"
    """Close the sleeve's position, on the side named or altogether."""
    CANCEL = "CANCEL"
    """Cancel the sleeve's open orders in the symbol."""


class SizeUnit(StrEnum):
    """What the number in a size counts."""

    BASE = "BASE"
    """Units of the instrument."""
    QUOTE = "QUOTE"
    """Quote currency, at the reference price."""
    PERCENT_OF_EQUITY = "PERCENT_OF_EQUITY"
    PERCENT_OF_POSITION = "PERCENT_OF_POSITION"
    RISK_QUOTE = "RISK_QUOTE"
    """Quote currency lost if the stop is hit; needs a stop price."""
    RISK_PERCENT = "RISK_PERCENT"
    """Percent of equity lost if the stop is hit; needs a stop price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A positive amount and its unit."""

    value: Decimal
    unit: SizeUnit = SizeUnit.BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing a signal asks for, in the sender's own symbol."""

    aim: Aim
    symbol: str
    side: Side | None = None
    """TRADE: what to do. CLOSE: which position to close (BUY = a long one), None for either."""
    size: Size | None = None
    """None: the hook's own sizing rule decides."""
    target_qty: Decimal | None = None
    ord_type: OrdType = OrdType.MARKET
    price: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False
    stop_loss_px: Decimal | None = None
    """Only used to size by risk in this version; the order's notes say that no stop was placed."""
    venues: tuple[str, ...] = ()
    """Empty: every venue the hook is enabled for."""
    signal_px: Decimal | None = None
    """The price the sender saw, for the slippage shown in the story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A request to trade as it was understood; what became of it is recorded beside it, not in it."""

    signal_id: SignalId
    owner_id: OwnerId
    source: str
    """`tradingview`, `person`, `api`, ..."""
    hook: HookId
    sleeve: Sleeve
    received_at: datetime
    fired_at: datetime | None
    """When the sender says it fired, for `max_lag`."""
    digest: str
    """Keyed by what makes two deliveries the same signal: the explicit id, or the canonical body."""
    explicit_id: str | None
    body_digest: str
    """Of the canonical body with its secrets blanked."""
    body: str
    """As received, with its secrets blanked."""
    form: str
    """Which payload form was recognised."""
    asks: tuple[Ask, ...]
    test: bool = False
    notes: tuple[str, ...] = ()
    """What was read and is not acted on, in words for people."""

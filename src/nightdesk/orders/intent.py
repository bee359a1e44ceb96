"""What the order path is handed: a signal, where it may go, and what is known of the market at that moment."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import SignalOutcome
from nightdesk.model.identifiers import AccountId, SignalId, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import Order, OrderState
from nightdesk.model.signal import Ask, Signal, Size
from nightdesk.model.venue import Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One account at one venue that lists the symbol."""

    account_id: AccountId
    venue: VenueId
    instrument: Instrument
    capabilities: Capabilities
    test: bool = False
    """True where the paper venue stands in for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One ask of a signal in our own symbol, with its destinations and the price it is judged by."""

    ask: Ask
    symbol: Symbol
    destinations: tuple[Destination, ...]
    quote: Quote | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A signal that was understood, and the rules of the hook it came by."""

    signal: Signal
    wants: tuple[Want, ...]
    window_seconds: float
    """How long the same body counts as the same signal; an explicit id counts for good."""
    default_size: Size | None
    max_qty: Decimal | None
    max_notional: Decimal | None
    allow_short: bool
    hold: bool
    config_version: str
    deadline_at: datetime | None = None
    """None: the order path's own deadlines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgered:
    """A signal that makes no order, with the reason it did not."""

    signal: Signal
    outcome: SignalOutcome
    denied: Denied | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One order as it was written: accepted, held, or denied with the reason."""

    order: Order
    state: OrderState
    denied: Denied | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What became of a signal. `signal_id` is the first delivery's where this one is a repeat."""

    outcome: SignalOutcome
    signal_id: SignalId
    tickets: tuple[Ticket, ...] = ()
    code: DenyCode | None = None
    text: str = ""
    field: str | None = None
    notes: tuple[str, ...] = ()

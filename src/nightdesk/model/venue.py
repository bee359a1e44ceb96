"""The port every venue is reached through. An adapter only translates."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from nightdesk.model.enums import OrdType, ResendClass, TimeInForce
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, ClOrdId, OrderId, Symbol, VenueId, WireId
from nightdesk.model.instrument import Instrument
from nightdesk.model.order import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a venue can do and what it can prove; what is not declared is not there."""

    resend: ResendClass = ResendClass.E
    ord_types: frozenset[OrdType] = frozenset({OrdType.MARKET})
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.GTC})
    reduce_only: bool = False
    streaming: bool = False
    validity: timedelta | None = None
    """How long after signing the venue still takes an order; None where it cannot be bounded, so that absence
    is never proven by time."""
    settle: timedelta = timedelta(seconds=2)
    """How long after the validity an accepted order may take to become visible."""
    orders_per_second: float = 10.0
    burst: int = 20
    live: bool = False
    """True where real money moves."""
    needs_person: bool = False
    """True where a person, not a machine, carries the order out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One message ready to be sent: built and signed, and stored before its first byte leaves."""

    wire_id: WireId
    cl_ord_id: ClOrdId
    payload: bytes
    payload_hash: str
    valid_until: datetime | None
    nonce: int | None = None


Gate = Callable[[], None]
"""Asked right before the first byte; raises GateClosed when the order may no longer leave, else notes the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position as the venue states it: signed base units."""

    symbol: Symbol
    qty: Decimal
    avg_px: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """Balances by currency and positions of one account, as the venue states them."""

    account_id: AccountId
    at: datetime
    balances: dict[str, Decimal] = field(default_factory=dict)
    holdings: tuple[Holding, ...] = ()


class Venue(Protocol):
    """Ten calls; every one may raise VenueError, and `submit` and `cancel` tell NotSent from OutcomeUnknown."""

    @property
    def venue(self) -> VenueId:
        """Its name in configuration."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do and prove."""

    async def instruments(self) -> Sequence[Instrument]:
        """Everything it lists."""

    def prepare(self, order: Order, *, now: datetime) -> Wire:
        """The message for an order, built and signed without touching the network; Unsupported if it has none."""

    async def submit(self, wire: Wire, gate: Gate) -> ExecutionReport:
        """What the venue answered to the order; the gate is asked right before the first byte."""

    async def cancel(self, order: Order, order_id: OrderId | None, gate: Gate) -> ExecutionReport:
        """What the venue answered to the cancel; a refused cancel is a report of the order as it stands."""

    async def order_status(self, order: Order) -> ExecutionReport | None:
        """The order as the venue knows it, None when it states that it knows no such order."""

    async def open_orders(self) -> Sequence[ExecutionReport]:
        """All open orders of the account, ours or not."""

    async def fills(self, since: datetime) -> Sequence[ExecutionReport]:
        """All fills of the account since a moment, oldest first."""

    async def account(self) -> AccountSnapshot:
        """Balances and positions."""

    def reports(self) -> AsyncIterator[ExecutionReport]:
        """Reports pushed by the venue, from now on, until closed; empty where it cannot push."""

    async def close(self) -> None:
        """Lets go of sockets and files."""

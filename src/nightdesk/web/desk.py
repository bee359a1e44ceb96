"""What the web may do, as one value: filled by `app/desk.py`, so that no page or route reaches past it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from nightdesk.model.enums import TradingState
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import AccountId, ClOrdId, SignalId, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Prices
from nightdesk.orders.intent import Acceptance
from nightdesk.runtime.changes import Changes
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.secrets import Secret
from nightdesk.sources.person import PersonOrder
from nightdesk.web.config import WebConfig

__all__ = [
    "AccountStatus",
    "Component",
    "Desk",
    "DeskStatus",
    "PersonOrder",
    "Settlement",
    "TakeAlert",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a person ends a doubt or answers a held order.

    `action`: `approve` or `decline` a HELD order; `abandon` an order in doubt (it never was at the venue);
    `accept` the evidence of a disputed one as it stands; on a venue carried out by hand `filled`, `canceled` or
    `rejected`.
    """

    cl_ord_id: ClOrdId
    action: str
    actor: str
    qty: Decimal | None = None
    px: Decimal | None = None
    text: str = ""
    explicit_id: str = ""
    """The form's own id, which makes a double click harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """One account as the desk holds it now."""

    account_id: AccountId
    venue: VenueId
    kind: str
    live: bool
    state: TradingState
    state_reason: str
    reconciled_at: datetime | None
    """Last comparison with the venue that succeeded."""
    waiting: int
    """Commands queued, being sent or in doubt."""
    last_answer_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of the desk: `healthy`, `degraded` or `down`, and why in words."""

    name: str
    status: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskStatus:
    """What is so, right now."""

    started_at: datetime
    uptime_seconds: float
    halted: bool
    halt_reason: str
    halt_actor: str
    market: str
    """What the prices are: `simulated market, seed 7`."""
    market_simulated: bool
    accounts: tuple[AccountStatus, ...]
    components: tuple[Component, ...]
    last_signal_at: datetime | None
    version: str

    @property
    def health(self) -> str:
        """The worst of its components."""
        found = {component.status for component in self.components}
        return "down" if "down" in found else "degraded" if "degraded" in found else "healthy"


class TakeAlert(Protocol):
    """Raw bytes of an alert in, its durable outcome out."""

    async def __call__(
        self, hook: str, raw: bytes, *, idempotency_key: str | None, received_at: datetime
    ) -> Acceptance:
        """The acceptance, refusal or repeat of the alert, on disk. Raises Refused (unknown hook),
        StoreUnavailable or Overloaded (nothing was stored)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything the web layer may call; blocking reads go through `reader` in a worker thread."""

    config: WebConfig
    clock: Clock
    webhook_token: Secret
    operator_token: Secret
    reader: Reader
    changes: Changes
    """Publishes cl_ord_ids, signal_ids and the words `prices`, `status` when they change."""
    prices: Prices
    instruments: Mapping[VenueId, Sequence[Instrument]]
    hooks: tuple[str, ...]
    take_alert: TakeAlert
    refuse_alert: Callable[[str, Refused, datetime], Awaitable[SignalId]]
    """(hook, why, received_at): an alert with a good token that could not be read is in the ledger; its id."""
    body_tokens: Callable[[bytes], tuple[str, ...]]
    """The tokens an alert carries in its body, for a request without one in path or header; never raises."""
    place: Callable[[PersonOrder], Awaitable[Acceptance]]
    """Raises Refused, StoreUnavailable, Overloaded."""
    cancel: Callable[[ClOrdId, str], Awaitable[None]]
    """(cl_ord_id, actor). Raises Refused UNKNOWN_ORDER or ORDER_ENDED."""
    settle: Callable[[Settlement], Awaitable[None]]
    """Raises Refused."""
    acknowledge: Callable[[AccountId, str], Awaitable[None]]
    """(account, actor): the mismatch is seen, the venue's truth is booked to EXTERNAL, trading goes on."""
    halt: Callable[[str, str], Awaitable[None]]
    """(reason, actor): no new exposure from now on."""
    resume_begin: Callable[[str], Awaitable[str]]
    """(actor): the code that confirms the resume within five minutes."""
    resume_confirm: Callable[[str, str], Awaitable[None]]
    """(code, actor): trading again. Raises Refused."""
    status: Callable[[], DeskStatus]
    signal_done: Callable[[SignalId], bool] = field(repr=False)
    """Blocking, for a worker thread: True when every leg of the signal has ended, or is in doubt."""
    default_symbols: tuple[Symbol, ...] = ()

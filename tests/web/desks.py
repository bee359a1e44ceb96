"""A desk made of plain functions that remember what was asked of them."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdStatus, SignalOutcome, TradingState
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import AccountId, ClOrdId, SignalId, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Quote
from nightdesk.model.order import OrderState
from nightdesk.orders.intent import Acceptance, Ticket
from nightdesk.runtime.changes import Changes
from nightdesk.runtime.clock import Clock, SystemClock
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.secrets import Secret
from nightdesk.web.config import WebConfig
from nightdesk.web.desk import AccountStatus, Component, Desk, DeskStatus, PersonOrder, Settlement
from tests.web.world import BTC, PAPER, START, World

WEBHOOK = "webhook-token-of-the-tests-000001"
OPERATOR_TOKEN = "operator-token-of-the-tests-00001"


class Board:
    """Prices that stand still until they are set."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.mids = {"BTC-USD": Decimal("64000"), "ETH-USD": Decimal("3412.10"), "SOL-USD": Decimal("172.05")}

    def quote(self, symbol: Symbol) -> Quote | None:
        mid = self.mids.get(symbol)
        if mid is None:
            return None
        half = mid / 20000
        return Quote(
            symbol=symbol, bid=mid - half, ask=mid + half, last=mid, at=self.at, source="simulated", simulated=True
        )

    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(Symbol(name) for name in self.mids)

    def subscribe(self, listener: Callable[[Quote], None]) -> Callable[[], None]:
        return lambda: None


@dataclass
class Calls:
    """What was asked of the desk, and what it is to answer."""

    world: World
    changes: Changes
    answer: Callable[[str, bytes, str | None], Awaitable[Acceptance]] | None = None
    place_answer: Callable[[PersonOrder], Acceptance] | None = None
    alerts: list[tuple[str, bytes, str | None]] = field(default_factory=list)
    refusals: list[tuple[str, Refused]] = field(default_factory=list)
    placed: list[PersonOrder] = field(default_factory=list)
    canceled: list[tuple[str, str]] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    halts: list[tuple[str, str]] = field(default_factory=list)
    resumed: list[tuple[str, str]] = field(default_factory=list)
    done: bool = True
    halted: bool = False
    components: tuple[Component, ...] = (Component(name="database", status="healthy", text="writes take 2 ms"),)
    accounts: tuple[AccountStatus, ...] = ()
    last_signal_at: datetime | None = None

    async def take_alert(
        self, hook: str, raw: bytes, *, idempotency_key: str | None, received_at: datetime
    ) -> Acceptance:
        self.alerts.append((hook, raw, idempotency_key))
        if self.answer is not None:
            return await self.answer(hook, raw, idempotency_key)
        return acceptance(self.world)

    async def refuse_alert(self, hook: str, why: Refused, received_at: datetime) -> SignalId:
        self.refusals.append((hook, why))
        return SignalId("kept")

    async def place(self, asked: PersonOrder) -> Acceptance:
        self.placed.append(asked)
        return self.place_answer(asked) if self.place_answer is not None else acceptance(self.world)

    async def cancel(self, cl_ord_id: ClOrdId, actor: str) -> None:
        if cl_ord_id.startswith("missing"):
            raise Refused(DenyCode.UNKNOWN_ORDER, f"there is no order {cl_ord_id}", field="cl_ord_id")
        if cl_ord_id.startswith("ended"):
            raise Refused(DenyCode.ORDER_ENDED, "the order has ended as FILLED")
        self.canceled.append((cl_ord_id, actor))

    async def settle(self, settlement: Settlement) -> None:
        self.settled.append(settlement)

    async def acknowledge(self, account_id: AccountId, actor: str) -> None:
        self.acknowledged.append((account_id, actor))

    async def halt(self, reason: str, actor: str) -> None:
        self.halts.append((reason, actor))
        self.halted = True

    async def resume_begin(self, actor: str) -> str:
        return "4711"

    async def resume_confirm(self, code: str, actor: str) -> None:
        if code != "4711":
            raise Refused(DenyCode.HALTED, "the code is wrong or too old; begin again", field="confirm")
        self.resumed.append((code, actor))
        self.halted = False

    def status(self) -> DeskStatus:
        return DeskStatus(
            started_at=START,
            uptime_seconds=3600.0,
            halted=self.halted,
            halt_reason=self.halts[-1][0] if self.halted and self.halts else "",
            halt_actor=self.halts[-1][1] if self.halted and self.halts else "",
            market="simulated market, seed 7",
            market_simulated=True,
            accounts=self.accounts,
            components=self.components,
            last_signal_at=self.last_signal_at,
            version="0.1.0",
        )


def account_status(**changes: Any) -> AccountStatus:
    """A healthy paper account."""
    healthy = AccountStatus(
        account_id=PAPER,
        venue=VenueId("paper"),
        kind="paper",
        live=False,
        state=TradingState.ACTIVE,
        state_reason="",
        reconciled_at=START,
        waiting=0,
        last_answer_ms=41.0,
    )
    return replace(healthy, **changes)


def acceptance(
    world: World, outcome: SignalOutcome = SignalOutcome.ACCEPTED, denied: Denied | None = None, **changes: Any
) -> Acceptance:
    """What the desk says about a signal with one order; nothing of it is written."""
    signal = world.signal()
    order = world.order(signal)
    if denied is None:
        state = OrderState(order_qty=order.order_qty)
    else:
        state = OrderState(ord_status=OrdStatus.DENIED, order_qty=order.order_qty, code=denied.code, text=denied.text)
    tickets = (Ticket(order=order, state=state, denied=denied),) if outcome is SignalOutcome.ACCEPTED or denied else ()
    code = denied.code if denied is not None else None
    text = denied.text if denied is not None else ""
    given: dict[str, Any] = {"outcome": outcome, "signal_id": signal.signal_id, "tickets": tickets}
    return Acceptance(**{**given, "code": code, "text": text, **changes})


def tokens_in(raw: bytes) -> tuple[str, ...]:
    """The tokens of a body, found the simplest way."""
    return (WEBHOOK,) if WEBHOOK.encode() in raw else ()


def make_desk(
    world: World, *, config: WebConfig | None = None, clock: Clock | None = None, hooks: Iterable[str] = ("default",)
) -> tuple[Desk, Calls]:
    """The desk, and what is asked of it."""
    changes = Changes()
    calls = Calls(world=world, changes=changes, accounts=(account_status(),))
    instrument = Instrument(
        symbol=BTC,
        venue=VenueId("paper"),
        venue_symbol="BTC-USD",
        base="BTC",
        quote="USD",
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.0001"),
    )
    symbols = ("BTC-USD", "ETH-USD", "SOL-USD")
    desk = Desk(
        config=config or WebConfig(),
        clock=clock or SystemClock(),
        webhook_token=Secret(WEBHOOK),
        operator_token=Secret(OPERATOR_TOKEN),
        reader=Reader(world.database),
        changes=changes,
        prices=Board(world.now),
        instruments={VenueId("paper"): [replace(instrument, symbol=Symbol(name)) for name in symbols]},
        hooks=tuple(hooks),
        take_alert=calls.take_alert,
        refuse_alert=calls.refuse_alert,
        body_tokens=tokens_in,
        place=calls.place,
        cancel=calls.cancel,
        settle=calls.settle,
        acknowledge=calls.acknowledge,
        halt=calls.halt,
        resume_begin=calls.resume_begin,
        resume_confirm=calls.resume_confirm,
        status=calls.status,
        signal_done=lambda signal_id: calls.done,
    )
    return desk, calls

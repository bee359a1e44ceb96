"""Orders on their way: accepted, sent and recovered while the venue acts by its script."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, OrdType, ResendClass, SignalOutcome
from nightdesk.model.order import Order
from nightdesk.model.venue import Capabilities
from tests.desk import Desk
from tests.fakes import Act
from tests.samples import ABLE, D

Make = Callable[..., Desk]
ACCEPTED, DUPLICATE, REFUSED = SignalOutcome.ACCEPTED, SignalOutcome.DUPLICATE, SignalOutcome.REFUSED
CLASSES = [ResendClass.A, ResendClass.B, ResendClass.E]
LIMIT = {"ord_type": OrdType.LIMIT, "price": D(99)}


def count(desk: Desk, table: str) -> int:
    return int(desk.rows(f"SELECT COUNT(*) FROM {table}")[0][0])


def able(resend: ResendClass, **changed: Any) -> Capabilities:
    return replace(ABLE, resend=resend, **changed)


def command_state(desk: Desk, order: Order, kind: CommandKind = CommandKind.NEW) -> CommandState:
    return {each.kind: each.state for each in desk.commands(order)}[kind]


def settled(desk: Desk, order: Order) -> Callable[[], bool]:
    def now() -> bool:
        state = desk.order(order.cl_ord_id).state
        return state.doubt is Doubt.NONE and state.ord_status is not OrdStatus.PENDING_NEW

    return now


@asynccontextmanager
async def ordered(desk: Desk, *acts: Act, **ask: Any) -> Any:
    """An order given to a beating heart whose venue acts by its script."""
    desk.venue.submits.extend(acts)
    async with desk.beating() as heart:
        yield heart, desk.buy(**ask)


@asynccontextmanager
async def sent(desk: Desk, *acts: Act, seconds: float = 60.0, **ask: object) -> AsyncIterator[Order]:
    """An order that was accepted and sent while the venue acts by its script, and the time that took."""
    desk.venue.submits.extend(acts)
    async with desk.sending():
        order = desk.buy(**ask)  # type: ignore[arg-type]  # an ask's words
        await desk.clock.sleep(seconds)
        yield order

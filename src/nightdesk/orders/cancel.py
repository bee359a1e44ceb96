"""Cancel: an order that never left is ended here and now, any other is canceled at its venue."""

from datetime import datetime

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, OrdStatus
from nightdesk.model.execution import Fact, FactKind
from nightdesk.orders import store
from nightdesk.orders.confirm import Evidence, weigh
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.queued import Queued, queue_cancel
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio.store import Books
from nightdesk.runtime.database import Tx, to_micros


def cancel_order(tx: Tx, books: Books, stored: StoredOrder, *, actor: str, now: datetime) -> Queued | None:
    """The cancel that is to be sent; None where the order never left and has ended, or is being canceled already."""
    if end_unsent(tx, books, stored, actor, now, DenyCode.ABANDONED, "canceled before it was sent"):
        return None
    return queue_cancel(tx, stored.order, actor=actor, now=now)


def end_unsent(tx: Tx, books: Books, stored: StoredOrder, actor: str, now: datetime, code: DenyCode, text: str) -> bool:
    """True when no byte of the order had left, and now none will: it is ended for good.

    The account is loaded in `books`, which the caller saves.
    """
    order = stored.order
    commands = [c for c in outgoing.commands_of_order(tx, order.cl_ord_id) if c.kind is CommandKind.NEW]
    never_sent = not any(
        fact.kind in (FactKind.STATUS, FactKind.FILL, FactKind.OUTCOME_UNKNOWN)
        for fact in store.facts_of_order(tx, order.cl_ord_id)
    )
    if not never_sent or any(command.state is not CommandState.QUEUED for command in commands):
        return False
    fact = decided(tx, stored, actor, now, OrdStatus.CANCELED, code, text)
    weigh(tx, books, (Evidence(account_id=order.account_id, cl_ord_id=order.cl_ord_id, facts=(fact,)),), now)
    return True


def decided(
    tx: Tx,
    stored: StoredOrder,
    actor: str,
    now: datetime,
    status: OrdStatus | None,
    code: DenyCode | None,
    text: str,
) -> Fact:
    """The fact that somebody decided about the order, knowing what is known now."""
    stamp = next_stamp(tx, stored, now)
    return Fact(
        key=f"decision:{stamp}",
        kind=FactKind.DECISION,
        stamp=stamp,
        at=now,
        origin=actor,
        ord_status=status,
        cum_qty=stored.state.cum_qty,
        code=code,
        text=text,
    )


def next_stamp(tx: Tx, stored: StoredOrder, now: datetime) -> int:
    """A decision comes after everything known when it was made."""
    known = max((fact.stamp for fact in store.facts_of_order(tx, stored.order.cl_ord_id)), default=0)
    return max(known + 1, to_micros(now))

"""What a person decides about an order: cancel it, answer a held one, settle a doubt, halt. Each is one transaction."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import CommandKind, Doubt, OrdStatus
from nightdesk.model.errors import Refused
from nightdesk.model.execution import ExecutionReport, Fact, FactKind, facts_of
from nightdesk.model.identifiers import AccountId, ClOrdId
from nightdesk.orders import store
from nightdesk.orders.cancel import cancel_order, decided, end_unsent, next_stamp
from nightdesk.orders.confirm import Evidence, weigh
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.queued import Queued, new_command, queue_cancel
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio.store import Books
from nightdesk.runtime.database import Tx, to_micros

ZERO = Decimal(0)
APPROVED_LIVES = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a decision changed: rows whose watchers are to be told, and commands that may now go out."""

    subjects: tuple[str, ...] = ()
    queued: tuple[Queued, ...] = ()


def required(tx: Tx, cl_ord_id: ClOrdId) -> StoredOrder:
    """The order; Refused UNKNOWN_ORDER where there is none."""
    stored = store.load_order(tx, cl_ord_id)
    if stored is None:
        raise Refused(DenyCode.UNKNOWN_ORDER, f"there is no order {cl_ord_id[:64]}", field="cl_ord_id")
    return stored


def cancel(tx: Tx, cl_ord_id: ClOrdId, actor: str, now: datetime) -> Outcome:
    """The order is being canceled at its venue, or is canceled at once where it never left.

    Raises Refused UNKNOWN_ORDER or ORDER_ENDED.
    """
    stored = required(tx, cl_ord_id)
    if stored.state.ord_status.terminal and stored.state.doubt is Doubt.NONE:
        raise Refused(DenyCode.ORDER_ENDED, f"the order has ended as {stored.state.ord_status.value}")
    books = _books(tx, stored)
    queued = cancel_order(tx, books, stored, actor=actor, now=now)
    books.save(to_micros(now))
    subjects = (stored.order.cl_ord_id, stored.order.signal_id)
    return Outcome(subjects=subjects, queued=(queued,) if queued is not None else ())


def approve(tx: Tx, cl_ord_id: ClOrdId, actor: str, now: datetime) -> Outcome:
    """A held order goes out; the caller has let it pass all checks again."""
    stored = _held(tx, cl_ord_id)
    if now >= stored.order.deadline_at:
        raise Refused(DenyCode.DEADLINE, "the time in which the order could be approved has passed", field="cl_ord_id")
    order, deadline = stored.order, to_micros(now + APPROVED_LIVES)
    fact = Fact(key="approved", kind=FactKind.APPROVED, stamp=next_stamp(tx, stored, now), at=now, origin=actor)
    row = outgoing.command_row(order, CommandKind.NEW, 1, deadline_at=deadline, actor=actor, now=to_micros(now))
    outgoing.add_commands(tx, [row])
    _weigh(tx, stored, fact, now)
    queued = Queued(order=order, command=new_command(order, CommandKind.NEW, 1, deadline))
    return Outcome(subjects=(order.cl_ord_id, order.signal_id), queued=(queued,))


def deny_held(tx: Tx, cl_ord_id: ClOrdId, denied: Denied, now: datetime) -> Outcome:
    """A held order that no longer passes the gate is ended with the gate's reason."""
    stored = _held(tx, cl_ord_id)
    fact = Fact(
        key="denied",
        kind=FactKind.DENIED,
        stamp=next_stamp(tx, stored, now),
        at=now,
        origin="desk",
        code=denied.code,
        text=denied.text,
    )
    _weigh(tx, stored, fact, now)
    return Outcome(subjects=(stored.order.cl_ord_id, stored.order.signal_id))


def decline(tx: Tx, cl_ord_id: ClOrdId, actor: str, now: datetime) -> Outcome:
    """A held order is ended as DENIED/DECLINED."""
    stored = _held(tx, cl_ord_id)
    fact = decided(tx, stored, actor, now, OrdStatus.DENIED, DenyCode.DECLINED, f"declined by {actor}")
    _weigh(tx, stored, fact, now)
    return Outcome(subjects=(stored.order.cl_ord_id, stored.order.signal_id))


def settle(tx: Tx, cl_ord_id: ClOrdId, action: str, actor: str, now: datetime, text: str) -> Outcome:
    """An order in doubt is settled on record.

    `abandon` says it is not at the venue, `accept` takes the evidence as it stands. Later evidence that says otherwise
    is seen as a contradiction, not swallowed.
    """
    stored = required(tx, cl_ord_id)
    if stored.state.doubt is Doubt.NONE:
        raise Refused(DenyCode.ORDER_ENDED, "nothing about this order is in doubt", field="action")
    if action == "abandon":
        status: OrdStatus | None = OrdStatus.DENIED if stored.state.cum_qty == 0 else OrdStatus.CANCELED
        fact = decided(tx, stored, actor, now, status, DenyCode.ABANDONED, text or f"declared ended by {actor}")
    else:
        fact = decided(tx, stored, actor, now, None, None, text or f"accepted by {actor}")
    _weigh(tx, stored, fact, now)
    return Outcome(subjects=(stored.order.cl_ord_id, stored.order.signal_id))


def answered(tx: Tx, cl_ord_id: ClOrdId, report: ExecutionReport, actor: str, now: datetime) -> Outcome:
    """The report of a venue that a person stands for is among the order's facts.

    Raises Refused ORDER_ENDED for more than is left: a person who answers twice means one answer.
    """
    stored = required(tx, cl_ord_id)
    facts = facts_of(report, stamp=next_stamp(tx, stored, now), at=now, origin=actor)
    known = {fact.key for fact in store.facts_of_order(tx, cl_ord_id)}
    fresh = any(fact.kind is FactKind.FILL and fact.key not in known for fact in facts)
    if fresh and report.last_qty is not None and report.last_qty > stored.state.leaves_qty:
        left = format(stored.state.leaves_qty.normalize(), "f")
        raise Refused(DenyCode.ORDER_ENDED, f"only {left} of the order is left to fill", field="qty")
    for fact in facts:
        _weigh(tx, stored, fact, now)
    return Outcome(subjects=(cl_ord_id, stored.order.signal_id))


def stop_entries(tx: Tx, account_ids: Collection[AccountId], actor: str, now: datetime) -> Outcome:
    """Every entry that has not left is ended for good, every entry at a venue is being canceled; exits stay."""
    subjects: list[str] = []
    queued: list[Queued] = []
    books = Books(tx)
    books.load(account_ids)
    for account_id in sorted(account_ids):
        for stored in store.open_orders(tx, account_id):
            if stored.order.closing or stored.order.sleeve == "EXTERNAL":
                continue
            subjects.append(stored.order.cl_ord_id)
            if end_unsent(tx, books, stored, actor, now, DenyCode.HALTED, "trading was halted before it was sent"):
                continue
            cancel_command = queue_cancel(tx, stored.order, actor=actor, now=now)
            if cancel_command is not None:
                queued.append(cancel_command)
    books.save(to_micros(now))
    return Outcome(subjects=tuple(subjects), queued=tuple(queued))


def entries_at_venues(tx: Tx, account_ids: Collection[AccountId]) -> list[StoredOrder]:
    """Every entry that may be at a venue, for the cancels of a halt that cannot be recorded."""
    return [
        stored
        for account_id in sorted(account_ids)
        for stored in store.open_orders(tx, account_id)
        if not stored.order.closing
        and stored.order.sleeve != "EXTERNAL"
        and (stored.state.order_id is not None or stored.state.doubt is not Doubt.NONE)
    ]


class Decide:
    """The verb that runs a person's decision and tells, after the commit, who is waiting for it."""

    def __init__(
        self, on_queued: Callable[[Sequence[Queued]], None], on_changed: Callable[[Iterable[str]], None]
    ) -> None:
        self._on_queued = on_queued
        self._on_changed = on_changed

    def __call__(self, tx: Tx, decisions: Sequence[Callable[[Tx], Outcome]], /) -> Sequence[Outcome]:
        """What each decision changed, durable on commit."""
        outcomes = [decision(tx) for decision in decisions]
        for outcome in outcomes:
            if outcome.queued:
                tx.after_commit(lambda queued=outcome.queued: self._on_queued(queued))  # type: ignore[misc]
            if outcome.subjects:
                tx.after_commit(lambda subjects=outcome.subjects: self._on_changed(subjects))  # type: ignore[misc]
        return outcomes


def _held(tx: Tx, cl_ord_id: ClOrdId) -> StoredOrder:
    stored = required(tx, cl_ord_id)
    if stored.state.ord_status is not OrdStatus.HELD:
        text = f"the order does not wait for an answer, it is {stored.state.ord_status.value}"
        raise Refused(DenyCode.ORDER_ENDED, text, field="cl_ord_id")
    return stored


def _books(tx: Tx, stored: StoredOrder) -> Books:
    books = Books(tx)
    books.load((stored.order.account_id,))
    return books


def _weigh(tx: Tx, stored: StoredOrder, fact: Fact, now: datetime) -> None:
    books = _books(tx, stored)
    evidence = Evidence(account_id=stored.order.account_id, cl_ord_id=stored.order.cl_ord_id, facts=(fact,))
    weigh(tx, books, (evidence,), now)
    books.save(to_micros(now))

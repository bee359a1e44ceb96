"""Confirm: one transaction adds the facts, folds the order anew, moves the position and the reservation by what
changed, settles the commands and writes the event."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, TradingState
from nightdesk.model.execution import Fact
from nightdesk.model.identifiers import AccountId, ClOrdId
from nightdesk.model.order import OrderState, distinct, fold, is_positive
from nightdesk.model.position import Change
from nightdesk.orders import store
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.outgoing.store import StoredCommand
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio.book import AccountBook
from nightdesk.portfolio.store import Books, Cause, account_state, set_state
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.crashpoints import reached
from nightdesk.runtime.database import Tx, to_micros
from nightdesk.runtime.store import add_events, event_row

_OPEN_TO_ORDERS = (TradingState.ACTIVE, TradingState.RECONCILING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one message ended: its attempt, when its first byte left (microseconds), and what came back."""

    attempt: int
    first_byte_at: int | None
    outcome: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """New facts about one order, and what they mean for the command that was sent."""

    account_id: AccountId
    cl_ord_id: ClOrdId
    facts: tuple[Fact, ...] = ()
    command: StoredCommand | None = None
    command_state: CommandState | None = None
    """Where the command stands if no fact settles it."""
    not_before: int = 0
    answer: Answer | None = None
    only_while: OrdStatus | None = None
    """Weighed only if the order still stands there: what was decided on an older sight of it may be overtaken."""


@dataclass(slots=True)
class _Batch:
    """The orders one transaction has touched, each loaded once."""

    orders: dict[ClOrdId, StoredOrder] = field(default_factory=dict)
    facts: dict[ClOrdId, list[Fact]] = field(default_factory=dict)
    changed: dict[ClOrdId, StoredOrder] = field(default_factory=dict)
    events: list[tuple[object, ...]] = field(default_factory=list)


class Confirm:
    """The verb that makes evidence durable; hand it to the writer."""

    def __init__(self, clock: Clock, on_changed: Callable[[Iterable[str]], None]) -> None:
        self._clock = clock
        self._on_changed = on_changed

    def __call__(self, tx: Tx, items: Sequence[Evidence], /) -> Sequence[StoredOrder | None]:
        """Each order as it stands with its evidence; None where there is no such order."""
        now = self._clock.now()
        books = Books(tx)
        books.load(item.account_id for item in items)
        results = weigh(tx, books, items, now)
        books.save(to_micros(now))
        subjects = {
            name for each in results if each is not None for name in (each.order.cl_ord_id, each.order.signal_id)
        }
        tx.after_commit(lambda: self._on_changed(subjects))
        reached("confirm.before_commit")
        tx.after_commit(lambda: reached("confirm.after_commit"))
        return results


def weigh(tx: Tx, books: Books, items: Sequence[Evidence], now: datetime) -> list[StoredOrder | None]:
    """The orders with the evidence weighed in, inside an open transaction whose books are loaded."""
    batch = _Batch()
    micros = to_micros(now)
    results = [_weigh_one(tx, books, item, batch, micros) for item in items]
    store.save_states(tx, list(batch.changed.values()), micros)
    add_events(tx, batch.events)
    return [result if result is None else batch.orders[result.order.cl_ord_id] for result in results]


def _weigh_one(tx: Tx, books: Books, item: Evidence, batch: _Batch, micros: int) -> StoredOrder | None:
    stored = batch.orders.get(item.cl_ord_id) or store.load_order(tx, item.cl_ord_id)
    if stored is None or stored.order.account_id != item.account_id:
        # The id of another account's order, told by this one's venue, is no order of this account.
        return None
    batch.orders[item.cl_ord_id] = stored
    if item.only_while is not None and stored.state.ord_status is not item.only_while:
        return stored
    if item.command is not None and item.answer is not None:
        answer = item.answer
        outgoing.end_send(
            tx,
            item.command,
            answer.attempt,
            first_byte_at=answer.first_byte_at,
            outcome=answer.outcome,
            text=answer.text,
            now=micros,
        )
    known = batch.facts.get(item.cl_ord_id)
    if known is None:
        known = store.facts_of_order(tx, item.cl_ord_id)
    if item.facts:
        before = {fact.key: fact for fact in known}
        known = distinct([*known, *item.facts])
        store.add_facts(tx, stored.order, [fact for fact in known if before.get(fact.key) != fact], micros)
    batch.facts[item.cl_ord_id] = known
    state = fold(stored.order, known)
    after = _move(tx, books, stored, state, batch, micros)
    batch.orders[item.cl_ord_id] = after
    _settle_commands(tx, item, after, known, micros)
    return after


def _move(tx: Tx, books: Books, stored: StoredOrder, state: OrderState, batch: _Batch, micros: int) -> StoredOrder:
    """The position takes what changed in the order, the reservation shrinks to what may still fill."""
    order, before = stored.order, stored.state
    # Until a doubt is settled the full quantity that is not known to be filled counts.
    reserved = state.leaves_qty
    if state == before and reserved == stored.reserved_qty:
        return stored
    book = books[order.account_id]
    books.stake(order.account_id, order.symbol, order.sleeve)
    sign = order.side.sign
    change = Change(
        qty=sign * (state.cum_qty - before.cum_qty),
        value=sign * (state.cum_value - before.cum_value),
        fees=state.fees - before.fees,
    )
    realised = book.apply(order.symbol, order.sleeve, change)
    if reserved != stored.reserved_qty:
        book.reserve(order.symbol, order.sleeve, order.side, reserved - stored.reserved_qty, stored.ref_px)
    after = StoredOrder(order=order, state=state, reserved_qty=reserved, ref_px=stored.ref_px)
    batch.changed[order.cl_ord_id] = after
    data = {"ord_status": state.ord_status.value, "doubt": state.doubt.value, "cum_qty": format(state.cum_qty, "f")}
    if change.qty and before.ord_status in (OrdStatus.CANCELED, OrdStatus.EXPIRED):
        data["late_fill"] = format(change.qty, "f")
    if realised:
        data["realised_pnl"] = format(realised, "f")
    book.event_seq += 1
    batch.events.append(
        event_row(order.account_id, book.event_seq, order.owner_id, "order.updated", order.cl_ord_id, micros, data)
    )
    if state.doubt is Doubt.DISPUTED and before.doubt is not Doubt.DISPUTED and _opens_by_itself(tx, book):
        reason = f"order {order.cl_ord_id}: the evidence contradicts itself ({state.ord_status.value.lower()})"
        book.state, book.state_reason = TradingState.REDUCING, reason
        set_state(tx, order.account_id, TradingState.REDUCING, reason, micros, cause=Cause.DISPUTE)
    return after


def _opens_by_itself(tx: Tx, book: AccountBook) -> bool:
    """True when the account takes entries, or will once its venue has answered: a dispute must outlast that."""
    return book.state in _OPEN_TO_ORDERS or account_state(tx, book.account_id)[2] is Cause.SILENCE


def _settle_commands(tx: Tx, item: Evidence, after: StoredOrder, known: list[Fact], micros: int) -> None:
    state = after.state
    settled = _new_command_state(state, known)
    if settled is not None:
        outgoing.end_commands(tx, after.order.cl_ord_id, CommandKind.NEW, settled, micros)
    if state.ord_status.terminal:
        done = CommandState.CONFIRMED if state.ord_status is OrdStatus.CANCELED else CommandState.REJECTED
        outgoing.end_commands(tx, after.order.cl_ord_id, CommandKind.CANCEL, done, micros)
    command = item.command
    if command is None or item.command_state is None:
        return
    if command.kind is CommandKind.NEW and settled is not None:
        return
    text = item.answer.text if item.answer is not None else ""
    outgoing.set_command(tx, command, item.command_state, not_before=item.not_before, text=text[:500], now=micros)


def _new_command_state(state: OrderState, known: list[Fact]) -> CommandState | None:
    """What the facts say about the NEW command; None while they leave it open."""
    if state.ord_status is OrdStatus.REJECTED:
        return CommandState.REJECTED
    if any(is_positive(fact) for fact in known):
        return CommandState.CONFIRMED
    if state.ord_status.terminal:
        return CommandState.ABSENT if state.code is DenyCode.PROVEN_ABSENT else CommandState.ENDED
    return None

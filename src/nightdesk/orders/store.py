"""Orders and the facts known about them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import AccountId, ClOrdId, SignalId, Symbol
from nightdesk.model.order import Order, OrderState
from nightdesk.risk.proposal import Mark
from nightdesk.runtime.database import Row, Tx, from_micros, to_micros

_ORDER_COLUMNS = (
    "cl_ord_id, owner_id, account_id, venue, signal_id, leg, source, sleeve, symbol, side, ord_type, time_in_force,"
    " order_qty, price, stop_px, reduce_only, closing, test, created_at, deadline_at"
)
_STATE_COLUMNS = "ord_status, doubt, current_qty, cum_qty, cum_value, fees, order_id, code, text"
_FACT_COLUMNS = (
    "key, kind, stamp, at, origin, order_id, ord_status, exec_id, last_qty, last_px, fee, fee_currency, cum_qty,"
    " avg_px, order_qty, price, revision, code, text"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order with the state and the reservation its row holds."""

    order: Order
    state: OrderState
    reserved_qty: Decimal
    ref_px: Decimal


def order_row(
    order: Order,
    state: OrderState,
    *,
    accepted: bool,
    reserved_qty: Decimal,
    ref_px: Decimal,
    marks: Sequence[Mark],
    config_version: str,
    now: int,
) -> Row:
    """The row of a new order, ready for `add_orders`."""
    return (
        *_terms(order),
        *_state(state),
        int(not state.ord_status.terminal or state.doubt is not Doubt.NONE),
        int(accepted),
        reserved_qty,
        ref_px,
        _marks_text(marks),
        config_version,
        now,
    )


_ENCODE = json.JSONEncoder(separators=(",", ":"), default=str).encode


def _marks_text(marks: Sequence[Mark]) -> str:
    return _ENCODE(marks)


# Rows are built for every order on the intake path: `_value_` is the enum's text without the cost of its property.


def _terms(order: Order) -> Row:
    return (
        order.cl_ord_id,
        order.owner_id,
        order.account_id,
        order.venue,
        order.signal_id,
        order.leg,
        order.source,
        order.sleeve,
        order.symbol,
        order.side._value_,
        order.ord_type._value_,
        order.time_in_force._value_,
        order.order_qty,
        order.price,
        order.stop_px,
        int(order.reduce_only),
        int(order.closing),
        int(order.test),
        to_micros(order.created_at),
        to_micros(order.deadline_at),
    )


def _state(state: OrderState) -> Row:
    return (
        state.ord_status._value_,
        state.doubt._value_,
        state.order_qty,
        state.cum_qty,
        state.cum_value,
        state.fees,
        state.order_id,
        state.code.name if state.code is not None else None,
        state.text,
    )


_ADD_ORDER = (
    f"INSERT INTO orders ({_ORDER_COLUMNS}, {_STATE_COLUMNS}, is_open, accepted, reserved_qty, ref_px, checks,"
    f" config_version, updated_at) VALUES ({','.join('?' * 36)})"
)


def add_orders(tx: Tx, rows: list[Row]) -> None:
    """The orders are part of this transaction."""
    tx.many(_ADD_ORDER, rows)


# The whole fact, not its stamp alone: what was folded in memory must be what is folded from here.
_SUPERSEDED = ", ".join(f"{name} = excluded.{name}" for name in _FACT_COLUMNS.replace(",", "").split() if name != "key")


def add_facts(tx: Tx, order: Order, facts: Iterable[Fact], now: int) -> None:
    """The facts are known, in the place of those with the same key: `distinct` has chosen between them."""
    rows = [_fact_row(order, fact, now) for fact in facts]
    tx.many(
        f"INSERT INTO facts (cl_ord_id, owner_id, account_id, recorded_at, {_FACT_COLUMNS})"
        f" VALUES ({','.join('?' * 23)}) ON CONFLICT (cl_ord_id, key) DO UPDATE SET {_SUPERSEDED}",
        rows,
    )


def _fact_row(order: Order, fact: Fact, now: int) -> Row:
    return (
        order.cl_ord_id,
        order.owner_id,
        order.account_id,
        now,
        fact.key,
        fact.kind.value,
        fact.stamp,
        to_micros(fact.at),
        fact.origin,
        fact.order_id,
        fact.ord_status.value if fact.ord_status is not None else None,
        fact.exec_id,
        fact.last_qty,
        fact.last_px,
        fact.fee,
        fact.fee_currency,
        fact.cum_qty,
        fact.avg_px,
        fact.order_qty,
        fact.price,
        fact.revision,
        fact.code.name if fact.code is not None else None,
        fact.text,
    )


def facts_of_order(tx: Tx, cl_ord_id: ClOrdId) -> list[Fact]:
    """Everything known about the order."""
    rows = tx.fetch(f"SELECT {_FACT_COLUMNS} FROM facts WHERE cl_ord_id = ?", (cl_ord_id,))
    return [_fact(row) for row in rows]


def _fact(row: Row) -> Fact:
    return Fact(
        key=row[0],
        kind=FactKind(row[1]),
        stamp=row[2],
        at=from_micros(row[3]),
        origin=row[4],
        order_id=row[5],
        ord_status=OrdStatus(row[6]) if row[6] is not None else None,
        exec_id=row[7],
        last_qty=_money(row[8]),
        last_px=_money(row[9]),
        fee=Decimal(row[10]),
        fee_currency=row[11],
        cum_qty=_money(row[12]),
        avg_px=_money(row[13]),
        order_qty=_money(row[14]),
        price=_money(row[15]),
        revision=row[16],
        code=DenyCode[row[17]] if row[17] is not None else None,
        text=row[18],
    )


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


_SELECT_ORDER = f"SELECT {_ORDER_COLUMNS}, {_STATE_COLUMNS}, reserved_qty, ref_px FROM orders"


def load_order(tx: Tx, cl_ord_id: ClOrdId) -> StoredOrder | None:
    """The order, None where there is none of that id."""
    rows = tx.fetch(f"{_SELECT_ORDER} WHERE cl_ord_id = ?", (cl_ord_id,))
    return _stored(rows[0]) if rows else None


def open_orders(tx: Tx, account_id: AccountId) -> list[StoredOrder]:
    """All orders of the account that may still change, oldest first."""
    sql = f"{_SELECT_ORDER} WHERE account_id = ? AND is_open = 1 ORDER BY created_at, leg"
    return [_stored(row) for row in tx.fetch(sql, (account_id,))]


def overdue_held(tx: Tx, account_id: AccountId, now: int, limit: int) -> list[StoredOrder]:
    """Orders of the account that waited for a person until their deadline had passed (microseconds)."""
    sql = f"{_SELECT_ORDER} WHERE account_id = ? AND is_open = 1 AND ord_status = 'HELD' AND deadline_at <= ? LIMIT ?"
    return [_stored(row) for row in tx.fetch(sql, (account_id, now, limit))]


def orders_of_signal(tx: Tx, signal_id: SignalId) -> list[StoredOrder]:
    """The legs of a signal, in their order."""
    return [_stored(row) for row in tx.fetch(f"{_SELECT_ORDER} WHERE signal_id = ? ORDER BY leg", (signal_id,))]


def _stored(row: Row) -> StoredOrder:
    order = Order(
        cl_ord_id=row[0],
        owner_id=row[1],
        account_id=row[2],
        venue=row[3],
        signal_id=row[4],
        leg=row[5],
        source=row[6],
        sleeve=row[7],
        symbol=row[8],
        side=Side(row[9]),
        ord_type=OrdType(row[10]),
        time_in_force=TimeInForce(row[11]),
        order_qty=Decimal(row[12]),
        price=_money(row[13]),
        stop_px=_money(row[14]),
        reduce_only=bool(row[15]),
        closing=bool(row[16]),
        test=bool(row[17]),
        created_at=from_micros(row[18]),
        deadline_at=from_micros(row[19]),
    )
    state = OrderState(
        ord_status=OrdStatus(row[20]),
        doubt=Doubt(row[21]),
        order_qty=Decimal(row[22]),
        cum_qty=Decimal(row[23]),
        cum_value=Decimal(row[24]),
        fees=Decimal(row[25]),
        order_id=row[26],
        code=DenyCode[row[27]] if row[27] is not None else None,
        text=row[28],
    )
    return StoredOrder(order=order, state=state, reserved_qty=Decimal(row[29]), ref_px=_money(row[30]) or Decimal(0))


def save_states(tx: Tx, changed: Sequence[StoredOrder], now: int) -> None:
    """The rows of the orders hold these states and reservations."""
    rows = [
        (
            *_state(each.state),
            int(not each.state.ord_status.terminal or each.state.doubt is not Doubt.NONE),
            each.reserved_qty,
            now,
            each.order.cl_ord_id,
        )
        for each in changed
    ]
    tx.many(
        "UPDATE orders SET ord_status = ?, doubt = ?, current_qty = ?, cum_qty = ?, cum_value = ?, fees = ?,"
        " order_id = ?, code = ?, text = ?, is_open = ?, reserved_qty = ?, updated_at = ? WHERE cl_ord_id = ?",
        rows,
    )


def symbols_under_way(tx: Tx, account_id: AccountId) -> set[Symbol]:
    """The symbols in which an order of the account has left, or is about to, and no answer is known."""
    sql = "SELECT DISTINCT symbol FROM orders WHERE account_id = ? AND is_open = 1 AND ord_status = 'PENDING_NEW'"
    return {row[0] for row in tx.fetch(sql, (account_id,))}


def newest_stamp(tx: Tx) -> int:
    """The highest stamp any fact carries; 0 where there is none."""
    rows = tx.fetch("SELECT MAX(stamp) FROM facts")
    return int(rows[0][0] or 0)


def has_twin(tx: Tx, order: Order, *, since: int) -> bool:
    """True when an equal order (account, symbol, side, quantity) was accepted since then (microseconds)."""
    rows = tx.fetch(
        "SELECT order_qty FROM orders"
        " WHERE account_id = ? AND accepted = 1 AND created_at > ? AND symbol = ? AND side = ?",
        (order.account_id, since, order.symbol, order.side.value),
    )
    return any(Decimal(row[0]) == order.order_qty for row in rows)


def signal_settled(tx: Tx, signal_id: SignalId) -> bool:
    """True when no leg of the signal is still on its way.

    Each has ended, rests at its venue, waits for a person, or is in doubt.
    """
    for each in orders_of_signal(tx, signal_id):
        state = each.state
        if state.doubt is not Doubt.NONE or state.ord_status.terminal or state.ord_status is OrdStatus.HELD:
            continue
        if state.ord_status is OrdStatus.PENDING_NEW or each.order.ord_type is OrdType.MARKET:
            return False
    return True


def ids_beginning(tx: Tx, prefix: str, *, limit: int) -> list[ClOrdId]:
    """The ids of orders that begin with the text, at most `limit` of them."""
    if not prefix or not all(char in "0123456789abcdef" for char in prefix):
        return []
    rows = tx.fetch(
        "SELECT cl_ord_id FROM orders WHERE cl_ord_id >= ? AND cl_ord_id < ? ORDER BY cl_ord_id LIMIT ?",
        (prefix, prefix + "g", limit),
    )
    return [row[0] for row in rows]


def known_facts(tx: Tx, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of the facts, named by cl_ord_id and key, are on record."""
    sql = "SELECT 1 FROM facts WHERE cl_ord_id = ? AND key = ?"
    return {pair for pair in keys if tx.fetch(sql, pair)}

"""What lists and pages read. Newest first, in pages whose cursor names the last row seen, so that none is skipped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nightdesk.model.enums import Doubt, OrdStatus
from nightdesk.model.identifiers import OPERATOR, ClOrdId, OwnerId, SignalId
from nightdesk.model.market import Prices
from nightdesk.runtime.database import Row, Tx, from_micros
from nightdesk.web.records import AccountLine, ExecutionLine, OrderLine, PositionLine, SignalLine, Today

END_OF_TIME = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to; None takes everything.

    Moments in microseconds, `since` included, `until` not. `status` is an order's status, OPEN or IN_DOUBT;
    `outcome` and `hook` are for signals.
    """

    venue: str | None = None
    symbol: str | None = None
    status: str | None = None
    source: str | None = None
    sleeve: str | None = None
    hook: str | None = None
    outcome: str | None = None
    since: int = 0
    until: int = END_OF_TIME


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list begins: after the row with this moment and these ids."""

    at: int = END_OF_TIME
    first_id: str = ""
    second_id: str = ""


_ORDER = (
    "SELECT cl_ord_id, account_id, venue, signal_id, leg, source, sleeve, symbol, side, ord_type, time_in_force,"
    " order_qty, price, stop_px, reduce_only, closing, test, created_at, deadline_at, ord_status, doubt, current_qty,"
    " cum_qty, cum_value, fees, order_id, code, text, updated_at, checks FROM orders"
)
# Each condition is off where its parameter is NULL; the cast tells PostgreSQL the type of a bare NULL.
_NARROWED = (
    " AND (CAST(? AS TEXT) IS NULL OR venue = ?) AND (CAST(? AS TEXT) IS NULL OR symbol = ?)"
    " AND (CAST(? AS TEXT) IS NULL OR source = ?) AND (CAST(? AS TEXT) IS NULL OR sleeve = ?)"
)
_ORDERS = (
    f"{_ORDER} WHERE owner_id = ? AND (created_at, cl_ord_id) < (?, ?) AND created_at >= ? AND created_at < ?"
    f"{_NARROWED}"
    " AND (CAST(? AS TEXT) IS NULL OR ord_status = ? OR (? = 'OPEN' AND is_open = 1)"
    " OR (? = 'IN_DOUBT' AND doubt <> 'NONE')) ORDER BY created_at DESC, cl_ord_id DESC LIMIT ?"
)


def orders(
    tx: Tx, filters: Filters, *, limit: int, after: Place = Place(), owner: OwnerId = OPERATOR
) -> list[OrderLine]:
    """The newest orders that fit."""
    status = filters.status
    span = (filters.since, filters.until)
    params = (owner, after.at, after.first_id, *span, *_narrowed(filters), status, status, status, status, limit)
    return [_order(row) for row in tx.fetch(_ORDERS, params)]


def order(tx: Tx, cl_ord_id: ClOrdId, *, owner: OwnerId = OPERATOR) -> OrderLine | None:
    """The order, None where there is none of that id."""
    if not _may_be_id(cl_ord_id):
        return None
    rows = tx.fetch(f"{_ORDER} WHERE owner_id = ? AND cl_ord_id = ?", (owner, cl_ord_id))
    return _order(rows[0]) if rows else None


def orders_of_signal(tx: Tx, signal_id: SignalId, *, owner: OwnerId = OPERATOR) -> list[OrderLine]:
    """The legs of a signal, in their order."""
    rows = tx.fetch(f"{_ORDER} WHERE owner_id = ? AND signal_id = ? ORDER BY leg, account_id", (owner, signal_id))
    return [_order(row) for row in rows]


def orders_of_signals(tx: Tx, signal_ids: Sequence[str], *, owner: OwnerId = OPERATOR) -> dict[str, list[OrderLine]]:
    """The legs of each of several signals."""
    found: dict[str, list[OrderLine]] = {signal_id: [] for signal_id in signal_ids}
    if signal_ids:
        sql = f"{_ORDER} WHERE owner_id = ? AND signal_id IN ({','.join('?' * len(signal_ids))}) ORDER BY leg"
        for row in tx.fetch(sql, (owner, *signal_ids)):
            line = _order(row)
            found[line.signal_id].append(line)
    return found


def _may_be_id(text: str) -> bool:
    """False for what no id is and a database cannot be asked for: zero bytes, halves of surrogate pairs."""
    return text.isprintable()


def _narrowed(filters: Filters) -> tuple[str | None, ...]:
    pairs = (filters.venue, filters.symbol, filters.source, filters.sleeve)
    return tuple(value for value in pairs for _ in range(2))


def _order(row: Row) -> OrderLine:
    limit, value = _denied_by(row[29]) if row[19] == OrdStatus.DENIED else (None, None)
    return OrderLine(
        cl_ord_id=row[0],
        account_id=row[1],
        venue=row[2],
        signal_id=row[3],
        leg=row[4],
        source=row[5],
        sleeve=row[6],
        symbol=row[7],
        side=row[8],
        ord_type=row[9],
        time_in_force=row[10],
        order_qty=Decimal(row[11]),
        price=_money(row[12]),
        stop_px=_money(row[13]),
        reduce_only=bool(row[14]),
        closing=bool(row[15]),
        test=bool(row[16]),
        created_at=from_micros(row[17]),
        deadline_at=from_micros(row[18]),
        ord_status=OrdStatus(row[19]),
        doubt=Doubt(row[20]),
        current_qty=Decimal(row[21]),
        cum_qty=Decimal(row[22]),
        cum_value=Decimal(row[23]),
        fees=Decimal(row[24]),
        order_id=row[25],
        code=row[26],
        text=row[27],
        updated_at=from_micros(row[28]),
        limit=limit,
        value=value,
    )


def _denied_by(checks: str) -> tuple[str | None, str | None]:
    """The limit and the value of the check that refused the order, which is the only mark it has then."""
    marks = json.loads(checks)
    if len(marks) == 1 and marks[0][0] == "denied":
        return marks[0][1] or None, marks[0][2] or None
    return None, None


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


_SIGNAL = (
    "SELECT signal_id, source, hook, sleeve, received_at, fired_at, form, explicit_id, symbol, summary, outcome, code,"
    " field, text, notes, first_signal_id, test, body FROM signals"
)
# A signal is of a venue or a symbol of ours when one of its orders is; its own symbol is the sender's.
_SIGNALS = (
    f"{_SIGNAL} WHERE owner_id = ? AND (received_at, signal_id) < (?, ?) AND received_at >= ? AND received_at < ?"
    " AND (CAST(? AS TEXT) IS NULL OR source = ?) AND (CAST(? AS TEXT) IS NULL OR sleeve = ?)"
    " AND (CAST(? AS TEXT) IS NULL OR hook = ?) AND (CAST(? AS TEXT) IS NULL OR outcome = ?)"
    " AND (CAST(? AS TEXT) IS NULL OR symbol = ? OR EXISTS (SELECT 1 FROM orders"
    " WHERE orders.signal_id = signals.signal_id AND orders.symbol = ?))"
    " AND (CAST(? AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM orders"
    " WHERE orders.signal_id = signals.signal_id AND orders.venue = ?))"
    " ORDER BY received_at DESC, signal_id DESC LIMIT ?"
)


def signals(
    tx: Tx, filters: Filters, *, limit: int, after: Place = Place(), owner: OwnerId = OPERATOR
) -> list[SignalLine]:
    """The newest signals that fit, those not traded among them."""
    narrow = (filters.source, filters.sleeve, filters.hook, filters.outcome)
    params = (
        owner,
        after.at,
        after.first_id,
        filters.since,
        filters.until,
        *(value for value in narrow for _ in range(2)),
        *(filters.symbol,) * 3,
        *(filters.venue,) * 2,
        limit,
    )
    return [_signal(row) for row in tx.fetch(_SIGNALS, params)]


def signal(tx: Tx, signal_id: SignalId, *, owner: OwnerId = OPERATOR) -> SignalLine | None:
    """The signal, None where there is none of that id."""
    if not _may_be_id(signal_id):
        return None
    rows = tx.fetch(f"{_SIGNAL} WHERE owner_id = ? AND signal_id = ?", (owner, signal_id))
    return _signal(rows[0]) if rows else None


def _signal(row: Row) -> SignalLine:
    return SignalLine(
        signal_id=row[0],
        source=row[1],
        hook=row[2],
        sleeve=row[3],
        received_at=from_micros(row[4]),
        fired_at=from_micros(row[5]) if row[5] is not None else None,
        form=row[6],
        explicit_id=row[7],
        symbol=row[8],
        summary=row[9],
        outcome=row[10],
        code=row[11],
        field=row[12],
        text=row[13],
        notes=tuple(json.loads(row[14])),
        first_signal_id=row[15],
        test=bool(row[16]),
        body=row[17],
    )


_FILL = (
    "SELECT f.cl_ord_id, f.exec_id, f.key, o.signal_id, o.account_id, o.venue, o.source, o.sleeve, o.symbol, o.side,"
    " f.order_id, f.last_qty, f.last_px, f.fee, f.fee_currency, f.at, o.test, EXISTS (SELECT 1 FROM facts AS b"
    " WHERE b.cl_ord_id = f.cl_ord_id AND b.kind = 'BUST' AND b.exec_id = f.exec_id)"
    " FROM facts AS f JOIN orders AS o ON o.cl_ord_id = f.cl_ord_id WHERE f.kind = 'FILL' AND f.owner_id = ?"
)
_FILLS = (
    f"{_FILL} AND (f.at, f.cl_ord_id, f.key) < (?, ?, ?) AND f.at >= ? AND f.at < ?"
    " AND (CAST(? AS TEXT) IS NULL OR o.venue = ?) AND (CAST(? AS TEXT) IS NULL OR o.symbol = ?)"
    " AND (CAST(? AS TEXT) IS NULL OR o.source = ?) AND (CAST(? AS TEXT) IS NULL OR o.sleeve = ?)"
    " ORDER BY f.at DESC, f.cl_ord_id DESC, f.key DESC LIMIT ?"
)


def executions(
    tx: Tx, filters: Filters, *, limit: int, after: Place = Place(), owner: OwnerId = OPERATOR
) -> list[ExecutionLine]:
    """The newest fills that fit."""
    place = (after.at, after.first_id, after.second_id)
    params = (owner, *place, filters.since, filters.until, *_narrowed(filters), limit)
    return [_execution(row) for row in tx.fetch(_FILLS, params)]


def execution(tx: Tx, cl_ord_id: str, exec_id: str, *, owner: OwnerId = OPERATOR) -> ExecutionLine | None:
    """The fill, None where there is none; of an exec_id told in two ways the first seen."""
    if not (_may_be_id(cl_ord_id) and _may_be_id(exec_id)):
        return None
    sql = f"{_FILL} AND f.cl_ord_id = ? AND f.exec_id = ? ORDER BY f.stamp LIMIT 1"
    rows = tx.fetch(sql, (owner, cl_ord_id, exec_id))
    return _execution(rows[0]) if rows else None


def _execution(row: Row) -> ExecutionLine:
    return ExecutionLine(
        cl_ord_id=row[0],
        exec_id=row[1],
        key=row[2],
        signal_id=row[3],
        account_id=row[4],
        venue=row[5],
        source=row[6],
        sleeve=row[7],
        symbol=row[8],
        side=row[9],
        order_id=row[10],
        last_qty=Decimal(row[11]),
        last_px=Decimal(row[12]),
        fee=Decimal(row[13]),
        fee_currency=row[14],
        at=from_micros(row[15]),
        test=bool(row[16]),
        busted=bool(row[17]),
    )


def positions(tx: Tx, prices: Prices, *, owner: OwnerId = OPERATOR) -> list[PositionLine]:
    """Everything held, by symbol, valued at the prices of this moment."""
    rows = tx.fetch(
        "SELECT p.account_id, a.venue, p.symbol, p.sleeve, p.qty, p.cost, p.realised_pnl, p.fees, p.updated_at"
        " FROM positions AS p"
        " JOIN accounts AS a ON a.account_id = p.account_id WHERE p.owner_id = ? AND p.is_open = 1"
        " ORDER BY p.symbol, a.venue, p.sleeve",
        (owner,),
    )
    return [_position(row, prices) for row in rows if Decimal(row[4])]


def _position(row: Row, prices: Prices) -> PositionLine:
    quote = prices.quote(row[2])
    return PositionLine(
        account_id=row[0],
        venue=row[1],
        symbol=row[2],
        sleeve=row[3],
        qty=Decimal(row[4]),
        cost=Decimal(row[5]),
        realised_pnl=Decimal(row[6]),
        fees=Decimal(row[7]),
        updated_at=from_micros(row[8]),
        px=quote.mid if quote is not None else None,
        px_at=quote.at if quote is not None else None,
        simulated=quote.simulated if quote is not None else None,
    )


def accounts(tx: Tx, *, day: str, owner: OwnerId = OPERATOR) -> list[AccountLine]:
    """The money of every account; `day` (2026-01-05) is the one whose beginning counts."""
    rows = tx.fetch(
        "SELECT account_id, venue, currency, cash, day, day_equity FROM accounts WHERE owner_id = ? ORDER BY venue",
        (owner,),
    )
    return [
        AccountLine(
            account_id=row[0],
            venue=row[1],
            currency=row[2],
            cash=Decimal(row[3]),
            day_equity=Decimal(row[5]) if row[4] == day else None,
        )
        for row in rows
    ]


def today(tx: Tx, since: int, *, owner: OwnerId = OPERATOR) -> Today:
    """What came and went since then (microseconds), and how many orders are in doubt, of whatever day."""
    of_signals = tx.fetch(
        "SELECT outcome, COUNT(*) FROM signals WHERE owner_id = ? AND received_at >= ? GROUP BY outcome", (owner, since)
    )
    of_orders = tx.fetch(
        "SELECT ord_status, COUNT(*) FROM orders WHERE owner_id = ? AND created_at >= ? GROUP BY ord_status",
        (owner, since),
    )
    doubts = tx.fetch("SELECT COUNT(*) FROM orders WHERE owner_id = ? AND is_open = 1 AND doubt <> 'NONE'", (owner,))
    return Today(
        signals={row[0]: int(row[1]) for row in of_signals},
        orders={row[0]: int(row[1]) for row in of_orders},
        in_doubt=int(doubts[0][0]),
    )


def first_sent(tx: Tx, signal_ids: Sequence[str], *, owner: OwnerId = OPERATOR) -> dict[str, int]:
    """When the first byte of each signal's orders left (microseconds), for those of which one did."""
    if not signal_ids:
        return {}
    rows = tx.fetch(
        "SELECT o.signal_id, MIN(s.first_byte_at) FROM sends AS s JOIN orders AS o ON o.cl_ord_id = s.cl_ord_id"
        " WHERE o.owner_id = ? AND s.first_byte_at IS NOT NULL"
        f" AND o.signal_id IN ({','.join('?' * len(signal_ids))}) GROUP BY o.signal_id",
        (owner, *signal_ids),
    )
    return {row[0]: int(row[1]) for row in rows}

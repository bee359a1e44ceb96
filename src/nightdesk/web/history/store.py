"""The reads behind an order's history."""

import json
from datetime import datetime
from typing import Any

from nightdesk.model.identifiers import OPERATOR, ClOrdId, OwnerId, SignalId
from nightdesk.orders.store import facts_of_order
from nightdesk.runtime.database import Row, Tx, from_micros
from nightdesk.runtime.redact import Redactor
from nightdesk.web.history.records import Check, CommandLine, EventLine, History, SendLine
from nightdesk.web.store import order, orders_of_signal, signal

MOST_SHOWN = 4000
"""Characters of a message; the hash beside it is of the whole."""

# It knows no values, only the places where secrets stand, so it can be shared.
_REDACTOR = Redactor()


def history(tx: Tx, cl_ord_id: ClOrdId, *, owner: OwnerId = OPERATOR) -> History | None:
    """Everything about the order, None where there is none of that id."""
    line = order(tx, cl_ord_id, owner=owner)
    if line is None:
        return None
    rows = tx.fetch("SELECT checks, config_version FROM orders WHERE cl_ord_id = ?", (cl_ord_id,))
    facts = facts_of_order(tx, cl_ord_id)
    return History(
        order=line,
        signal=signal(tx, SignalId(line.signal_id), owner=owner),
        legs=tuple(orders_of_signal(tx, SignalId(line.signal_id), owner=owner)),
        checks=tuple(Check(name=mark[0], limit=mark[1], value=mark[2]) for mark in _marks(rows[0][0])),
        config_version=rows[0][1],
        commands=_commands(tx, cl_ord_id),
        sends=_sends(tx, cl_ord_id),
        facts=tuple(sorted(facts, key=lambda fact: (fact.at, fact.stamp, fact.key))),
        events=_events(tx, line.account_id, cl_ord_id),
    )


def _marks(checks: str) -> list[list[str]]:
    marks: list[list[str]] = json.loads(checks)
    return [mark for mark in marks if mark[0] != "denied"]


def _commands(tx: Tx, cl_ord_id: ClOrdId) -> tuple[CommandLine, ...]:
    rows = tx.fetch(
        "SELECT kind, number, state, attempts, actor, text, created_at, updated_at, deadline_at FROM commands"
        " WHERE cl_ord_id = ? ORDER BY created_at, number",
        (cl_ord_id,),
    )
    return tuple(
        CommandLine(
            kind=row[0],
            number=row[1],
            state=row[2],
            attempts=row[3],
            actor=row[4],
            text=_REDACTOR.text(row[5]),
            created_at=from_micros(row[6]),
            updated_at=from_micros(row[7]),
            deadline_at=from_micros(row[8]),
        )
        for row in rows
    )


def _sends(tx: Tx, cl_ord_id: ClOrdId) -> tuple[SendLine, ...]:
    rows = tx.fetch(
        "SELECT wire_id, kind, number, attempt, payload, payload_hash, valid_until, sending_at, first_byte_at,"
        " answered_at, outcome, text FROM sends WHERE cl_ord_id = ? ORDER BY sending_at, attempt",
        (cl_ord_id,),
    )
    return tuple(_send(row) for row in rows)


def _send(row: Row) -> SendLine:
    return SendLine(
        wire_id=row[0],
        kind=row[1],
        number=row[2],
        attempt=row[3],
        payload=readable(bytes(row[4])),
        payload_hash=row[5],
        valid_until=_maybe(row[6]),
        sending_at=from_micros(row[7]),
        first_byte_at=_maybe(row[8]),
        answered_at=_maybe(row[9]),
        outcome=row[10],
        text=_REDACTOR.text(row[11]),
    )


def readable(payload: bytes) -> str:
    """A message as people may see it: text without its secrets, or hex where it is no text."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload[: MOST_SHOWN // 2].hex()
    return _REDACTOR.text(text[:MOST_SHOWN]) + ("…" if len(text) > MOST_SHOWN else "")


def _events(tx: Tx, account_id: str, cl_ord_id: ClOrdId) -> tuple[EventLine, ...]:
    rows = tx.fetch(
        "SELECT seq, topic, at, data FROM events WHERE account_id = ? AND cl_ord_id = ? ORDER BY seq",
        (account_id, cl_ord_id),
    )
    return tuple(EventLine(seq=row[0], topic=row[1], at=from_micros(row[2]), data=row[3]) for row in rows)


def _maybe(micros: Any) -> datetime | None:
    return None if micros is None else from_micros(micros)
